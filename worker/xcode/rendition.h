/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One rendition of a camera: takes decoded pictures, leaves out those that are too many, makes them
 * smaller, encodes them (H.264, 4:2:0, 8 bit, no B-frames).
 */
#ifndef WEIR_WORKER_XCODE_RENDITION_H
#define WEIR_WORKER_XCODE_RENDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/domain/xcode.h"

struct AVFrame;
struct rendition;

/* An encoded unit, in the form of lib/domain/xcode.h; valid during the call. False: it cannot be
 * handed on, all is over. */
typedef bool rendition_unit_fn(void *ctx, const struct rendition *rendition, int64_t ts,
                               bool is_key, const uint8_t *bytes, size_t len);

struct rendition *rendition_new(uint32_t number, const struct weir_xcode_rendition *spec);
void rendition_free(struct rendition **rendition); /* sets NULL; NULL is fine */

uint32_t rendition_number(const struct rendition *rendition);

/* Bit rate and frame rate count from the next frame on, a size too, with an encoder of its own. */
void rendition_change(struct rendition *rendition, const struct weir_xcode_rendition *spec);

/* Whether a frame of that time would be taken. */
bool rendition_wants(const struct rendition *rendition, int64_t ts);

/*
 * Takes the frame, if it is wanted; `frame` stays the caller's. False: the encoder cannot be opened
 * or broke, or `fn` said so.
 */
bool rendition_take(struct rendition *rendition, const struct AVFrame *frame, rendition_unit_fn *fn,
                    void *ctx);

/* A spec that makes sense; what comes from elsewhere is looked at first. Pure. */
bool rendition_is_sane(const struct weir_xcode_rendition *spec);

#endif
