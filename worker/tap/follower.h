/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stream that follows what is made of a camera: what it really is, and whether that is still
 * what was told of it. Pure.
 */
#ifndef WEIR_WORKER_TAP_FOLLOWER_H
#define WEIR_WORKER_TAP_FOLLOWER_H

#include "lib/domain/events.h"
#include "worker/tap/rendition.h"
#include "worker/tap/steady.h"

struct tap_publisher;

struct tap_follower {
    struct weir_list node;
    struct weir_ctl_tap_publish spec;
    struct weir_profile profile;     /* lowered to the ceiling */
    struct tap_rendition *rendition; /* NULL: the camera as it is */
    struct tap_publisher *publisher; /* NULL until it is known what there is to publish */
    bool is_live;
    bool is_described;     /* with all there is to know */
    int64_t told_milli;    /* frames in 1000 s, of what passes as it is; 0: not taken down */
    struct tap_steady fps; /* how these differ by now */
};

/* What it may be at most. */
struct weir_ceiling tap_follower_ceiling(const struct weir_ctl_tap_publish *spec);

/*
 * What it is, as far as is known, which is taken for told. `source` and `format` are of what it is
 * made of; `more` goes with why it is so, NULL: nothing does.
 */
void tap_follower_describe(struct tap_follower *follower, const struct tap_ring *source,
                           const struct tap_format *format, const char *more,
                           struct weir_effective *ret);

/* Whether it, which is live, was told before enough was known, which is now. */
bool tap_follower_is_late(const struct tap_follower *follower, const struct tap_ring *source,
                          const struct tap_format *format);

/* Each second or so, while it is live: whether it passes as it is, and has other frames by now than
 * was told. `now_ms` is monotonic. */
bool tap_follower_has_moved(struct tap_follower *follower, const struct tap_ring *source,
                            const struct tap_format *format, int64_t now_ms);

#endif
