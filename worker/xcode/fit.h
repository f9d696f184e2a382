/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of a rendition: its size, and which frames it keeps. Pure. */
#ifndef WEIR_WORKER_XCODE_FIT_H
#define WEIR_WORKER_XCODE_FIT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/domain/xcode.h"

/* A spec that makes sense; what comes from elsewhere is looked at first. */
bool fit_is_sane(const struct weir_xcode_rendition *spec);

struct fit_size {
    int width;
    int height;
};

/*
 * The size of a picture inside a box that is turned as the picture is: square pixels, the aspect
 * ratio kept, even sides, enlarged in no direction.
 *
 * `width`, `height` 1..8192; `sar_num:sar_den` of a pixel, 0 where it is not known; `long_side` >=
 * `short_side` >= 2.
 */
struct fit_size fit_into(int width, int height, int sar_num, int sar_den, int long_side,
                         int short_side);

/* Keeps at most so many frames; {0} before the first one. */
struct fit_pace {
    bool has_begun;
    int64_t due_ts; /* the next frame is kept from here on */
};

#define FIT_TICKS 90000 /* a second */

/* Frames in 1000 s that are kept at most. */
uint32_t fit_pace_milli(const struct weir_xcode_rendition *spec);

/*
 * Whether the frame at `ts` is one to keep; says so again for the same frame, see fit_keep. Half a
 * tick of jitter of a camera that sends exactly as many frames is no reason to drop one, so up to a
 * tenth of an interval too early is in time.
 */
bool fit_is_due(const struct fit_pace *pace, int64_t ts, uint32_t fps_milli);

/* The frame at `ts` is kept. */
void fit_keep(struct fit_pace *pace, int64_t ts, uint32_t fps_milli);

#endif
