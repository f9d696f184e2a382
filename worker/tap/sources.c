/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/sources.h"

#include <stdlib.h>

#include "lib/base/arena.h"

struct tap_sources {
    struct tap_camera *main;
    struct tap_others *others;
    struct tap_outputs *outputs;
    bool is_fenced;
};

static void on_wake(void *ctx)
{
    const struct tap_sources *sources = ctx;
    tap_outputs_wake(sources->outputs, TAP_PICK_MAIN);
}

static void on_restart(void *ctx)
{
    const struct tap_sources *sources = ctx;
    tap_outputs_restart(sources->outputs, TAP_PICK_MAIN);
}

static void on_hush(void *ctx)
{
    const struct tap_sources *sources = ctx;
    tap_outputs_hush(sources->outputs);
}

static void on_hear(void *ctx)
{
    const struct tap_sources *sources = ctx;
    tap_outputs_hear(sources->outputs);
}

static void on_other_wake(void *ctx, int source)
{
    const struct tap_sources *sources = ctx;
    tap_outputs_wake(sources->outputs, source);
}

static void on_other_restart(void *ctx, int source)
{
    const struct tap_sources *sources = ctx;
    tap_outputs_restart(sources->outputs, source);
}

/* While there is nothing better, who follows it waits for it. */
static void on_other_broken(void *ctx, int source)
{
    const struct tap_sources *sources = ctx;
    if (!tap_camera_is_up(sources->main))
        return;
    tap_outputs_restart(sources->outputs, source);
    tap_outputs_wake(sources->outputs, TAP_PICK_MAIN);
}

static const struct tap_others_calls others_calls = {on_other_wake, on_other_restart,
                                                     on_other_broken};

struct tap_sources *tap_sources_new(const struct tap_shared *shared,
                                    const struct weir_ctl_tap_camera *spec, bool is_fenced)
{
    struct tap_sources *sources = weir_xalloc(sizeof(*sources));
    struct tap_camera_role role = {
        .wake = on_wake, .restart = on_restart, .hush = on_hush, .hear = on_hear, .ctx = sources};
    sources->is_fenced = is_fenced;
    sources->main = tap_camera_new(shared, spec, is_fenced, &role);
    sources->others = tap_others_new(shared, &others_calls, sources);
    tap_others_set(sources->others, spec, is_fenced);
    struct tap_outputs_from from = {.loop = shared->loop,
                                    .dying = shared->dying,
                                    .control = shared->control,
                                    .engines = shared->engines,
                                    .fps_ppm = shared->fps_ppm,
                                    .encoders = shared->encoders,
                                    .ring = tap_camera_ring(sources->main),
                                    .format = tap_camera_format(sources->main),
                                    .others = sources->others};
    sources->outputs = tap_outputs_new(&from);
    return sources;
}

void tap_sources_free(struct tap_sources **ptr)
{
    struct tap_sources *sources = *ptr;
    if (sources == NULL)
        return;
    *ptr = NULL;
    tap_outputs_free(&sources->outputs);
    tap_others_free(&sources->others);
    tap_camera_free(&sources->main);
    free(sources);
}

void tap_sources_change(struct tap_sources *sources, const struct weir_ctl_tap_camera *spec)
{
    if (!tap_others_are_same(sources->others, spec)) {
        for (int source = 1; source < TAP_SOURCES_MAX; source++)
            tap_outputs_leave(sources->outputs, source);
    }
    tap_others_set(sources->others, spec, sources->is_fenced);
    tap_camera_change(sources->main, spec);
}

void tap_sources_fence(struct tap_sources *sources, bool is_fenced)
{
    sources->is_fenced = is_fenced;
    tap_camera_fence(sources->main, is_fenced);
    tap_others_fence(sources->others, is_fenced);
}

void tap_sources_pace(struct tap_sources *sources, int64_t fps_ppm)
{
    tap_outputs_pace(sources->outputs, fps_ppm);
}

void tap_sources_publish(struct tap_sources *sources, const struct weir_ctl_tap_publish *spec)
{
    tap_outputs_publish(sources->outputs, spec);
    tap_camera_follow(sources->main, tap_outputs_are_any(sources->outputs));
}

void tap_sources_unpublish(struct tap_sources *sources, const struct weir_id *stream_id,
                           int64_t generation)
{
    tap_outputs_unpublish(sources->outputs, stream_id, generation);
    tap_camera_follow(sources->main, tap_outputs_are_any(sources->outputs));
}

bool tap_sources_are_followed(const struct tap_sources *sources)
{
    return tap_outputs_are_any(sources->outputs);
}

bool tap_sources_clips(struct tap_sources *sources, const struct weir_id *tenant_id,
                       struct tap_clips_camera *ret)
{
    return tap_camera_clips(sources->main, tenant_id, ret);
}

size_t tap_sources_bytes(const struct tap_sources *sources)
{
    return tap_camera_ring(sources->main)->bytes + tap_outputs_bytes(sources->outputs) +
           tap_others_bytes(sources->others);
}

void tap_sources_shrink(struct tap_sources *sources)
{
    size_t own = tap_camera_ring(sources->main)->bytes;
    size_t made = tap_outputs_bytes(sources->outputs);
    size_t others = tap_others_bytes(sources->others);
    if (own >= made && own >= others)
        tap_camera_shrink(sources->main);
    else if (made >= others)
        tap_outputs_shrink(sources->outputs);
    else
        tap_others_shrink(sources->others);
}

bool tap_sources_judge(struct tap_sources *sources)
{
    tap_others_tick(sources->others);
    return tap_camera_judge(sources->main);
}

void tap_sources_review(struct tap_sources *sources, int64_t now_ms)
{
    tap_outputs_review(sources->outputs, now_ms);
}

void tap_sources_look(struct tap_sources *sources, struct tap_cost_all *all)
{
    tap_camera_look(sources->main, all);
    tap_others_look(sources->others, all);
}

void tap_sources_share(struct tap_sources *sources, const struct tap_cost_all *all, int64_t now_us)
{
    tap_camera_share(sources->main, all, now_us);
    tap_others_share(sources->others, all, now_us);
}

size_t tap_sources_used(struct tap_sources *sources, int64_t now_us,
                        struct weir_ctl_tap_used_streams ret[static WEIR_CTL_TAP_USED_STREAMS_MAX])
{
    return tap_outputs_used(sources->outputs, now_us, ret);
}

size_t tap_sources_stats(const struct tap_sources *sources,
                         struct weir_ctl_tap_stats_cameras ret[static TAP_SOURCES_MAX])
{
    tap_camera_stats(sources->main, ret);
    return 1 + tap_others_stats(sources->others, ret + 1);
}
