/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One frame out of a clip (lib/domain/still.h) as pixels. libswscale's one place in this program;
 * hostile bytes come in here, so it runs in the sandbox.
 */
#ifndef WEIR_WORKER_DECODE_FRAME_H
#define WEIR_WORKER_DECODE_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/domain/still.h"
#include "worker/decode/course.h"

/* Which frame: the one shown at `ts`. The clip stays as it is. */
struct frame_wish {
    enum weir_still_codec codec;
    const uint8_t *clip;
    size_t len;
    int64_t ts;
};

/* Rows of red, green, blue, a byte each, without gaps; as it is to be looked at (square pixels). */
struct frame_picture {
    uint8_t *rgb; /* owned: frame_picture_done */
    uint32_t width;
    uint32_t height;
    bool is_damaged;  /* something it is made from was missing or broken */
    bool is_parked;   /* its decoder stands behind it (course.h) */
    bool has_gone_on; /* and it was made from where another one had ended */
};

/* How large it may be, pixels; 0: any size. */
struct frame_limits {
    uint32_t width;
    uint32_t long_side; /* however it is turned */
    uint32_t short_side;
};

/*
 * Decodes up to the frame and scales it to within the limits, keeping its shape; never larger.
 * `parked` as for course_run.
 */
enum weir_decode_status frame_decode(const struct frame_wish *wish,
                                     const struct frame_limits *limits, struct course **parked,
                                     struct frame_picture *ret);

/*
 * The same frame as WEIR_LUMA_BYTES of brightness; nothing is parked. WEIR_DECODE_FAILED: its
 * pixels are of a kind that has none of its own. `ret` is owned by the caller: free(); set with
 * WEIR_DECODE_OK only.
 */
enum weir_decode_status frame_luma(const struct frame_wish *wish, bool *ret_is_damaged,
                                   uint8_t **ret);

void frame_picture_done(struct frame_picture *picture);

#endif
