/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/camera.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "worker/tap/address.h"
#include "worker/tap/jpeg.h"
#include "worker/tap/nal.h"
#include "worker/tap/report.h"
#include "worker/tap/retry.h"
#include "worker/tap/source.h"

#define OVER_PAUSE_MS 10000
#define HUSH_MS       1000 /* behind the end of the slowest attempt */
#define LOST_MS       3000 /* a source that was read may be away so long */

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
    struct tap_format format;
    int width;
    int height;
    struct tap_ring ring;
    struct tap_spool *spool;
    int64_t over_mono_ms; /* when it last started over */
    struct tap_timeline line;
    struct tap_clock clock;
    struct tap_camera_role role;
    struct weir_ctl_tap_stats_cameras stats; /* counters only */
    int64_t frames;                          /* of video */
    struct tap_cost cost;
    struct tap_health health;
    struct tap_remedy remedy;
    bool is_udp;          /* the newest attempt */
    uint64_t gaps_before; /* of readers that ended */
    int64_t last_unit_mono_ms;
    int64_t last_key_capture_us;
};

static void on_timer(void *ctx);

static void leave_gate(struct tap_camera *camera)
{
    if (camera->is_inside)
        tap_gate_leave(camera->shared.gate);
    camera->is_inside = false;
}

static void measure_picture(struct tap_camera *camera)
{
    if (!tap_nal_picture_size(camera->format.video, &camera->format.params.sps, &camera->width,
                              &camera->height)) {
        camera->width = 0;
        camera->height = 0;
    }
}

static bool is_main(const struct tap_camera *camera)
{
    return camera->role.name == NULL;
}

static const char *name_of(const struct tap_camera *camera)
{
    return is_main(camera) ? "main" : camera->role.name;
}

static void report_up(const struct tap_camera *camera)
{
    if (is_main(camera))
        tap_report_up(camera->shared.control, &camera->spec.camera_id, &camera->format,
                      camera->width, camera->height);
}

static void report_failing(const struct tap_camera *camera, const struct tap_failure *failure,
                           int64_t delay_ms)
{
    if (is_main(camera))
        tap_report_failing(camera->shared.control, &camera->spec.camera_id, failure, delay_ms);
}

static bool is_same_kind(const struct tap_format *a, const struct tap_format *b)
{
    return a->video == b->video && a->audio == b->audio && a->audio_rate == b->audio_rate &&
           a->audio_channels == b->audio_channels && a->audio_config_len == b->audio_config_len &&
           memcmp(a->audio_config, b->audio_config, a->audio_config_len) == 0;
}

/* Old units are of another kind: nobody may get both in one session. */
static void start_over(struct tap_camera *camera)
{
    camera->over_mono_ms = weir_clock_mono_ms();
    tap_spool_clear(camera->spool);
    int64_t max_ms = camera->ring.max_ms;
    size_t max_bytes = camera->ring.max_bytes;
    tap_ring_done(&camera->ring);
    tap_ring_init(&camera->ring, max_ms, max_bytes);
    tap_timeline_init(&camera->line);
    tap_clock_restart(&camera->clock); /* what it knows lies on the old line */
    camera->role.restart(camera->role.ctx);
}

static bool is_same_param(const struct tap_param *a, const struct tap_param *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/*
 * A picture of another kind needs a new init segment, which players get with a new session of the
 * engine. Not for an encoder that changes its mind all the time: its pictures carry their sets.
 */
static void follow_picture(struct tap_camera *camera, const struct tap_params *before)
{
    const struct tap_params *now = &camera->format.params;
    bool is_same = is_same_param(&before->sps, &now->sps) && is_same_param(&before->vps, &now->vps);
    bool is_late = weir_clock_mono_ms() - camera->over_mono_ms >= OVER_PAUSE_MS;
    if (!is_same && !tap_ring_is_empty(&camera->ring) && is_late)
        start_over(camera);
}

static void on_opened(void *ctx, const struct tap_format *format)
{
    struct tap_camera *camera = ctx;
    leave_gate(camera);
    struct tap_params before = camera->format.params;
    bool is_other =
        camera->format.video != TAP_CODEC_NONE && !is_same_kind(&camera->format, format);
    camera->format = *format;
    if (is_other)
        start_over(camera);
    else
        follow_picture(camera, &before);
    camera->is_up = true;
    camera->is_failing = false;
    camera->failures = 0;
    tap_health_up(&camera->health, weir_clock_mono_ms());
    measure_picture(camera);
    report_up(camera);
    weir_log(WEIR_LOG_INFO, "camera: up", "camera_id", WEIR_ID_TEXT(&camera->spec.camera_id),
             "source", name_of(camera), NULL);
}

/* Newer parameter sets inside the stream: the engine reads them there, others from `format`. */
static void follow_params(struct tap_camera *camera, const struct tap_unit *unit)
{
    const uint8_t *nal;
    size_t len;
    bool has_changed = false;
    struct tap_params before = camera->format.params;
    bool is_image = camera->format.video == TAP_CODEC_MJPEG;
    if (is_image)
        has_changed = tap_jpeg_take_header(&camera->format.params.sps, unit->bytes, unit->len);
    for (size_t at = 0; !is_image && tap_nal_next_in_unit(unit->bytes, unit->len, &at, &nal, &len);)
        has_changed |= tap_params_take(&camera->format.params, camera->format.video, nal, len);
    if (!has_changed)
        return;
    if (camera->stats.keyframes > 0)
        tap_health_params(&camera->health, weir_clock_mono_ms());
    follow_picture(camera, &before);
    int width = camera->width;
    int height = camera->height;
    measure_picture(camera);
    if (width != camera->width || height != camera->height)
        report_up(camera);
}

static void count_unit(struct tap_camera *camera, const struct tap_unit *unit)
{
    camera->stats.packets++;
    camera->stats.bytes += (int64_t)unit->len;
    camera->frames += unit->track == TAP_VIDEO;
    camera->last_unit_mono_ms = weir_clock_mono_ms();
    if (!unit->is_key)
        return;
    camera->stats.keyframes++;
    int64_t gop_us = unit->capture_us - camera->last_key_capture_us;
    camera->stats.has_gop_ms = camera->stats.keyframes > 1 && gop_us > 0;
    camera->stats.gop_ms = gop_us / 1000;
    camera->last_key_capture_us = unit->capture_us;
}

/* Frames before and behind it are not to be compared by their times. */
static void log_clock_set(const struct tap_camera *camera)
{
    static struct weir_log_limit limit;
    char jumps[24];
    if (!weir_log_allowed(&limit, 10, 60000, weir_clock_mono_ms()))
        return;
    snprintf(jumps, sizeof(jumps), "%" PRIu64, camera->clock.jumps);
    weir_log(WEIR_LOG_WARN, "camera: its clock was set", "camera_id",
             WEIR_ID_TEXT(&camera->spec.camera_id), "source", name_of(camera), "times", jumps,
             NULL);
}

static void on_unit(void *ctx, struct tap_unit *unit)
{
    struct tap_camera *camera = ctx;
    int64_t rate = tap_format_rate(&camera->format, unit->track);
    if (unit->is_key)
        follow_params(camera, unit);
    if (unit->track == TAP_VIDEO)
        tap_health_frame(&camera->health, unit->pts, unit->is_key, weir_clock_mono_ms());
    uint64_t jumps = camera->line.jumps;
    if (!tap_timeline_map(&camera->line, unit, rate)) {
        free(unit);
        return;
    }
    if (camera->line.jumps != jumps)
        tap_clock_restart(&camera->clock);
    uint64_t sets = camera->clock.jumps;
    tap_clock_map(&camera->clock, unit, tap_ticks_to_us(unit->ts, rate));
    if (camera->clock.jumps != sets)
        log_clock_set(camera);
    count_unit(camera, unit);
    tap_spool_add(camera->spool, &camera->format, unit);
    if (tap_ring_push(&camera->ring, unit))
        camera->role.wake(camera->role.ctx);
}

static void after_end(struct tap_camera *camera)
{
    leave_gate(camera);
    camera->up_mono_ms = camera->is_up ? weir_clock_mono_ms() : camera->up_mono_ms;
    camera->is_up = false;
    camera->remedy.is_withheld = false;
    tap_health_down(&camera->health, weir_clock_mono_ms());
    tap_timeline_restart(&camera->line);
    tap_clock_restart(&camera->clock);
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
    camera->stats.reconnects++;
    bool is_ours = camera->is_up && tap_remedy_is_for(failure->reason);
    if (!camera->is_up && !camera->is_udp)
        tap_remedy_failed(&camera->remedy, weir_clock_mono_ms());
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

static const struct tap_reader_calls reader_calls = {on_opened, on_unit, on_ended};

static int64_t not_before_ms(const struct tap_camera *camera)
{
    int64_t now_ms = weir_clock_mono_ms();
    return now_ms + weir_budget_wait_ms(&camera->remedy.budget, now_ms);
}

static void start_reader(struct tap_camera *camera)
{
    const struct weir_ctl_tap_camera *from = &camera->spec;
    camera->is_udp = from->transport == WEIR_CTL_TAP_CAMERA_TRANSPORT_UDP &&
                     !tap_remedy_is_tcp(&camera->remedy, weir_clock_mono_ms());
    struct tap_reader_spec spec = {.has_credentials = from->has_username || from->has_password,
                                   .is_udp = camera->is_udp,
                                   .reach = camera->reach,
                                   .tenant_id = from->tenant_id,
                                   .trials = camera->shared.trials,
                                   .open_ms = camera->shared.open_ms,
                                   .keyframe_ms = camera->shared.keyframe_ms,
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
    camera->clock.delay_us = spec->has_encoder_delay_ms ? spec->encoder_delay_ms * 1000 : 0;
    camera->ring.max_ms = spec->ring_ms;
    camera->ring.max_bytes = (size_t)spec->ring_bytes;
}

/* What the process before this one read of the camera. */
static void take_spool(struct tap_camera *camera)
{
    const char *dir = is_main(camera) ? camera->shared.spool_dir : "";
    camera->spool = tap_spool_open(dir, &camera->spec.camera_id);
    if (!tap_spool_load(camera->spool, weir_clock_wall_us(), &camera->format, &camera->ring))
        return;
    int64_t audio_ts = TAP_NO_TIME;
    for (uint64_t i = camera->ring.first; i < camera->ring.end; i++) {
        const struct tap_unit *unit = tap_ring_find(&camera->ring, i);
        audio_ts = unit->track == TAP_AUDIO ? unit->ts : audio_ts;
    }
    tap_timeline_resume(&camera->line, camera->ring.newest_ts, audio_ts);
    measure_picture(camera);
}

struct tap_camera *tap_camera_new(const struct tap_shared *shared,
                                  const struct weir_ctl_tap_camera *spec, bool is_fenced,
                                  const struct tap_camera_role *role)
{
    struct tap_camera *camera = weir_xalloc(sizeof(*camera));
    camera->shared = *shared;
    camera->role = *role;
    camera->is_fenced = is_fenced;
    tap_ring_init(&camera->ring, spec->ring_ms, (size_t)spec->ring_bytes);
    tap_timeline_init(&camera->line);
    take_spec(camera, spec);
    take_spool(camera);
    camera->timer = weir_timer_new(shared->loop, on_timer, camera);
    weir_timer_set(camera->timer, 0);
    return camera;
}

const struct tap_ring *tap_camera_ring(const struct tap_camera *camera)
{
    return &camera->ring;
}

const struct tap_format *tap_camera_format(const struct tap_camera *camera)
{
    return &camera->format;
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
    tap_ring_done(&camera->ring);
    tap_spool_close(&camera->spool, true);
    explicit_bzero(&camera->spec, sizeof(camera->spec));
    free(camera);
}

static bool is_same_source(const struct weir_ctl_tap_camera *a, const struct weir_ctl_tap_camera *b)
{
    return strcmp(a->url, b->url) == 0 && a->has_username == b->has_username &&
           (!a->has_username || strcmp(a->username, b->username) == 0) &&
           a->has_password == b->has_password &&
           (!a->has_password || strcmp(a->password, b->password) == 0) &&
           a->has_tls_pin_sha256 == b->has_tls_pin_sha256 &&
           (!a->has_tls_pin_sha256 || strcmp(a->tls_pin_sha256, b->tls_pin_sha256) == 0) &&
           a->transport == b->transport && a->allow_local == b->allow_local &&
           strcmp(a->networks, b->networks) == 0 && weir_id_equal(&a->tenant_id, &b->tenant_id);
}

void tap_camera_change(struct tap_camera *camera, const struct weir_ctl_tap_camera *spec)
{
    bool is_same = is_same_source(&camera->spec, spec);
    if (!is_same)
        camera->remedy = (struct tap_remedy){0};
    take_spec(camera, spec);
    if (is_same && !is_held(camera) &&
        (camera->reader != NULL || camera->is_holding || camera->failures > 0))
        return;
    stop_reader(camera);
    camera->failures = 0;
    weir_timer_set(camera->timer, 0);
}

bool tap_camera_clips(const struct tap_camera *camera, const struct weir_id *tenant_id,
                      struct tap_clips_camera *ret)
{
    if (!weir_id_equal(&camera->spec.tenant_id, tenant_id))
        return false;
    ret->ring = &camera->ring;
    ret->codec = camera->format.video;
    ret->has_clock_offset = tap_clock_offset(&camera->clock, &ret->clock_offset_us);
    return true;
}

void tap_camera_shrink(struct tap_camera *camera)
{
    tap_ring_shrink(&camera->ring);
}

/* By TCP from now on. */
static void change_transport(struct tap_camera *camera)
{
    weir_log(WEIR_LOG_WARN, "camera: loses packets, is read by TCP now", "camera_id",
             WEIR_ID_TEXT(&camera->spec.camera_id), "source", name_of(camera), NULL);
    WEIR_IGNORE(take_remedy(camera, WEIR_REMEDY_TCP, weir_fault_name(WEIR_FAULT_LOSS)) > 0,
                "it was judged within the budget");
    stop_reader(camera);
    camera->stats.reconnects++;
    weir_timer_set(camera->timer, 0);
}

/* It is not well, and another connection is not due: whoever waits for it is told, as long as that
 * is so. */
static void judge_patience(struct tap_camera *camera, int64_t now_ms)
{
    bool is_silent = now_ms - camera->health.frame_ms >= TAP_SOURCE_STALL_MS;
    bool has_no_key = tap_health_has(&camera->health, WEIR_FAULT_NO_KEYFRAME) &&
                      now_ms - camera->health.key_ms >= camera->shared.keyframe_ms;
    if (!camera->is_up || !tap_remedy_withhold(&camera->remedy, is_silent || has_no_key, now_ms))
        return;
    struct tap_failure failure = {.reason = is_silent ? WEIR_REASON_source_silent
                                                      : WEIR_REASON_no_keyframe};
    WEIR_STR_SET(failure.detail, "connecting anew did not help, so it is let alone for a while");
    if (camera->remedy.is_withheld)
        report_failing(camera, &failure, weir_budget_wait_ms(&camera->remedy.budget, now_ms));
    else
        report_up(camera);
}

bool tap_camera_judge(struct tap_camera *camera)
{
    const struct tap_reader *reader = camera->reader;
    int64_t now_ms = weir_clock_mono_ms();
    if (reader == NULL)
        return false;
    bool is_news = tap_health_tick(&camera->health, (int64_t)tap_reader_packets(reader),
                                   (int64_t)tap_reader_lost(reader), now_ms);
    judge_patience(camera, now_ms);
    bool is_lossy = tap_health_has(&camera->health, WEIR_FAULT_LOSS);
    if (!tap_remedy_judge(&camera->remedy, camera->is_udp && camera->is_up, is_lossy, now_ms))
        return is_news;
    change_transport(camera);
    return true;
}

void tap_camera_look(struct tap_camera *camera, struct tap_cost_all *all)
{
    int64_t reader_us = camera->reader != NULL ? tap_reader_cpu_us(camera->reader) : 0;
    tap_cost_look(&camera->cost, all, reader_us, camera->stats.bytes, camera->frames,
                  (int64_t)camera->ring.bytes);
}

void tap_camera_share(struct tap_camera *camera, const struct tap_cost_all *all, int64_t now_us)
{
    tap_cost_share(&camera->cost, all,
                   (int64_t)(camera->ring.bytes + tap_spool_bytes(camera->spool)), now_us);
}

void tap_camera_stats(const struct tap_camera *camera, struct weir_ctl_tap_stats_cameras *ret)
{
    *ret = camera->stats;
    ret->has_source = !is_main(camera);
    WEIR_STR_SET(ret->source, name_of(camera));
    ret->camera_id = camera->spec.camera_id;
    uint64_t gaps = camera->reader != NULL ? tap_reader_gaps(camera->reader) : 0;
    ret->gaps = (int64_t)(camera->gaps_before + gaps);
    ret->ring_ms = tap_ring_ms(&camera->ring);
    ret->ring_bytes = (int64_t)camera->ring.bytes;
    ret->last_packet_age_ms =
        camera->last_unit_mono_ms == 0 ? 0 : weir_clock_mono_ms() - camera->last_unit_mono_ms;
    ret->has_health = ret->has_faults = ret->has_health_ms = ret->has_faults_seen = true;
    ret->health = camera->health.state;
    ret->faults = camera->health.faults;
    ret->has_transport = camera->is_up;
    ret->transport = camera->is_udp ? WEIR_CTL_TAP_STATS_CAMERAS_TRANSPORT_UDP
                                    : WEIR_CTL_TAP_STATS_CAMERAS_TRANSPORT_TCP;
    ret->health_ms = weir_clock_mono_ms() - camera->health.since_ms;
    for (int i = 0; i < WEIR_FAULT_N; i++)
        ret->faults_seen += camera->health.counts[i];
    struct tap_rates rates;
    ret->has_bitrate_bps = ret->has_fps_milli = ret->has_cpu_ppm = ret->has_mem_bytes =
        tap_meter_rates(&camera->cost.meter, &rates);
    if (ret->has_bitrate_bps) {
        ret->bitrate_bps = rates.bitrate_bps;
        ret->fps_milli = rates.fps_milli;
        ret->cpu_ppm = rates.cpu_ppm;
        ret->mem_bytes = camera->cost.mem_bytes;
    }
    ret->has_clock_offset_us = tap_clock_offset(&camera->clock, &ret->clock_offset_us);
    ret->clock_jumps = (int64_t)camera->clock.jumps;
    ret->has_clock_before_us = camera->clock.jumps > 0;
    ret->clock_before_us = camera->clock.before_us;
    ret->has_clock_is_near = true;
    ret->clock_is_near = tap_clock_is_near(&camera->clock);
    ret->clock = ret->has_clock_offset_us ? WEIR_CTL_TAP_STATS_CAMERAS_CLOCK_RTCP_SR
                                          : WEIR_CTL_TAP_STATS_CAMERAS_CLOCK_ARRIVAL;
}
