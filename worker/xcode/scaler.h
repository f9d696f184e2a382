/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings decoded pictures to the size, format (4:2:0, 8 bit) and range of levels of a rendition:
 * worker/xcode/shrink.h where it can, libswscale else.
 */
#ifndef WEIR_WORKER_XCODE_SCALER_H
#define WEIR_WORKER_XCODE_SCALER_H

#include <stdbool.h>

struct AVFrame;
struct SwsContext;

/* What the library was opened for. */
struct scaler_shape {
    int width; /* of the picture that comes */
    int height;
    int format;
    int matrix;
    bool is_full_range;
    int to_width;
    int to_height;
};

/* {0} at first. */
struct scaler {
    struct scaler_shape shape;
    struct SwsContext *library; /* NULL: it was not needed yet */
};

void scaler_done(struct scaler *scaler); /* {0} again */

/*
 * The one of `pictures` to draw `to` from: the last that gives the same samples as the first does
 * (shrink_is_whole), else the first.
 *
 * `pictures`  the camera's picture, then others that were drawn from it, the larger first; behind
 *             them NULL.
 */
const struct AVFrame *scaler_choose(const struct AVFrame *const *pictures,
                                    const struct AVFrame *to);

/*
 * Draws `from` into `to`, whose size, format AV_PIX_FMT_YUV420P and buffers are there and are
 * written. `matrix`: an AVColorSpace, of both. False: memory is short, or libswscale cannot read
 * that format.
 */
bool scaler_draw(struct scaler *scaler, const struct AVFrame *from, int matrix, struct AVFrame *to);

#endif
