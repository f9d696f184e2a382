/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A camera's sources beside main ("sub"): each is read, by itself and once, while something is made
 * of it and a moment longer; for a while it is remembered what it was, and that it cannot be read.
 *
 *     tap_others_set(others, spec, is_fenced);        what there is
 *     n = tap_others_offers(others, offers);          what is known of them
 *     tap_others_use(others, 1);                      the first one is read from now on
 *     ring = tap_others_ring(others, 1);              until
 *     tap_others_leave(others, 1);
 *
 * Sources are numbered as in pick.h, from 1. Source: docs/adr/0042-several-sources.md.
 */
#ifndef WEIR_WORKER_TAP_OTHERS_H
#define WEIR_WORKER_TAP_OTHERS_H

#include "lib/domain/events.h"
#include "worker/tap/cost.h"
#include "worker/tap/pick.h"

#define TAP_OTHERS_MAX WEIR_CTL_TAP_CAMERA_OTHERS_MAX

struct tap_others;
struct tap_shared;

/* Of one source, from the loop. */
struct tap_others_calls {
    void (*wake)(void *ctx, int source);    /* its ring has new units */
    void (*restart)(void *ctx, int source); /* what was in its ring is no good any more */
    void (*broken)(void *ctx, int source);  /* it is used, and cannot be read: at each tick */
};

/* `shared` and `calls` are kept. */
struct tap_others *tap_others_new(const struct tap_shared *shared,
                                  const struct tap_others_calls *calls, void *ctx);
void tap_others_free(struct tap_others **others); /* sets NULL; NULL is fine */

/* Takes the others of `spec`, which is copied. Where they are not those of before, nothing may be
 * made of them at that time: none is read any more, and nothing is remembered. Where they are, the
 * encoder's delay alone is taken, and they are read on. */
bool tap_others_are_same(const struct tap_others *others, const struct weir_ctl_tap_camera *spec);
void tap_others_set(struct tap_others *others, const struct weir_ctl_tap_camera *spec,
                    bool is_fenced);
void tap_others_fence(struct tap_others *others, bool is_fenced);

/* What is known of each; returns how many there are. Names live as long as the others are set. */
size_t tap_others_offers(struct tap_others *others, struct tap_offer ret[static TAP_OTHERS_MAX]);

/* One more, or one less, that makes something of it. */
void tap_others_use(struct tap_others *others, int source);
void tap_others_leave(struct tap_others *others, int source);

/* While it is used and an offer that is known. */
const struct tap_ring *tap_others_ring(const struct tap_others *others, int source);
const struct tap_format *tap_others_format(const struct tap_others *others, int source);

/* Each TAP_HEALTH_TICK_MS or so: judges them, leaves what nobody used for a while. */
void tap_others_tick(struct tap_others *others);

/* As those of a camera, over all of them. */
size_t tap_others_bytes(const struct tap_others *others);
void tap_others_shrink(struct tap_others *others); /* the largest */
void tap_others_look(struct tap_others *others, struct tap_cost_all *all);
void tap_others_share(struct tap_others *others, const struct tap_cost_all *all, int64_t now_us);

/* One row for each that is read, or is told as a fault because it was to be read in the last minute
 * and could not be; returns their number. */
size_t tap_others_stats(const struct tap_others *others,
                        struct weir_ctl_tap_stats_cameras ret[static TAP_OTHERS_MAX]);

#endif
