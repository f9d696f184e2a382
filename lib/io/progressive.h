/* SPDX-License-Identifier: Apache-2.0 */
/* Decoded frames that were taken in two fields become whole ones; all others stay as they are. */
#ifndef WEIR_LIB_IO_PROGRESSIVE_H
#define WEIR_LIB_IO_PROGRESSIVE_H

#include <stdbool.h>

struct AVFrame;

/* {0} at first. */
struct weir_progressive {
    struct AVFrame *before; /* the frame before, where that had two fields */
    struct AVFrame *whole;
};

void weir_progressive_done(struct weir_progressive *progressive);

/*
 * The frame as a whole one: `frame` itself, or one with 8 bits a sample that is valid until the
 * next call. Of a frame that `is_wanted` by nobody only what the next one needs is kept, and NULL
 * is returned; also when memory is short, which leaves out this frame.
 */
const struct AVFrame *weir_progressive_take(struct weir_progressive *progressive,
                                            const struct AVFrame *frame, bool is_wanted);

#endif
