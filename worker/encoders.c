/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/encoders.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/domain/encoder.h"
#include "lib/io/process.h"
#include "lib/service/dying.h"

#define NICE         5
#define ANSWER_BYTES 4096
#define PATH_BYTES   512
#define DYING_MS     2000 /* at the end of the program; a driver may hold them for good */

enum state { STATE_UNUSED, STATE_UNTRIED, STATE_TRYING, STATE_ABSENT, STATE_READY, STATE_SUSPECT };

struct encoder {
    enum state state;
    bool was_ready; /* when it is tried again */
    struct weir_ctl_encprobe_result found;
    int64_t kpx;
    int64_t suspect_until_ms;
    int64_t kpx_used;
    int64_t sessions_used;
    struct weir_metric *ready; /* gauge; NULL: nobody counts */
    struct weir_metric *kpx_used_gauge;
    struct weir_metric *failures;
};

struct encoders {
    struct encoders_config config;
    bool is_auto;
    struct encoder of[WEIR_ENCODER_N];
    struct weir_timer *next; /* the next trial */
    struct weir_timer *deadline;
    bool is_trying;
    enum weir_encoder trying;
    struct weir_process process;
    struct weir_dying *dying;
    struct weir_buf in;
};

/* ---- which ---- */

static bool is_there(const char *root, const char *pattern)
{
    char path[PATH_BYTES];
    glob_t found = {0};
    snprintf(path, sizeof(path), "%s%s", root, pattern);
    bool is_found = glob(path, GLOB_NOSORT, NULL, &found) == 0;
    globfree(&found);
    return is_found;
}

/* The device that its driver makes; whether its libraries are there too the trial says. */
static const char *const devices[WEIR_ENCODER_N] = {
    [WEIR_ENCODER_NVENC] = "/dev/nvidiactl",
    [WEIR_ENCODER_QSV] = "/dev/dri/renderD*",
    [WEIR_ENCODER_VAAPI] = "/dev/dri/renderD*",
    [WEIR_ENCODER_V4L2] = "/dev/video*",
};

static enum weir_code parse_names(struct encoders *encoders, struct weir_err *err)
{
    char text[128];
    char *rest = NULL;
    WEIR_STR_SET(text, encoders->config.names);
    encoders->is_auto = strcmp(text, "auto") == 0;
    if (strcmp(text, "none") == 0) {
        return WEIR_OK;
    }
    for (int i = 0; encoders->is_auto && i < WEIR_ENCODER_N; i++) {
        bool is_found = is_there(encoders->config.root, devices[i]);
        encoders->of[i].state = is_found ? STATE_UNTRIED : STATE_UNUSED;
    }
    for (char *name = strtok_r(text, ", ", &rest); !encoders->is_auto && name != NULL;
         name = strtok_r(NULL, ", ", &rest)) {
        enum weir_encoder id;
        if (weir_encoder_get(name, &id) != WEIR_OK) {
            return weir_fail(
                err, WEIR_EINVAL,
                "WEIR_ENCODERS: '%s' is none of nvenc, qsv, vaapi, v4l2 (nor is all of "
                "it auto or none)",
                name);
        }
        encoders->of[id].state = STATE_UNTRIED;
    }
    for (int i = 0; !encoders->config.is_used && i < WEIR_ENCODER_N; i++) {
        encoders->of[i].state = STATE_UNUSED;
    }
    return WEIR_OK;
}

/* ---- what was found ---- */

static void tell_change(struct encoders *encoders)
{
    for (int i = 0; i < WEIR_ENCODER_N; i++) {
        struct encoder *encoder = &encoders->of[i];
        if (encoder->ready != NULL) {
            weir_metric_set(encoder->ready, encoder->state == STATE_READY);
        }
    }
    encoders->config.changed(encoders->config.ctx);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* What is tried again is tried beside the renditions that kept it, so less may be left of it than
 * there is. */
static void take_good(struct encoder *encoder, const struct weir_ctl_encprobe_result *told)
{
    struct weir_ctl_encprobe_result *found = &encoder->found;
    struct weir_ctl_encprobe_result before = *found; /* zeros at first */
    char fps_720p[24];
    char fps_1080p[24];
    char sessions[24];
    encoder->state = STATE_READY;
    *found = *told;
    found->fps_720p = larger(found->fps_720p, before.fps_720p);
    found->fps_1080p = larger(found->fps_1080p, before.fps_1080p);
    found->sessions = larger(found->sessions, before.sessions);
    encoder->kpx = weir_encoder_budget_kpx(found->fps_720p, found->fps_1080p);
    snprintf(fps_720p, sizeof(fps_720p), "%lld", (long long)found->fps_720p);
    snprintf(fps_1080p, sizeof(fps_1080p), "%lld", (long long)found->fps_1080p);
    snprintf(sessions, sizeof(sessions), "%lld", (long long)found->sessions);
    weir_log(WEIR_LOG_INFO, "an encoder in hardware is ready", "encoder",
             weir_encoder_name(found->encoder), "fps_720p", fps_720p, "fps_1080p", fps_1080p,
             "sessions", sessions, NULL);
}

static void take_bad(struct encoders *encoders, enum weir_encoder id, const char *why)
{
    struct encoder *encoder = &encoders->of[id];
    encoder->state = encoder->was_ready ? STATE_SUSPECT : STATE_ABSENT;
    encoder->suspect_until_ms = weir_clock_mono_ms() + encoders->config.suspect_ms;
    weir_log(encoder->was_ready ? WEIR_LOG_WARN : WEIR_LOG_INFO,
             encoder->was_ready ? "an encoder still fails, it is suspect for 10 minutes more"
                                : "an encoder in hardware cannot be used",
             "encoder", weir_encoder_name(id), "why", why, NULL);
}

/* What quick sync is found to do VAAPI would do on the same silicon. */
static void leave_out_twins(struct encoders *encoders)
{
    struct encoder *twin = &encoders->of[WEIR_ENCODER_VAAPI];
    if (encoders->is_auto && encoders->of[WEIR_ENCODER_QSV].state == STATE_READY &&
        twin->state == STATE_UNTRIED) {
        twin->state = STATE_UNUSED;
    }
}

/* ---- a trial ---- */

static void set_next(struct encoders *encoders)
{
    int64_t now_ms = weir_clock_mono_ms();
    int64_t at_ms = INT64_MAX;
    for (int i = 0; i < WEIR_ENCODER_N; i++) {
        const struct encoder *encoder = &encoders->of[i];
        int64_t due_ms = encoder->state == STATE_UNTRIED   ? now_ms
                         : encoder->state == STATE_SUSPECT ? encoder->suspect_until_ms
                                                           : INT64_MAX;
        at_ms = due_ms < at_ms ? due_ms : at_ms;
    }
    if (!encoders->is_trying && at_ms != INT64_MAX) {
        weir_timer_set(encoders->next, at_ms > now_ms ? at_ms - now_ms : 0);
    }
}

static void close_process(struct encoders *encoders)
{
    weir_loop_unwatch(encoders->config.loop, encoders->process.channel_fd);
    weir_dying_take(encoders->dying, &encoders->process);
    weir_buf_clear(&encoders->in);
    weir_timer_clear(encoders->deadline);
    encoders->is_trying = false;
}

static void finish(struct encoders *encoders, const struct weir_ctl_encprobe_result *found,
                   const char *why)
{
    struct encoder *encoder = &encoders->of[encoders->trying];
    if (encoders->is_trying) {
        close_process(encoders);
    }
    if (found != NULL && found->is_good) {
        take_good(encoder, found);
    } else {
        take_bad(encoders, encoders->trying, found != NULL ? found->why : why);
    }
    leave_out_twins(encoders);
    tell_change(encoders);
    set_next(encoders);
}

/* A line of it, once it is whole. False: not yet. */
static bool take_answer(struct encoders *encoders)
{
    const char *newline =
        encoders->in.len > 0 ? memchr(encoders->in.bytes, '\n', encoders->in.len) : NULL;
    if (newline == NULL) {
        return false;
    }
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_ctl ctl;
    struct weir_err err = {0};
    size_t len = (size_t)(newline - encoders->in.bytes) + 1;
    bool is_known = weir_ctl_parse(encoders->in.bytes, len, arena, &ctl, &err) == WEIR_OK &&
                    ctl.type == WEIR_CTL_ENCPROBE_RESULT &&
                    ctl.u.encprobe_result.encoder == encoders->trying;
    finish(encoders, is_known ? &ctl.u.encprobe_result : NULL, "what weir-encprobe says is none");
    return true;
}

static void on_channel(void *ctx, unsigned events)
{
    struct encoders *encoders = ctx;
    char bytes[ANSWER_BYTES];
    (void)events;
    ssize_t n = recv(encoders->process.channel_fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    bool is_good = n > 0 && weir_buf_add(&encoders->in, bytes, (size_t)n);
    if (!is_good) {
        finish(encoders, NULL, "weir-encprobe ended without an answer");
    } else if (!take_answer(encoders) && encoders->in.len >= ANSWER_BYTES) {
        finish(encoders, NULL, "weir-encprobe says too much");
    }
}

static void on_deadline(void *ctx)
{
    finish(ctx, NULL, "it hangs");
}

static void try_one(struct encoders *encoders, enum weir_encoder id)
{
    const char *const argv[] = {"weir-encprobe", weir_encoder_name(id), NULL};
    const char *const env[] = {NULL};
    const struct weir_process_spec spec = {.path = encoders->config.program,
                                           .argv = argv,
                                           .env = env,
                                           .cwd = "/",
                                           .has_channel = true,
                                           .nice = NICE};
    struct weir_err err = {0};
    encoders->trying = id;
    encoders->of[id].state = STATE_TRYING;
    if (weir_process_start(&spec, &encoders->process, &err) != WEIR_OK) {
        finish(encoders, NULL, err.msg);
        return;
    }
    encoders->is_trying = true;
    weir_loop_watch(encoders->config.loop, encoders->process.channel_fd, WEIR_LOOP_IN, on_channel,
                    encoders);
    weir_timer_set(encoders->deadline, encoders->config.timeout_ms);
}

static void on_next(void *ctx)
{
    struct encoders *encoders = ctx;
    int64_t now_ms = weir_clock_mono_ms();
    for (int i = 0; i < WEIR_ENCODER_N && !encoders->is_trying; i++) {
        const struct encoder *encoder = &encoders->of[i];
        bool is_due = encoder->state == STATE_UNTRIED ||
                      (encoder->state == STATE_SUSPECT && encoder->suspect_until_ms <= now_ms);
        if (is_due) {
            try_one(encoders, (enum weir_encoder)i);
            return;
        }
    }
    set_next(encoders);
}

/* ---- for the worker ---- */

static void open_metrics(struct encoders *encoders)
{
    struct weir_metrics *metrics = encoders->config.metrics;
    for (int i = 0; metrics != NULL && i < WEIR_ENCODER_N; i++) {
        struct encoder *encoder = &encoders->of[i];
        const char *name = weir_encoder_name((enum weir_encoder)i);
        if (encoder->state == STATE_UNUSED) {
            continue;
        }
        encoder->ready =
            weir_metrics_gauge(metrics, "weir_worker_encoder_ready",
                               "1: it encodes in hardware; 0: absent or suspect", "encoder", name);
        encoder->kpx_used_gauge = weir_metrics_gauge(
            metrics, "weir_worker_encoder_kpx_per_s",
            "Thousands of pixels a second that renditions have of it", "encoder", name);
        encoder->failures = weir_metrics_counter(
            metrics, "weir_worker_encoder_failures_total",
            "Renditions that it failed and software went on with", "encoder", name);
    }
}

enum weir_code encoders_new(const struct encoders_config *config, struct encoders **ret,
                            struct weir_err *err)
{
    struct encoders *encoders = weir_xalloc(sizeof(*encoders));
    encoders->config = *config;
    enum weir_code code = parse_names(encoders, err);
    if (code != WEIR_OK) {
        free(encoders);
        return code;
    }
    encoders->in.max = 2 * ANSWER_BYTES;
    encoders->dying = weir_dying_new(config->loop);
    encoders->next = weir_timer_new(config->loop, on_next, encoders);
    encoders->deadline = weir_timer_new(config->loop, on_deadline, encoders);
    open_metrics(encoders);
    set_next(encoders);
    *ret = encoders;
    return WEIR_OK;
}

void encoders_free(struct encoders **ptr)
{
    struct encoders *encoders = *ptr;
    if (encoders == NULL) {
        return;
    }
    *ptr = NULL;
    if (encoders->is_trying) {
        close_process(encoders);
    }
    weir_timer_free(&encoders->next);
    weir_timer_free(&encoders->deadline);
    weir_dying_free(&encoders->dying, DYING_MS);
    weir_buf_done(&encoders->in);
    free(encoders);
}

void encoders_failed(struct encoders *encoders, enum weir_encoder id, const char *why)
{
    struct encoder *encoder = &encoders->of[id];
    if (encoder->failures != NULL) {
        weir_metric_add(encoder->failures, 1);
    }
    if (encoder->state != STATE_READY) {
        return;
    }
    encoder->state = STATE_SUSPECT;
    encoder->was_ready = true;
    encoder->suspect_until_ms = weir_clock_mono_ms() + encoders->config.suspect_ms;
    weir_log(WEIR_LOG_WARN, "an encoder failed, it is suspect for 10 minutes", "encoder",
             weir_encoder_name(id), "why", why, NULL);
    tell_change(encoders);
    set_next(encoders);
}

void encoders_used(struct encoders *encoders, const struct weir_ctl_tap_encoding *told)
{
    for (int i = 0; i < WEIR_ENCODER_N; i++) {
        encoders->of[i].kpx_used = encoders->of[i].sessions_used = 0;
    }
    for (size_t i = 0; i < told->n_encoders; i++) {
        struct encoder *encoder = &encoders->of[told->encoders[i].encoder];
        encoder->kpx_used = told->encoders[i].kpx_per_s;
        encoder->sessions_used = told->encoders[i].sessions;
    }
    for (int i = 0; i < WEIR_ENCODER_N; i++) {
        if (encoders->of[i].kpx_used_gauge != NULL) {
            weir_metric_set(encoders->of[i].kpx_used_gauge, encoders->of[i].kpx_used);
        }
    }
}

size_t encoders_offer(const struct encoders *encoders,
                      struct weir_ctl_tap_encoders_encoders ret[static WEIR_ENCODER_N])
{
    size_t n = 0;
    for (int i = 0; i < WEIR_ENCODER_N; i++) {
        const struct encoder *encoder = &encoders->of[i];
        if (encoder->state == STATE_READY) {
            ret[n++] = (struct weir_ctl_tap_encoders_encoders){
                .encoder = (enum weir_encoder)i,
                .kpx_per_s = encoder->kpx,
                .sessions = encoder->found.sessions,
            };
        }
    }
    return n;
}

size_t encoders_fill(const struct encoders *encoders, int64_t now_ms,
                     struct weir_ev_heartbeat_encoding_encoders ret[static WEIR_ENCODER_N])
{
    size_t n = 0;
    for (int i = 0; encoders != NULL && i < WEIR_ENCODER_N; i++) {
        const struct encoder *encoder = &encoders->of[i];
        bool is_ready = encoder->state == STATE_READY;
        /* One that is tried again is as it was. */
        bool is_suspect = encoder->state == STATE_SUSPECT ||
                          (encoder->state == STATE_TRYING && encoder->was_ready);
        if (!is_ready && !is_suspect) {
            continue;
        }
        int64_t left_ms = encoder->suspect_until_ms - now_ms;
        ret[n] = (struct weir_ev_heartbeat_encoding_encoders){
            .encoder = (enum weir_encoder)i,
            .codec = "avc1",
            .state = is_ready ? WEIR_ENCODER_STATE_READY : WEIR_ENCODER_STATE_SUSPECT,
            .fps_720p = encoder->found.fps_720p,
            .fps_1080p = encoder->found.fps_1080p,
            .kpx_per_s = is_ready ? encoder->kpx : 0,
            .sessions = is_ready ? encoder->found.sessions : 0,
            .kpx_per_s_used = encoder->kpx_used,
            .sessions_used = encoder->sessions_used,
            .has_suspect_ms = is_suspect,
            .suspect_ms = is_suspect && left_ms > 0 ? left_ms : 0,
        };
        n++;
    }
    return n;
}

bool encoders_are_known(const struct encoders *encoders)
{
    for (int i = 0; i < WEIR_ENCODER_N; i++) {
        enum state state = encoders->of[i].state;
        if (state == STATE_UNTRIED || (state == STATE_TRYING && !encoders->of[i].was_ready)) {
            return false;
        }
    }
    return true;
}
