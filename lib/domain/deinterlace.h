/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole pictures out of fields. A frame that was taken in two fields, half a frame apart, shows
 * combs on all that moves. The field that was taken first is kept, and the lines of the other one
 * are made anew for its time: what stands still keeps the lines that are there, what moves is
 * drawn along its edges out of the lines above and below. Pure.
 *
 * How far a line may be from what is there is bounded by how much changed around it since the
 * frame before; without one, all is taken as moving.
 */
#ifndef WEIR_LIB_DOMAIN_DEINTERLACE_H
#define WEIR_LIB_DOMAIN_DEINTERLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEIR_DEINTERLACE_WIDTH_MAX 8192

/* One plane of a frame: luma, or one of chroma. */
struct weir_deinterlace_plane {
    const uint8_t *bytes; /* of the first line; NULL: there is no such frame */
    ptrdiff_t stride;     /* bytes from one line to the next */
    unsigned depth;       /* bits a sample, 8..16; above 8 a sample is an uint16_t */
};

/*
 * Writes the plane of a whole picture, 8 bits a sample.
 *
 * `now`, `before`    of this frame and the one before it; `width` 1..WEIR_DEINTERLACE_WIDTH_MAX
 * samples and `height` >= 1 lines each. `is_top_first`     the first line belongs to the field that
 * was taken first. `out`              `height` lines, `out_stride` >= `width` bytes apart; no part
 * of the others.
 */
void weir_deinterlace_plane(const struct weir_deinterlace_plane *now,
                            const struct weir_deinterlace_plane *before, int width, int height,
                            bool is_top_first, uint8_t *out, ptrdiff_t out_stride);

#endif
