/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One rendition of a camera: takes decoded pictures, leaves out those that are too many, makes them
 * smaller, encodes them (H.264, 4:2:0, 8 bit, no B-frames). An engine may do that in hardware; one
 * that fails, or whose keyframes decoded now and then are not the picture, is given nothing more.
 */
#ifndef WEIR_WORKER_XCODE_RENDITION_H
#define WEIR_WORKER_XCODE_RENDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/domain/xcode.h"

struct AVFrame;
struct engine;
struct rendition;

/* What a rendition tells. False: it cannot be handed on, all is over. */
struct rendition_calls {
    /* An encoded unit, in the form of lib/domain/xcode.h; valid during the call. */
    bool (*unit)(void *ctx, const struct rendition *rendition, int64_t ts, bool is_key,
                 const uint8_t *bytes, size_t len);
    /* The engine is called now, which may not come back. */
    bool (*enter)(void *ctx, const struct rendition *rendition);
    /* It failed, and software does it from the present frame on. */
    bool (*fell_back)(void *ctx, const struct rendition *rendition, enum weir_xcode_fault fault);
};

/* `engine`: of this process; kept; NULL: none, then software does what was meant for one. */
struct rendition *rendition_new(uint32_t number, const struct weir_xcode_rendition *spec,
                                struct engine *engine);
void rendition_free(struct rendition **rendition); /* sets NULL; NULL is fine */

uint32_t rendition_number(const struct rendition *rendition);

/* Bit rate and frame rate count from the next frame on, a size too, with an encoder of its own. */
void rendition_change(struct rendition *rendition, const struct weir_xcode_rendition *spec);

/* Whether a frame of that time would be taken. */
bool rendition_wants(const struct rendition *rendition, int64_t ts);

/*
 * Takes the frame, if it is wanted; it stays the caller's. False: a call said so, or what software
 * made is nothing.
 *
 * `pictures`  the frame, then what larger renditions drew of it (scaler_choose); behind them NULL.
 */
bool rendition_take(struct rendition *rendition, const struct AVFrame *const *pictures,
                    const struct rendition_calls *calls, void *ctx);

/* What it drew of the frame of that time; NULL: nothing. Its own, until it is called again. */
const struct AVFrame *rendition_picture(const struct rendition *rendition, int64_t ts);

/* Samples that its picture has at most. */
uint64_t rendition_most(const struct rendition *rendition);

#endif
