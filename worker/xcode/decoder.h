/* SPDX-License-Identifier: Apache-2.0 */
/* One decoder for all renditions of a camera. */
#ifndef WEIR_WORKER_XCODE_DECODER_H
#define WEIR_WORKER_XCODE_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/domain/xcode.h"

#define DECODER_PADDING 64 /* bytes behind a unit that may be read */

struct AVFrame;
struct decoder;

struct decoder_calls {
    /* Whether anybody wants the frame of that time; what no other frame is made from is not decoded
     * where nobody does. */
    bool (*wants)(void *ctx, int64_t ts);
    /* A frame, its `pts` set, in the order of time; valid during the call. False ends all. */
    bool (*frame)(void *ctx, const struct AVFrame *frame);
};

/* NULL when there is no such decoder. `calls` stays the caller's. */
struct decoder *decoder_new(enum weir_xcode_codec codec, const struct decoder_calls *calls,
                            void *ctx);
void decoder_free(struct decoder **decoder); /* sets NULL; NULL is fine */

/*
 * Decodes one unit; `unit` is changed, and has DECODER_PADDING bytes behind it. What the decoder
 * does not understand is a hole, not the end. False when memory is short or a call said so.
 */
bool decoder_take(struct decoder *decoder, uint8_t *unit, size_t len, int64_t ts);

#endif
