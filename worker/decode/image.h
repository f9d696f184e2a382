/* SPDX-License-Identifier: Apache-2.0 */
/* Pixels as a file: JPEG, PNG, WebP or AVIF, by each format's own library, on one thread. */
#ifndef WEIR_WORKER_DECODE_IMAGE_H
#define WEIR_WORKER_DECODE_IMAGE_H

#include <stdbool.h>

#include "worker/decode/frame.h"

struct image {
    uint8_t *bytes; /* owned: free() */
    size_t len;
};

/* `quality` is 1..100, of no meaning for PNG. False when the library gave up. */
bool image_make(const struct frame_picture *picture, enum weir_still_format format,
                unsigned quality, struct image *ret);

#endif
