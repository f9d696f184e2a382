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

/* NULL image.bytes unless it is WEIR_DECODE_OK. */
static void make(const struct weir_decode_ask *ask, uint8_t *clip, struct weir_decode_answer *ret,
                 struct image *ret_image)
{
    enum weir_still_codec codec = (enum weir_still_codec)ask->codec;
    bool is_damaged = false;
    *ret = (struct weir_decode_answer){.magic = WEIR_DECODE_MAGIC};
    if (ask->format == WEIR_STILL_LUMA) {
        ret->status = frame_luma(codec, clip, ask->bytes, ask->ts, &is_damaged, &ret_image->bytes);
        ret->width = WEIR_LUMA_WIDTH;
        ret->height = WEIR_LUMA_HEIGHT;
        ret_image->len = ret_image->bytes ? WEIR_LUMA_BYTES : 0;
    } else {
        const struct frame_limits limits = {ask->width, ask->long_side, ask->short_side};
        struct frame_picture picture = {0};
        ret->status = frame_decode(codec, clip, ask->bytes, ask->ts, &limits, &picture);
        if (ret->status == WEIR_DECODE_OK &&
            !image_make(&picture, (enum weir_still_format)ask->format, ask->quality, ret_image)) {
            ret->status = WEIR_DECODE_FAILED;
        }
        is_damaged = picture.is_damaged;
        ret->width = picture.width;
        ret->height = picture.height;
        frame_picture_done(&picture);
    }
    ret->bytes = (uint32_t)ret_image->len;
    ret->is_damaged = is_damaged;
}

bool serve_one(void)
{
    struct weir_decode_ask ask;
    struct weir_decode_answer answer;
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
    make(&ask, clip, &answer, &image);
    free(clip);
    bool is_sent = write_all(&answer, sizeof(answer)) && write_all(image.bytes, image.len);
    free(image.bytes);
    return is_sent;
}
