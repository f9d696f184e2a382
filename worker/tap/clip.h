/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which part of a ring shows the picture of a moment, and that part as bytes (lib/domain/still.h).
 *
 * Pure: nothing is waited for here. A frame is nearest by its time of capture; of two at the same
 * distance the earlier one. Pictures that lead a keyframe (shown before it, sent after it) need the
 * group before; those that lead the ring's oldest keyframe have lost it and are never chosen, for
 * they would be decoded from what they were not made from.
 *
 * Where a clock was set back, frames lie in the ring whose times came again, and others that are of
 * times to come. A frame that is more than a second later than one that was sent after it, to be
 * shown after it, is as if it were not there.
 */
#ifndef WEIR_WORKER_TAP_CLIP_H
#define WEIR_WORKER_TAP_CLIP_H

#include "lib/base/buf.h"
#include "worker/tap/ring.h"

enum tap_clip_mode { TAP_CLIP_EXACT, TAP_CLIP_KEYFRAME, TAP_CLIP_LATEST };
enum tap_clip_status { TAP_CLIP_OK, TAP_CLIP_EMPTY, TAP_CLIP_PAST, TAP_CLIP_TOO_LONG };

struct tap_clip {
    uint64_t first;  /* number of the key unit that decoding begins with */
    uint64_t last;   /* number of the unit that is the frame */
    size_t n_units;  /* of video, both included */
    size_t bytes;    /* of all records */
    bool has_gap;    /* something of them was lost on the way */
    int64_t from_us; /* capture of the oldest and of the newest frame; set unless EMPTY */
    int64_t to_us;
};

/* `at_us`: wall clock, microseconds; of no meaning for LATEST. The ring stays as it is. */
enum tap_clip_status tap_clip_choose(const struct tap_ring *ring, enum tap_clip_mode mode,
                                     int64_t at_us, struct tap_clip *ret);

/* True while a later frame could be nearer: what was asked for is not captured yet. A keyframe of a
 * time that has come is not waited for. */
bool tap_clip_is_ahead(const struct tap_ring *ring, enum tap_clip_mode mode, int64_t at_us,
                       int64_t now_us);

/* Adds the records. The ring must not have changed since. */
void tap_clip_write(const struct tap_ring *ring, const struct tap_clip *clip, struct weir_buf *out);

#endif
