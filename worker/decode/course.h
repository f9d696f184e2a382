/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clip (lib/domain/still.h) through libavcodec, up to one frame of it; and a decoder that is kept
 * where it came to, for a question that goes further.
 *
 *     struct course *parked = NULL;
 *     course_run(&parked, codec, clip, len, ts, &end);      from the keyframe
 *     course_run(&parked, codec, longer, len, later, &end); from where the first one ended
 *     course_free(&parked);
 *
 * What is kept is never told apart by names or times, which lie, but by the bytes that went in: it
 * is gone on with where the new clip begins with the very same records. And it is kept only where
 * the decoder stands as it would on its way to a later frame: that the frame is one which others
 * are made from, so that it would not have been left out, and came out without the decoder being
 * emptied. So going on makes the same calls with the same arguments as beginning anew would have,
 * and the picture, and whether it is damaged, are the same bit for bit, whatever the bytes are.
 *
 * A frame that was taken in two fields comes out whole, as of the first one (lib/io/progressive.h);
 * the frame before it tells what moved, and that is on the way, too. A keyframe has none.
 */
#ifndef WEIR_WORKER_DECODE_COURSE_H
#define WEIR_WORKER_DECODE_COURSE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/domain/still.h"

/* What is kept: a clip of as many bytes, pictures of as many pixels (4096x2304), at most. */
#define COURSE_CLIP_MAX   (8U << 20)
#define COURSE_PIXELS_MAX (4096 * 2304)

struct course;
struct AVFrame; /* libavutil's */

struct course_end {
    struct AVFrame *frame; /* the caller's; filled with true only */
    bool is_damaged;       /* something on the way was missing or broken */
    bool is_parked;        /* `*parked` stands behind this frame now */
    bool has_gone_on;      /* and it began where another question had ended */
    bool is_out_of_room;   /* with false: not the clip's fault */
};

/*
 * Decodes up to the frame shown at `ts`, leaving out what no other frame is made from.
 *
 * `parked`  NULL: nothing is gone on with, nor kept. Else NULL in it, or what an earlier call left;
 *           that is gone on with or given up.
 *
 * Returns false when the frame does not come out.
 */
bool course_run(struct course **parked, enum weir_still_codec codec, const uint8_t *clip,
                size_t len, int64_t ts, struct course_end *ret);

void course_free(struct course **parked); /* sets NULL; NULL in it is fine */

#endif
