/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One frame out of a clip (lib/domain/still.h), and that frame as pixels. libavcodec's and
 * libswscale's one place in this program; hostile bytes come in here, so it runs in the sandbox.
 */
#ifndef WEIR_WORKER_DECODE_FRAME_H
#define WEIR_WORKER_DECODE_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/domain/still.h"

/* Rows of red, green, blue, a byte each, without gaps; as it is to be looked at (square pixels). */
struct frame_picture {
    uint8_t *rgb; /* owned: frame_picture_done */
    uint32_t width;
    uint32_t height;
    bool is_damaged; /* something it is made from was missing or broken */
};

/* How large it may be, pixels; 0: any size. */
struct frame_limits {
    uint32_t width;
    uint32_t long_side; /* however it is turned */
    uint32_t short_side;
};

/*
 * Decodes up to the frame shown at `ts` and scales it to within the limits, keeping its shape;
 * never larger. `clip` is changed: lengths of NAL units become start codes.
 */
enum weir_decode_status frame_decode(enum weir_still_codec codec, uint8_t *clip, size_t len,
                                     int64_t ts, const struct frame_limits *limits,
                                     struct frame_picture *ret);

/*
 * The same frame as WEIR_LUMA_BYTES of brightness. WEIR_DECODE_FAILED: its pixels are of a kind
 * that has none of its own. `ret` is owned by the caller: free(); set with WEIR_DECODE_OK only.
 */
enum weir_decode_status frame_luma(enum weir_still_codec codec, uint8_t *clip, size_t len,
                                   int64_t ts, bool *ret_is_damaged, uint8_t **ret);

void frame_picture_done(struct frame_picture *picture);

#endif
