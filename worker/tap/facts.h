/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a camera sends, measured by its ring. Pure.
 *
 *     tap_facts_measure(ring, format, &facts);
 *     if (tap_facts_are_known(&facts))
 *         tap_choose(&facts, profile, &choice);
 */
#ifndef WEIR_WORKER_TAP_FACTS_H
#define WEIR_WORKER_TAP_FACTS_H

#include "worker/tap/nal.h"
#include "worker/tap/ring.h"

struct tap_facts {
    enum tap_codec codec;
    int width; /* 0: not known */
    int height;
    enum tap_picture picture;
    int64_t fps_milli;   /* 0: not known */
    int64_t bitrate_bps; /* video alone, of whole groups; 0: not known */
    int64_t gop_ms;      /* longest distance of keyframes; 0: not known */
    int64_t span_ms;     /* that was looked at */
    int keyframes;       /* in it */
};

/*
 * Looks at all that the ring holds. Frames are counted as far as all of them are there: what is
 * shown before the newest one may come behind it (B-frames). Where packets were lost, nothing
 * counts up to the next keyframe.
 */
void tap_facts_measure(const struct tap_ring *ring, const struct tap_format *format,
                       struct tap_facts *ret);

/* Enough was seen to choose by. */
bool tap_facts_are_known(const struct tap_facts *facts);

#endif
