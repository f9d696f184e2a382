/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One source of one camera: attempts to read it, again and again; its ring. What is made of the
 * ring is made elsewhere (sources.h).
 */
#ifndef WEIR_WORKER_TAP_CAMERA_H
#define WEIR_WORKER_TAP_CAMERA_H

#include "worker/tap/clips.h"
#include "worker/tap/control.h"
#include "worker/tap/cost.h"
#include "worker/tap/gate.h"
#include "worker/tap/intake.h"
#include "worker/tap/reader.h"
#include "worker/tap/remedy.h"

/* What all cameras of the process share; outlives them. */
struct tap_shared {
    struct weir_loop *loop;
    struct weir_dying *dying;
    struct tap_control *control;
    struct tap_gate *gate;
    const char *spool_dir; /* or "" */
    const struct tap_engines *engines;
    int64_t fps_ppm; /* as in tap_outputs_pace */
    struct tap_encoders *encoders;
    int64_t open_ms; /* as in tap_reader_spec */
    int64_t keyframe_ms;
    unsigned readers_max; /* no further source is read where so many are */
    struct tap_trials *trials;
    const struct weir_reach *reach; /* but for what a tenant's camera says */
};

struct tap_camera;

/* Which of the camera's sources it is, and whom it tells. */
struct tap_camera_role {
    const char *name;        /* kept; NULL: main, which is reported, and leaves files (spool.h) */
    void (*wake)(void *ctx); /* its ring has new units */
    void (*restart)(void *ctx); /* its ring was emptied */
    /* Its sound was wiped, or there is some from now on; NULL: nobody goes on with it. */
    void (*hush)(void *ctx);
    void (*hear)(void *ctx);
    void *ctx;
};

/* Starts to read, with what an earlier process left of it. `spec` is copied, but for the others
 * that it names. */
struct tap_camera *tap_camera_new(const struct tap_shared *shared,
                                  const struct weir_ctl_tap_camera *spec, bool is_fenced,
                                  const struct tap_camera_role *role);
void tap_camera_free(struct tap_camera **camera); /* sets NULL; NULL is fine */

const struct tap_ring *tap_camera_ring(const struct tap_camera *camera);
const struct tap_format *tap_camera_format(const struct tap_camera *camera);
bool tap_camera_is_up(const struct tap_camera *camera);
/* It cannot be read: never could, or not for a while; or it sends nothing to go by, and is let
 * alone because connecting anew did not help. */
bool tap_camera_is_lost(const struct tap_camera *camera, int64_t now_ms);

/* Takes new settings; connects anew only where they differ in how it is reached. */
void tap_camera_change(struct tap_camera *camera, const struct weir_ctl_tap_camera *spec);

/* While `is_fenced`, a camera that is exclusive is not read; others take no notice. */
void tap_camera_fence(struct tap_camera *camera, bool is_fenced);

/* Whether anything is made of it. Of a camera that nobody follows frames come in handfuls, and
 * nothing is left for the next process; all is as it was at the first follower. */
void tap_camera_follow(struct tap_camera *camera, bool is_followed);

/* What clips are cut from, all that has come included; false when it is another tenant's. */
bool tap_camera_clips(struct tap_camera *camera, const struct weir_id *tenant_id,
                      struct tap_clips_camera *ret);

/* Gives up the oldest of its ring. */
void tap_camera_shrink(struct tap_camera *camera);

/* Judges its health; each TAP_HEALTH_TICK_MS or so. True when that is news. */
bool tap_camera_judge(struct tap_camera *camera);

/* What it takes of the process; see cost.h. */
void tap_camera_look(struct tap_camera *camera, struct tap_cost_all *all);
void tap_camera_share(struct tap_camera *camera, const struct tap_cost_all *all, int64_t now_us);

void tap_camera_stats(const struct tap_camera *camera, struct weir_ctl_tap_stats_cameras *ret);

#endif
