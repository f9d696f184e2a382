/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/decode/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/decode/image.h"

#define CHANNEL_FD 3

static bool read_all(void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = read(CHANNEL_FD, (char *)bytes + at, len - at);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool write_all(const void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = write(CHANNEL_FD, (const char *)bytes + at, len - at);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return true;
}

bool serve_one(void)
{
    struct weir_decode_ask ask;
    struct frame_picture picture = {0};
    struct image image = {0};
    if (!read_all(&ask, sizeof(ask)) || ask.magic != WEIR_DECODE_MAGIC ||
        ask.bytes > WEIR_CLIP_BYTES_MAX || ask.quality < 1 || ask.quality > 100) {
        return false;
    }
    uint8_t *clip = malloc((size_t)ask.bytes + 1);
    if (!clip || !read_all(clip, ask.bytes)) {
        free(clip);
        return false;
    }
    const struct frame_limits limits = {ask.width, ask.long_side, ask.short_side};
    enum weir_decode_status status =
        frame_decode((enum weir_still_codec)ask.codec, clip, ask.bytes, ask.ts, &limits, &picture);
    free(clip);
    if (status == WEIR_DECODE_OK &&
        !image_make(&picture, (enum weir_still_format)ask.format, ask.quality, &image)) {
        status = WEIR_DECODE_FAILED;
    }
    struct weir_decode_answer answer = {.magic = WEIR_DECODE_MAGIC,
                                        .status = status,
                                        .width = picture.width,
                                        .height = picture.height,
                                        .bytes = (uint32_t)image.len,
                                        .is_damaged = picture.is_damaged};
    bool is_sent = write_all(&answer, sizeof(answer)) && write_all(image.bytes, image.len);
    frame_picture_done(&picture);
    free(image.bytes);
    return is_sent;
}
