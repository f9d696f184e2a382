/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/camera.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/domain/other_source.h"
#include "worker/tap/address.h"
#include "worker/tap/engines.h"
#include "worker/tap/nal.h"
#include "worker/tap/report.h"
#include "worker/tap/retry.h"
#include "worker/tap/source.h"

#define HUSH_MS 1000 /* behind the end of the slowest attempt */
#define LOST_MS 3000 /* a source that was read may be away so long */
#define REST_MS 200

struct tap_camera {
    struct tap_shared shared;
    struct weir_ctl_tap_camera spec;
    char host[256]; /* for the gate */
    struct weir_reach reach;
    struct tap_reader *reader;
    bool is_inside; /* the gate */
    bool is_up;
    bool is_failing;    /* the newest attempt that ended */
    int64_t up_mono_ms; /* it was up until then; 0: never */
    bool is_fenced;
    struct weir_timer *timer; /* of the next attempt, or of telling `held` */
    int64_t began_mono_ms;    /* the newest attempt */
    bool is_holding;
    struct tap_failure held; /* told when others would have been */
    unsigned attempts;
    unsigned failures; /* in a row */
    struct tap_intake in;
    struct tap_camera_role role;
    bool is_followed;
    bool rests; /* see rest() */
    struct tap_cost cost;
    struct tap_remedy remedy;
    enum weir_transport transport; /* of the newest attempt */
    uint64_t gaps_before;          /* of readers that ended */
};

static void on_timer(void *ctx);

static void leave_gate(struct tap_camera *camera)
{
    if (camera->is_inside)
        tap_gate_leave(camera->shared.gate);
    camera->is_inside = false;
}

static bool is_main(const struct tap_camera *camera)
{
    return camera->role.name == NULL;
}

/* Packets that are lost on their way are lost for good. */
static bool is_datagrams(enum weir_transport transport)
{
    return transport == WEIR_TRANSPORT_UDP || transport == WEIR_TRANSPORT_MULTICAST;
}

static const char *name_of(const struct tap_camera *camera)
{
    return is_main(camera) ? "main" : camera->role.name;
}

static void report_up(const struct tap_camera *camera)
{
    if (is_main(camera))
        tap_report_up(camera->shared.control, &camera->spec.camera_id, &camera->in.format,
                      camera->in.width, camera->in.height);
}

static void report_failing(const struct tap_camera *camera, const struct tap_failure *failure,
                           int64_t delay_ms)
{
    if (is_main(camera))
        tap_report_failing(camera->shared.control, &camera->spec.camera_id, failure, delay_ms);
}

static void on_unit(void *ctx, struct tap_unit *unit)
{
    struct tap_camera *camera = ctx;
    tap_intake_take(&camera->in, unit);
}

static void on_wake(void *ctx)
{
    const struct tap_camera *camera = ctx;
    camera->role.wake(camera->role.ctx);
}

static void on_restart(void *ctx)
{
    const struct tap_camera *camera = ctx;
    camera->role.restart(camera->role.ctx);
}

static void on_hear(void *ctx)
{
    const struct tap_camera *camera = ctx;
    camera->role.hear(camera->role.ctx);
}

static void on_changed(void *ctx)
{
    report_up(ctx);
}

static const struct tap_intake_calls intake_calls = {on_wake, on_restart, on_hear, on_changed};

/* Who waits to know whether a player shows it need not wait for a keyframe. */
static void on_described(void *ctx, const struct tap_format *format)
{
    const struct tap_camera *camera = ctx;
    int width = 0;
    int height = 0;
    if (is_main(camera) &&
        tap_nal_picture_size(format->video, &format->params.sps, &width, &height))
        tap_report_described(camera->shared.control, &camera->spec.camera_id, format, width,
                             height);
}

static void on_opened(void *ctx, const struct tap_format *format)
{
    struct tap_camera *camera = ctx;
    leave_gate(camera);
    tap_intake_up(&camera->in, format);
    camera->is_up = true;
    camera->is_failing = false;
    camera->failures = 0;
    if (!is_datagrams(camera->transport))
        tap_remedy_proved(&camera->remedy);
    report_up(camera);
    weir_log(WEIR_LOG_INFO, "camera: up", "camera_id", WEIR_ID_TEXT(&camera->spec.camera_id),
             "source", name_of(camera), NULL);
}

/*
 * Whoever only waits for a first viewer is read in handfuls; each frame as it comes where its time
 * is taken from its arrival, and where packets would be lost meanwhile. A source besides main is
 * only read for those who follow it.
 */
static void rest(struct tap_camera *camera)
{
    bool rests = is_main(camera) && !camera->is_followed && camera->is_up;
    bool is_udp = is_datagrams(camera->transport);
    bool naps = !is_udp && tap_clock_is_near(&camera->in.clock);
    if (camera->reader == NULL)
        return;
    if (rests != camera->rests)
        tap_health_other_delay(&camera->in.health);
    camera->rests = rests;
    if (rests)
        tap_reader_rest(camera->reader, naps ? REST_MS : 0);
    else
        tap_reader_wake(camera->reader);
}

void tap_camera_follow(struct tap_camera *camera, bool is_followed)
{
    if (camera->is_followed == is_followed)
        return;
    camera->is_followed = is_followed;
    rest(camera);
    tap_intake_spool(&camera->in, is_followed);
}

static void after_end(struct tap_camera *camera)
{
    leave_gate(camera);
    camera->up_mono_ms = camera->is_up ? weir_clock_mono_ms() : camera->up_mono_ms;
    camera->is_up = false;
    camera->remedy.is_withheld = false;
    tap_intake_down(&camera->in);
}

static void tell_failure(struct tap_camera *camera, const struct tap_failure *failure)
{
    int64_t delay_ms = failure->is_permanent ? TAP_RETRY_PERMANENT_MS
                                             : tap_retry_delay_ms(++camera->failures, arc4random());
    delay_ms = failure->retry_ms > 0 ? failure->retry_ms : delay_ms;
    camera->is_failing = true;
    report_failing(camera, failure, delay_ms);
    weir_log(WEIR_LOG_WARN, "camera: failing", "camera_id", WEIR_ID_TEXT(&camera->spec.camera_id),
             "source", name_of(camera), "reason", weir_reason_name(failure->reason), "detail",
             failure->detail, "why", failure->why, NULL);
    weir_timer_set(camera->timer, delay_ms);
}

/* Returns how long to wait for it. */
static int64_t take_remedy(struct tap_camera *camera, enum weir_remedy remedy, const char *reason)
{
    int64_t now_ms = weir_clock_mono_ms();
    int64_t wait_ms = tap_remedy_take(&camera->remedy, now_ms);
    int64_t next_ms = weir_budget_wait_ms(&camera->remedy.budget, now_ms + wait_ms);
    if (is_main(camera))
        tap_report_remedy(camera->shared.control, &camera->spec.camera_id, remedy, reason, next_ms);
    return wait_ms;
}

static void on_ended(void *ctx, const struct tap_failure *failure)
{
    struct tap_camera *camera = ctx;
    camera->gaps_before += tap_reader_gaps(camera->reader);
    camera->reader = NULL;
    camera->in.stats.reconnects++;
    bool is_ours = camera->is_up && tap_remedy_is_for(failure->reason);
    if (!camera->is_up && !is_datagrams(camera->transport) &&
        tap_remedy_is_refusal(failure->reason, failure->has_answered))
        tap_remedy_refused(&camera->remedy, weir_clock_mono_ms());
    after_end(camera);
    if (is_ours) {
        struct tap_failure told = *failure;
        told.retry_ms =
            take_remedy(camera, WEIR_REMEDY_RECONNECT, weir_reason_name(failure->reason));
        tell_failure(camera, &told);
        return;
    }
    int64_t left_ms =
        camera->began_mono_ms + camera->shared.open_ms + HUSH_MS - weir_clock_mono_ms();
    camera->is_holding = failure->is_hushed && left_ms > 0;
    if (!camera->is_holding) {
        tell_failure(camera, failure);
        return;
    }
    camera->held = *failure;
    weir_timer_set(camera->timer, left_ms);
}

static const struct tap_reader_calls reader_calls = {on_described, on_opened, on_unit, on_ended};

static int64_t not_before_ms(const struct tap_camera *camera)
{
    int64_t now_ms = weir_clock_mono_ms();
    return now_ms + weir_budget_wait_ms(&camera->remedy.budget, now_ms);
}

static bool has_audio(const struct weir_ctl_tap_camera *spec)
{
    return spec->has_audio && spec->audio;
}

static void start_reader(struct tap_camera *camera)
{
    const struct weir_ctl_tap_camera *from = &camera->spec;
    /* What is encrypted comes in the connection that is; libavformat knows no other way. */
    bool is_by_tcp =
        is_datagrams(from->transport) &&
        (tap_url_is_tls(from->url) || tap_remedy_is_tcp(&camera->remedy, weir_clock_mono_ms()));
    camera->transport = is_by_tcp ? WEIR_TRANSPORT_TCP : from->transport;
    struct tap_reader_spec spec = {.has_credentials = from->has_username || from->has_password,
                                   .transport = camera->transport,
                                   .has_audio = has_audio(from),
                                   .reach = camera->reach,
                                   .tenant_id = from->tenant_id,
                                   .trials = camera->shared.trials,
                                   .open_ms = camera->shared.open_ms,
                                   .keyframe_ms = camera->shared.keyframe_ms,
                                   .group_ms = tap_health_group_ms(&camera->in.health),
                                   .not_before_ms = not_before_ms(camera),
                                   .turn = camera->attempts++};
    memcpy(spec.url, from->url, sizeof(spec.url));
    if (from->has_username)
        memcpy(spec.username, from->username, sizeof(spec.username));
    if (from->has_password)
        memcpy(spec.password, from->password, sizeof(spec.password));
    spec.has_tls_pin =
        from->has_tls_pin_sha256 && weir_tls_pin_read(from->tls_pin_sha256, &spec.tls_pin);
    camera->began_mono_ms = weir_clock_mono_ms();
    camera->reader = tap_reader_start(camera->shared.loop, &spec, &reader_calls, camera);
    explicit_bzero(&spec, sizeof(spec));
    if (camera->reader != NULL)
        return;
    leave_gate(camera);
    weir_timer_set(camera->timer, TAP_RETRY_MOST_MS);
}

static void stop_reader(struct tap_camera *camera)
{
    if (camera->reader != NULL)
        camera->gaps_before += tap_reader_gaps(camera->reader);
    tap_reader_cancel(&camera->reader);
    camera->is_holding = false;
    after_end(camera);
}

static bool is_held(const struct tap_camera *camera)
{
    return camera->is_fenced && camera->spec.has_exclusive && camera->spec.exclusive;
}

static void hold(struct tap_camera *camera)
{
    struct tap_failure failure = {.reason = WEIR_REASON_fenced};
    WEIR_STR_SET(failure.detail, "the worker is cut off from its cell");
    stop_reader(camera);
    weir_timer_clear(camera->timer);
    report_failing(camera, &failure, 0);
}

void tap_camera_fence(struct tap_camera *camera, bool is_fenced)
{
    bool was_held = is_held(camera);
    camera->is_fenced = is_fenced;
    if (!was_held && is_held(camera))
        hold(camera);
    else if (was_held && !is_held(camera))
        weir_timer_set(camera->timer, 0);
}

static void on_timer(void *ctx)
{
    struct tap_camera *camera = ctx;
    if (is_held(camera)) {
        hold(camera);
        return;
    }
    if (camera->is_holding) {
        camera->is_holding = false;
        tell_failure(camera, &camera->held);
        return;
    }
    int64_t wait_ms = tap_gate_enter(camera->shared.gate, camera->host, camera->failures > 0,
                                     weir_clock_mono_ms());
    if (wait_ms > 0) {
        weir_timer_set(camera->timer, wait_ms);
        return;
    }
    camera->is_inside = true;
    if (is_main(camera))
        tap_report_connecting(camera->shared.control, &camera->spec.camera_id);
    start_reader(camera);
}

static void take_spec(struct tap_camera *camera, const struct weir_ctl_tap_camera *spec)
{
    struct tap_url url;
    struct weir_err err = {0};
    camera->spec = *spec;
    camera->spec.others = NULL; /* they are kept elsewhere */
    camera->spec.n_others = 0;
    camera->reach = *camera->shared.reach;
    camera->reach.allow_local = spec->allow_local;
    if (weir_networks_parse(spec->networks, &camera->reach.tenant, &err) != WEIR_OK) {
        camera->reach.tenant = (struct weir_networks){0};
        weir_log(WEIR_LOG_ERROR, "camera: its networks cannot be read, so it has none", "camera_id",
                 WEIR_ID_TEXT(&spec->camera_id), "why", err.msg, NULL);
    }
    bool is_good = tap_url_parse(spec->url, &url, NULL) == WEIR_OK;
    WEIR_IGNORE(!WEIR_STR_SET(camera->host, is_good ? url.host : ""), "both have 256 bytes");
    camera->in.clock.delay_us = spec->has_encoder_delay_ms ? spec->encoder_delay_ms * 1000 : 0;
    camera->in.ring.max_ms = spec->ring_ms;
    camera->in.ring.max_bytes = (size_t)spec->ring_bytes;
}

struct tap_camera *tap_camera_new(const struct tap_shared *shared,
                                  const struct weir_ctl_tap_camera *spec, bool is_fenced,
                                  const struct tap_camera_role *role)
{
    struct tap_camera *camera = weir_xalloc(sizeof(*camera));
    camera->shared = *shared;
    camera->role = *role;
    camera->is_fenced = is_fenced;
    struct tap_intake_from from = {.loop = shared->loop,
                                   .dying = shared->dying,
                                   .xcode = shared->engines->all[WEIR_XCODE_ENGINE_LIBAV].program,
                                   .spool_dir = is_main(camera) ? shared->spool_dir : "",
                                   .camera_id = &camera->spec.camera_id,
                                   .name = name_of(camera),
                                   .can_hear = role->hear != NULL,
                                   .has_audio = has_audio(spec)};
    camera->spec.camera_id = spec->camera_id;
    tap_intake_init(&camera->in, &from, spec->ring_ms, (size_t)spec->ring_bytes, &intake_calls,
                    camera);
    take_spec(camera, spec);
    camera->timer = weir_timer_new(shared->loop, on_timer, camera);
    weir_timer_set(camera->timer, 0);
    return camera;
}

const struct tap_ring *tap_camera_ring(const struct tap_camera *camera)
{
    return &camera->in.ring;
}

const struct tap_format *tap_camera_format(const struct tap_camera *camera)
{
    return &camera->in.format;
}

bool tap_camera_is_up(const struct tap_camera *camera)
{
    return camera->is_up;
}

bool tap_camera_is_lost(const struct tap_camera *camera, int64_t now_ms)
{
    bool was_up = camera->up_mono_ms != 0;
    if (camera->is_up)
        return camera->remedy.is_withheld;
    return camera->is_failing && (!was_up || now_ms - camera->up_mono_ms >= LOST_MS);
}

void tap_camera_free(struct tap_camera **ptr)
{
    struct tap_camera *camera = *ptr;
    if (camera == NULL)
        return;
    *ptr = NULL;
    tap_reader_cancel(&camera->reader);
    leave_gate(camera);
    weir_timer_free(&camera->timer);
    tap_intake_done(&camera->in);
    explicit_bzero(&camera->spec, sizeof(camera->spec));
    free(camera);
}

static bool is_same_source(const struct weir_ctl_tap_camera *a, const struct weir_ctl_tap_camera *b)
{
    return strcmp(a->url, b->url) == 0 &&
           weir_is_same_text(a->has_username, a->username, b->has_username, b->username) &&
           weir_is_same_text(a->has_password, a->password, b->has_password, b->password) &&
           weir_is_same_text(a->has_tls_pin_sha256, a->tls_pin_sha256, b->has_tls_pin_sha256,
                             b->tls_pin_sha256) &&
           a->transport == b->transport && a->allow_local == b->allow_local &&
           has_audio(a) == has_audio(b) && strcmp(a->networks, b->networks) == 0 &&
           weir_id_equal(&a->tenant_id, &b->tenant_id);
}

/* At once, whatever the camera does: who plays goes on with the pictures alone. */
static void silence(struct tap_camera *camera)
{
    stop_reader(camera);
    tap_intake_silence(&camera->in);
    if (camera->role.hush != NULL)
        camera->role.hush(camera->role.ctx);
}

void tap_camera_change(struct tap_camera *camera, const struct weir_ctl_tap_camera *spec)
{
    bool is_same = is_same_source(&camera->spec, spec);
    bool is_muted = has_audio(&camera->spec) && !has_audio(spec);
    if (!is_same)
        camera->remedy = (struct tap_remedy){0};
    take_spec(camera, spec);
    if (is_muted)
        silence(camera);
    if (is_same && !is_held(camera) &&
        (camera->reader != NULL || camera->is_holding || camera->failures > 0))
        return;
    stop_reader(camera);
    if (!is_same)
        tap_health_forget(&camera->in.health);
    camera->failures = 0;
    weir_timer_set(camera->timer, 0);
}

bool tap_camera_clips(struct tap_camera *camera, const struct weir_id *tenant_id,
                      struct tap_clips_camera *ret)
{
    if (!weir_id_equal(&camera->spec.tenant_id, tenant_id))
        return false;
    if (camera->reader != NULL) {
        tap_reader_rouse(camera->reader);
        tap_reader_drain(camera->reader);
    }
    ret->ring = &camera->in.ring;
    ret->codec = camera->in.format.video;
    ret->has_clock_offset = tap_clock_offset(&camera->in.clock, &ret->clock_offset_us);
    ret->has_clock_scatter = tap_clock_scatter(&camera->in.clock, &ret->clock_scatter_us);
    ret->now_shift_us = tap_clock_now_shift(&camera->in.clock);
    return true;
}

void tap_camera_shrink(struct tap_camera *camera)
{
    tap_ring_shrink(&camera->in.ring);
}

/* By TCP from now on. */
static void change_transport(struct tap_camera *camera)
{
    weir_log(WEIR_LOG_WARN, "camera: loses packets, is read by TCP now", "camera_id",
             WEIR_ID_TEXT(&camera->spec.camera_id), "source", name_of(camera), NULL);
    WEIR_IGNORE(take_remedy(camera, WEIR_REMEDY_TCP, weir_fault_name(WEIR_FAULT_LOSS)) > 0,
                "it was judged within the budget");
    stop_reader(camera);
    camera->in.stats.reconnects++;
    weir_timer_set(camera->timer, 0);
}

/* It is not well, and another connection is not due: whoever waits for it is told, as long as that
 * is so. */
static void judge_patience(struct tap_camera *camera, int64_t now_ms)
{
    bool is_silent = now_ms - camera->in.health.frame_ms >= TAP_SOURCE_STALL_MS;
    bool has_no_key = tap_health_has(&camera->in.health, WEIR_FAULT_NO_KEYFRAME) &&
                      now_ms - camera->in.health.key_ms >= camera->shared.keyframe_ms;
    bool is_senseless = !tap_reader_makes_sense(camera->reader);
    bool is_unwell = is_senseless || is_silent || has_no_key;
    if (!camera->is_up || !tap_remedy_withhold(&camera->remedy, is_unwell, now_ms))
        return;
    struct tap_failure failure = {.reason = is_senseless ? WEIR_REASON_source_protocol_error
                                            : is_silent  ? WEIR_REASON_source_silent
                                                         : WEIR_REASON_no_keyframe};
    WEIR_STR_SET(failure.detail, "connecting anew did not help, so it is let alone for a while");
    if (camera->remedy.is_withheld)
        report_failing(camera, &failure, weir_budget_wait_ms(&camera->remedy.budget, now_ms));
    else
        report_up(camera);
}

bool tap_camera_judge(struct tap_camera *camera)
{
    if (camera->reader != NULL)
        tap_reader_drain(camera->reader);
    rest(camera);
    const struct tap_reader *reader = camera->reader;
    int64_t now_ms = weir_clock_mono_ms();
    if (reader == NULL)
        return false;
    bool is_news = tap_health_tick(&camera->in.health, (int64_t)tap_reader_packets(reader),
                                   (int64_t)tap_reader_lost(reader), now_ms);
    tap_reader_expect(camera->reader, tap_health_group_ms(&camera->in.health));
    judge_patience(camera, now_ms);
    bool is_lossy = tap_health_has(&camera->in.health, WEIR_FAULT_LOSS);
    bool is_udp = camera->is_up && is_datagrams(camera->transport);
    if (!tap_remedy_judge(&camera->remedy, is_udp, is_lossy, now_ms))
        return is_news;
    change_transport(camera);
    return true;
}

void tap_camera_look(struct tap_camera *camera, struct tap_cost_all *all)
{
    int64_t reader_us = camera->reader != NULL ? tap_reader_cpu_us(camera->reader) : 0;
    tap_cost_look(&camera->cost, all, reader_us, camera->in.stats.bytes, camera->in.frames,
                  (int64_t)camera->in.ring.bytes);
}

void tap_camera_share(struct tap_camera *camera, const struct tap_cost_all *all, int64_t now_us)
{
    tap_cost_share(&camera->cost, all,
                   (int64_t)(camera->in.ring.bytes + tap_spool_bytes(camera->in.spool)), now_us);
}

void tap_camera_stats(const struct tap_camera *camera, struct weir_ctl_tap_stats_cameras *ret)
{
    uint64_t gaps = camera->reader != NULL ? tap_reader_gaps(camera->reader) : 0;
    tap_intake_stats(&camera->in, ret);
    ret->has_source = !is_main(camera);
    ret->gaps = (int64_t)(camera->gaps_before + gaps);
    ret->has_transport = camera->is_up;
    ret->transport = camera->transport;
    struct tap_rates rates;
    ret->has_bitrate_bps = ret->has_fps_milli = ret->has_cpu_ppm = ret->has_mem_bytes =
        tap_meter_rates(&camera->cost.meter, &rates);
    if (ret->has_bitrate_bps) {
        ret->bitrate_bps = rates.bitrate_bps;
        ret->fps_milli = rates.fps_milli;
        ret->cpu_ppm = rates.cpu_ppm;
        ret->mem_bytes = camera->cost.mem_bytes;
    }
}
