/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that is made of one camera: its publishers, the renditions that they publish where that is
 * not the camera's own stream, and the one weir-xcode that makes these.
 */
#ifndef WEIR_WORKER_TAP_OUTPUTS_H
#define WEIR_WORKER_TAP_OUTPUTS_H

#include "lib/service/dying.h"
#include "worker/tap/control.h"
#include "worker/tap/encoders.h"
#include "worker/tap/others.h"
#include "worker/tap/publisher.h"

struct tap_outputs;

/* All of it outlives the outputs. */
struct tap_outputs_from {
    struct weir_loop *loop;
    struct weir_dying *dying;
    struct tap_control *control;
    const struct tap_engines *engines;
    const struct tap_ring *ring; /* of the camera's main source */
    const struct tap_format *format;
    int64_t fps_ppm;           /* as in tap_outputs_pace, at first */
    struct tap_others *others; /* its other ones */
    struct tap_encoders *encoders;
};

struct tap_outputs *tap_outputs_new(const struct tap_outputs_from *from);
void tap_outputs_free(struct tap_outputs **outputs); /* sets NULL; NULL is fine */

/* Publishes as the spec says; an equal stream and generation is replaced. */
void tap_outputs_publish(struct tap_outputs *outputs, const struct weir_ctl_tap_publish *spec);
void tap_outputs_unpublish(struct tap_outputs *outputs, const struct weir_id *stream_id,
                           int64_t generation);

bool tap_outputs_are_any(const struct tap_outputs *outputs);

/* The ring of this source (see pick.h) has new units. */
void tap_outputs_wake(struct tap_outputs *outputs, int source);

/* The ring of this source was emptied, or is no good any more: what was made of it is chosen anew.
 */
void tap_outputs_restart(struct tap_outputs *outputs, int source);

/* As restart, and none waits for that source any more. */
void tap_outputs_leave(struct tap_outputs *outputs, int source);

/* Main's sound was switched off: it is wiped in what was made, and who publishes it goes on with
 * silence, or begins anew where there is none of its kind. */
void tap_outputs_hush(struct tap_outputs *outputs);

/* Main has sound from now on: who publishes it goes on where that was announced, or begins anew. */
void tap_outputs_hear(struct tap_outputs *outputs);

/* Encodes renditions with that share of their frames from now on, 1..1000000; on the open encoders,
 * so that players notice nothing but that. */
void tap_outputs_pace(struct tap_outputs *outputs, int64_t fps_ppm);

/* Each second or so: what is made follows what the camera sends by now, frames and bits on the open
 * encoders; what passes as it is, and is no more what was asked for, is chosen anew. `now_ms` is
 * monotonic. */
void tap_outputs_review(struct tap_outputs *outputs, int64_t now_ms);

/* What each stream took that is made anew, since the last call; returns their number, 0 where that
 * cannot be told. */
size_t tap_outputs_used(struct tap_outputs *outputs, int64_t now_us,
                        struct weir_ctl_tap_used_streams ret[static WEIR_CTL_TAP_USED_STREAMS_MAX]);

/* Rings of renditions, for the cap over all rings. */
size_t tap_outputs_bytes(const struct tap_outputs *outputs);
/* Gives up the oldest of the largest of them. */
void tap_outputs_shrink(struct tap_outputs *outputs);

#endif
