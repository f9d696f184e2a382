/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/tap.h"

#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/service/memory.h"
#include "worker/tap/encoders.h"
#include "worker/tap/report.h"
#include "worker/tap/sources.h"

#define STATS_MS      1000
#define USED_TICKS    5
#define LEAVE_MS      400 /* for readers to say TEARDOWN */
#define LEAVE_POLL_MS 10
#define DYING_MS      2000 /* for transcoders to end, at the end */
#define SWEEP_MS      30000
#define CLIPS_SHARE   8  /* of the rings' memory, as a part, that copies for pictures may take */
#define TRIM_TICKS    30 /* statistics between two looks at free memory */

struct tap {
    const struct tap_settings *settings;
    struct tap_shared shared;
    struct weir_reach reach;
    struct weir_map *cameras; /* struct tap_sources by camera_id */
    struct tap_clips *clips;  /* NULL: nobody asks for any */
    struct weir_timer *timer;
    struct weir_timer *fence;
    struct weir_timer *sweep;
    struct weir_timer *health;
    int64_t fence_boot_ms; /* exclusive cameras are read until then */
    struct weir_memory memory;
    struct tap_cost_all cost;
    struct tap_encoders encoders;
    unsigned n_ticks;
    int64_t leave_mono_ms; /* when the loop ends at the latest; 0: not leaving */
};

/* By the clock that counts while the machine sleeps. */
static bool is_fenced(const struct tap *tap)
{
    return weir_clock_boot_ms() >= tap->fence_boot_ms;
}

static void check_fence(void *ctx)
{
    struct tap *tap = ctx;
    void *camera;
    for (size_t at = 0; weir_map_next(tap->cameras, &at, NULL, &camera);)
        tap_sources_fence(camera, is_fenced(tap));
}

static void on_fence(struct tap *tap, const struct weir_ctl_tap_fence *spec)
{
    tap->fence_boot_ms = weir_clock_boot_ms() + spec->in_ms;
    weir_timer_set(tap->fence, spec->in_ms);
    check_fence(tap);
}

static void on_pace(struct tap *tap, const struct weir_ctl_tap_pace *spec)
{
    void *camera;
    tap->shared.fps_ppm = spec->fps_ppm;
    for (size_t at = 0; weir_map_next(tap->cameras, &at, NULL, &camera);)
        tap_sources_pace(camera, spec->fps_ppm);
}

static void refuse_camera(struct tap *tap, const struct weir_id *camera_id)
{
    struct tap_failure failure = {.reason = WEIR_REASON_worker_full};
    WEIR_STR_SET(failure.detail, "as many cameras as one process reads");
    tap_report_failing(tap->shared.control, camera_id, &failure, 0);
}

static void on_camera(struct tap *tap, const struct weir_ctl_tap_camera *spec)
{
    struct tap_sources *camera = weir_map_find(tap->cameras, spec->camera_id.b);
    if (camera != NULL)
        tap_sources_change(camera, spec);
    else if (weir_map_count(tap->cameras) >= (size_t)tap->settings->cameras_max)
        refuse_camera(tap, &spec->camera_id);
    else
        weir_map_put(tap->cameras, spec->camera_id.b,
                     tap_sources_new(&tap->shared, spec, is_fenced(tap)));
}

static void on_drop(struct tap *tap, const struct weir_id *camera_id)
{
    struct tap_sources *camera = weir_map_remove(tap->cameras, camera_id->b);
    tap_sources_free(&camera);
}

static void on_publish(struct tap *tap, const struct weir_ctl_tap_publish *spec)
{
    struct tap_sources *camera = weir_map_find(tap->cameras, spec->camera_id.b);
    if (camera != NULL)
        tap_sources_publish(camera, spec);
    else
        tap_report_stream(tap->shared.control, spec, TAP_PUBLISHER_FAILED,
                          WEIR_REASON_source_unknown, "the camera is not being read", NULL);
}

static void on_unpublish(struct tap *tap, const struct weir_ctl_tap_unpublish *spec)
{
    void *camera;
    for (size_t at = 0; weir_map_next(tap->cameras, &at, NULL, &camera);)
        tap_sources_unpublish(camera, &spec->stream_id, spec->generation);
}

static void on_line(void *ctx, const struct weir_ctl *ctl)
{
    struct tap *tap = ctx;
    if (ctl->type == WEIR_CTL_TAP_CAMERA)
        on_camera(tap, &ctl->u.tap_camera);
    else if (ctl->type == WEIR_CTL_TAP_DROP)
        on_drop(tap, &ctl->u.tap_drop.camera_id);
    else if (ctl->type == WEIR_CTL_TAP_FENCE)
        on_fence(tap, &ctl->u.tap_fence);
    else if (ctl->type == WEIR_CTL_TAP_PACE)
        on_pace(tap, &ctl->u.tap_pace);
    else if (ctl->type == WEIR_CTL_TAP_ENCODERS)
        tap_encoders_set(&tap->encoders, &ctl->u.tap_encoders);
    else if (ctl->type == WEIR_CTL_TAP_PUBLISH)
        on_publish(tap, &ctl->u.tap_publish);
    else if (ctl->type == WEIR_CTL_TAP_UNPUBLISH)
        on_unpublish(tap, &ctl->u.tap_unpublish);
    else
        weir_logf(WEIR_LOG_ERROR, "control: %s is not for the tap", weir_ctl_type_name(ctl->type));
}

static void free_cameras(struct tap *tap)
{
    const void *key;
    void *value;
    for (size_t at = 0; weir_map_next(tap->cameras, &at, &key, &value);) {
        struct tap_sources *camera = value;
        weir_map_remove(tap->cameras, key);
        tap_sources_free(&camera);
    }
}

/* Called while a camera may be speaking on the pipe, so the cameras go from the timer. */
static void on_closed(void *ctx)
{
    struct tap *tap = ctx;
    weir_log(WEIR_LOG_INFO, "control: the worker is gone", NULL);
    tap->leave_mono_ms = weir_clock_mono_ms() + LEAVE_MS;
    weir_timer_set(tap->timer, 0);
}

static void leave(struct tap *tap)
{
    free_cameras(tap);
    if (tap_reader_count() == 0 || weir_clock_mono_ms() >= tap->leave_mono_ms)
        weir_loop_stop(tap->shared.loop);
    else
        weir_timer_set(tap->timer, LEAVE_POLL_MS);
}

/* Rings, and what is copied out of them, stay under the process's cap: the largest ring gives
 * first. */
static void shrink_rings(struct tap *tap)
{
    size_t most = (size_t)tap->settings->ring_total_mib << 20;
    for (;;) {
        size_t total = tap->clips != NULL ? tap_clips_bytes(tap->clips) : 0;
        struct tap_sources *largest = NULL;
        void *camera;
        for (size_t at = 0; weir_map_next(tap->cameras, &at, NULL, &camera);) {
            total += tap_sources_bytes(camera);
            if (largest == NULL || tap_sources_bytes(camera) > tap_sources_bytes(largest))
                largest = camera;
        }
        if (total <= most || largest == NULL)
            return;
        tap_sources_shrink(largest);
    }
}

static void measure(struct tap *tap)
{
    void *camera;
    int64_t now_us = weir_clock_mono_ms() * 1000;
    tap_cost_begin(&tap->cost);
    for (size_t at = 0; weir_map_next(tap->cameras, &at, NULL, &camera);)
        tap_sources_look(camera, &tap->cost);
    tap_cost_rest(&tap->cost, tap_cost_process_cpu_us(), tap_cost_process_mem_bytes());
    for (size_t at = 0; weir_map_next(tap->cameras, &at, NULL, &camera);)
        tap_sources_share(camera, &tap->cost, now_us);
}

static void review(struct tap *tap)
{
    void *camera;
    for (size_t at = 0; weir_map_next(tap->cameras, &at, NULL, &camera);)
        tap_sources_review(camera, weir_clock_mono_ms());
}

static void send_stats(struct tap *tap)
{
    struct weir_ctl_tap_stats_cameras rows[WEIR_CTL_TAP_STATS_CAMERAS_MAX];
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_STATS};
    ctl.u.tap_stats.cameras = rows;
    void *camera;
    if (tap_control_is_behind(tap->shared.control))
        return; /* a worker that stands still will find the newest ones */
    for (size_t at = 0; weir_map_next(tap->cameras, &at, NULL, &camera);) {
        ctl.u.tap_stats.n_cameras += tap_sources_stats(camera, &rows[ctl.u.tap_stats.n_cameras]);
        if (ctl.u.tap_stats.n_cameras + TAP_SOURCES_MAX > WEIR_CTL_TAP_STATS_CAMERAS_MAX) {
            tap_control_send(tap->shared.control, &ctl);
            ctl.u.tap_stats.n_cameras = 0;
        }
    }
    if (ctl.u.tap_stats.n_cameras > 0 || weir_map_count(tap->cameras) == 0)
        tap_control_send(tap->shared.control, &ctl);
}

static void send_encoding(struct tap *tap)
{
    struct weir_ctl_tap_encoding_encoders rows[WEIR_ENCODER_N];
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_ENCODING};
    ctl.u.tap_encoding.encoders = rows;
    ctl.u.tap_encoding.n_encoders = tap_encoders_used(&tap->encoders, rows);
    if (ctl.u.tap_encoding.n_encoders > 0 && !tap_control_is_behind(tap->shared.control))
        tap_control_send(tap->shared.control, &ctl);
}

/* Over some seconds: the kernel counts in hundredths of one. */
static void send_used(struct tap *tap)
{
    struct weir_ctl_tap_used_streams rows[WEIR_CTL_TAP_USED_STREAMS_MAX];
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_USED, .u.tap_used = {.streams = rows}};
    int64_t now_us = weir_clock_mono_ms() * 1000;
    void *camera;
    if (tap->n_ticks % USED_TICKS != 0 || tap_control_is_behind(tap->shared.control))
        return;
    for (size_t at = 0; weir_map_next(tap->cameras, &at, NULL, &camera);) {
        ctl.u.tap_used.n_streams = tap_sources_used(camera, now_us, rows);
        if (ctl.u.tap_used.n_streams > 0)
            tap_control_send(tap->shared.control, &ctl);
    }
}

static void send_one(struct tap *tap, const struct tap_sources *camera)
{
    struct weir_ctl_tap_stats_cameras rows[TAP_SOURCES_MAX];
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_STATS, .u.tap_stats = {.cameras = rows}};
    ctl.u.tap_stats.n_cameras = tap_sources_stats(camera, rows);
    if (!tap_control_is_behind(tap->shared.control))
        tap_control_send(tap->shared.control, &ctl);
}

/* News of a camera's health do not wait for the next statistics. */
static void on_health(void *ctx)
{
    struct tap *tap = ctx;
    void *camera;
    weir_timer_set(tap->health, TAP_HEALTH_TICK_MS);
    for (size_t at = 0; weir_map_next(tap->cameras, &at, NULL, &camera);) {
        if (tap_sources_judge(camera))
            send_one(tap, camera);
    }
}

static bool is_followed(void *ctx, const struct weir_id *camera_id)
{
    struct tap *tap = ctx;
    const struct tap_sources *camera = weir_map_find(tap->cameras, camera_id->b);
    return camera != NULL && tap_sources_are_followed(camera);
}

/* By now the worker has named every camera and every stream that it still wants. */
static void on_sweep(void *ctx)
{
    struct tap *tap = ctx;
    tap_spool_sweep(tap->settings->spool_dir, is_followed, tap);
}

static bool find_camera(void *ctx, const struct weir_id *tenant_id, const struct weir_id *camera_id,
                        struct tap_clips_camera *ret)
{
    struct tap *tap = ctx;
    struct tap_sources *camera = weir_map_find(tap->cameras, camera_id->b);
    return camera != NULL && tap_sources_clips(camera, tenant_id, ret);
}

static void open_clips(struct tap *tap)
{
    struct weir_err err = {0};
    if (tap->settings->clip_socket[0] != '\0' &&
        tap_clips_open(tap->shared.loop, tap->settings->clip_socket,
                       ((size_t)tap->settings->ring_total_mib << 20) / CLIPS_SHARE, find_camera,
                       tap, &tap->clips, &err) != WEIR_OK)
        weir_log(WEIR_LOG_ERROR, "there will be no snapshots", "why", err.msg, NULL);
}

static void on_timer(void *ctx)
{
    struct tap *tap = ctx;
    if (tap->leave_mono_ms != 0) {
        leave(tap);
        return;
    }
    check_fence(tap);
    shrink_rings(tap);
    review(tap);
    measure(tap);
    send_stats(tap);
    send_encoding(tap);
    send_used(tap);
    if (++tap->n_ticks % TRIM_TICKS == 0)
        weir_memory_trim(&tap->memory);
    if (tap->leave_mono_ms == 0)
        weir_timer_set(tap->timer, STATS_MS);
}

static const struct tap_control_calls control_calls = {on_line, on_closed};

struct tap *tap_new(struct weir_loop *loop, const struct tap_settings *settings,
                    const struct weir_reach *reach, const struct tap_engines *engines, int fd)
{
    struct tap *tap = weir_xalloc(sizeof(*tap));
    tap->settings = settings;
    tap->reach = *reach;
    tap->shared.reach = &tap->reach;
    tap->shared.trials =
        tap_trials_new((int)settings->trials_max, settings->trials_period_s * 1000);
    tap->cost.cpu_us = tap_cost_process_cpu_us();
    tap->cameras = weir_map_new(sizeof(struct weir_id));
    tap->shared.loop = loop;
    tap->shared.dying = weir_dying_new(loop);
    tap->shared.gate =
        tap_gate_new((unsigned)settings->connects_at_once, (int)settings->connects_per_host_per_s);
    tap->shared.spool_dir = settings->spool_dir;
    tap->shared.engines = engines;
    tap->shared.fps_ppm = TAP_RENDITION_ALL;
    tap->shared.encoders = &tap->encoders;
    tap->shared.readers_max = 2 * (unsigned)settings->cameras_max;
    tap->shared.open_ms = settings->open_ms;
    tap->shared.keyframe_ms = settings->keyframe_ms;
    tap->shared.control = tap_control_new(loop, fd, &control_calls, tap);
    open_clips(tap);
    tap->fence = weir_timer_new(loop, check_fence, tap);
    tap->sweep = weir_timer_new(loop, on_sweep, tap);
    weir_timer_set(tap->sweep, SWEEP_MS);
    tap->health = weir_timer_new(loop, on_health, tap);
    weir_timer_set(tap->health, TAP_HEALTH_TICK_MS);
    tap->timer = weir_timer_new(loop, on_timer, tap);
    weir_timer_set(tap->timer, STATS_MS);
    return tap;
}

void tap_free(struct tap *tap)
{
    if (tap == NULL)
        return;
    tap_clips_close(&tap->clips);
    free_cameras(tap);
    weir_dying_free(&tap->shared.dying, DYING_MS);
    weir_map_free(tap->cameras);
    weir_timer_free(&tap->timer);
    weir_timer_free(&tap->fence);
    weir_timer_free(&tap->sweep);
    weir_timer_free(&tap->health);
    tap_control_free(tap->shared.control);
    tap_gate_free(tap->shared.gate);
    if (tap_reader_count() == 0) /* else the process ends with it */
        tap_trials_free(tap->shared.trials);
    free(tap);
}
