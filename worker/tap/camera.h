/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One camera: attempts to read it, again and again; its ring; what is made of the ring.
 */
#ifndef WEIR_WORKER_TAP_CAMERA_H
#define WEIR_WORKER_TAP_CAMERA_H

#include "worker/tap/clips.h"
#include "worker/tap/clock.h"
#include "worker/tap/control.h"
#include "worker/tap/cost.h"
#include "worker/tap/gate.h"
#include "worker/tap/health.h"
#include "worker/tap/outputs.h"
#include "worker/tap/reader.h"
#include "worker/tap/remedy.h"
#include "worker/tap/ring.h"
#include "worker/tap/spool.h"
#include "worker/tap/timeline.h"

/* What all cameras of the process share. */
struct tap_shared {
    struct weir_loop *loop;
    struct tap_control *control;
    struct tap_gate *gate;
    const char *spool_dir; /* or "" */
    const char *xcode;     /* the weir-xcode program */
    int64_t fps_ppm;       /* as in tap_outputs_pace */
    int64_t open_ms;       /* as in tap_reader_spec */
    int64_t keyframe_ms;
    struct tap_trials *trials;
    const struct weir_reach *reach; /* but for what a tenant's camera says */
};

struct tap_camera;

/* Starts to read, with what an earlier process left of it. `spec` is copied. */
struct tap_camera *tap_camera_new(const struct tap_shared *shared,
                                  const struct weir_ctl_tap_camera *spec, bool is_fenced);
void tap_camera_free(struct tap_camera **camera); /* its outputs go with it */

/* Takes new settings; connects anew only where they differ in how it is reached. */
void tap_camera_change(struct tap_camera *camera, const struct weir_ctl_tap_camera *spec);

/* While `is_fenced`, a camera that is exclusive is not read; others take no notice. */
void tap_camera_fence(struct tap_camera *camera, bool is_fenced);

/* As tap_outputs_pace. */
void tap_camera_pace(struct tap_camera *camera, int64_t fps_ppm);

/* Publishes as the spec says; an equal stream and generation is replaced. */
void tap_camera_publish(struct tap_camera *camera, const struct weir_ctl_tap_publish *spec);
void tap_camera_unpublish(struct tap_camera *camera, const struct weir_id *stream_id,
                          int64_t generation);

/* What clips are cut from; false when it is another tenant's. */
bool tap_camera_clips(const struct tap_camera *camera, const struct weir_id *tenant_id,
                      struct tap_clips_camera *ret);

/* For the cap over all rings. */
size_t tap_camera_ring_bytes(const struct tap_camera *camera);
void tap_camera_shrink(struct tap_camera *camera);

/* Judges its health; each TAP_HEALTH_TICK_MS or so. True when that is news. */
bool tap_camera_judge(struct tap_camera *camera);

/* What it takes of the process; see cost.h. */
void tap_camera_look(struct tap_camera *camera, struct tap_cost_all *all);
void tap_camera_share(struct tap_camera *camera, const struct tap_cost_all *all, int64_t now_us);

void tap_camera_stats(const struct tap_camera *camera, struct weir_ctl_tap_stats_cameras *ret);

#endif
