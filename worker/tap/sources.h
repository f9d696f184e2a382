/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A camera as a whole: its main source, which is read as long as the camera is wanted here; the
 * other ones, which are read while something is made of them; and all that is made (outputs.h).
 * Pictures are cut out of main alone.
 */
#ifndef WEIR_WORKER_TAP_SOURCES_H
#define WEIR_WORKER_TAP_SOURCES_H

#include "worker/tap/camera.h"
#include "worker/tap/outputs.h"

#define TAP_SOURCES_MAX (1 + TAP_OTHERS_MAX)

struct tap_sources;

/* Starts to read. `shared` is kept, `spec` copied. */
struct tap_sources *tap_sources_new(const struct tap_shared *shared,
                                    const struct weir_ctl_tap_camera *spec, bool is_fenced);
void tap_sources_free(struct tap_sources **sources); /* sets NULL; NULL is fine */

/* As tap_camera_change. Who plays a source that is no more goes on with something else. */
void tap_sources_change(struct tap_sources *sources, const struct weir_ctl_tap_camera *spec);
void tap_sources_fence(struct tap_sources *sources, bool is_fenced);

/* As tap_outputs_pace. */
void tap_sources_pace(struct tap_sources *sources, int64_t fps_ppm);

/* Publishes as the spec says; an equal stream and generation is replaced. */
void tap_sources_publish(struct tap_sources *sources, const struct weir_ctl_tap_publish *spec);
void tap_sources_unpublish(struct tap_sources *sources, const struct weir_id *stream_id,
                           int64_t generation);

/* Whether anything is published of it. */
bool tap_sources_are_followed(const struct tap_sources *sources);

/* What clips are cut from; false when it is another tenant's. */
bool tap_sources_clips(struct tap_sources *sources, const struct weir_id *tenant_id,
                       struct tap_clips_camera *ret);

/* For the cap over all rings; the largest ring gives first. */
size_t tap_sources_bytes(const struct tap_sources *sources);
void tap_sources_shrink(struct tap_sources *sources);

/* Judges; each TAP_HEALTH_TICK_MS or so. True when the health of main is news. */
bool tap_sources_judge(struct tap_sources *sources);

/* As tap_outputs_review. */
void tap_sources_review(struct tap_sources *sources, int64_t now_ms);

/* What it takes of the process; see cost.h. */
void tap_sources_look(struct tap_sources *sources, struct tap_cost_all *all);
void tap_sources_share(struct tap_sources *sources, const struct tap_cost_all *all, int64_t now_us);

/* As tap_outputs_used. */
size_t tap_sources_used(struct tap_sources *sources, int64_t now_us,
                        struct weir_ctl_tap_used_streams ret[static WEIR_CTL_TAP_USED_STREAMS_MAX]);

/* A row for each source that is read, main first; returns their number. */
size_t tap_sources_stats(const struct tap_sources *sources,
                         struct weir_ctl_tap_stats_cameras ret[static TAP_SOURCES_MAX]);

#endif
