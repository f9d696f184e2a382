/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/decode/serve.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "worker/decode/image.h"

#define CHANNEL_FD 3

/* What the question before this one left. */
static struct course *parked;
static int64_t parked_until_ms;

/* Until the next question comes; what is parked goes in its time, whatever is asked meanwhile. */
static void await_question(void)
{
    struct pollfd channel = {.fd = CHANNEL_FD, .events = POLLIN};
    while (parked) {
        int64_t left_ms = parked_until_ms - weir_clock_mono_ms();
        if (left_ms <= 0) {
            course_free(&parked);
        } else if (poll(&channel, 1, (int)left_ms) > 0) {
            return;
        }
    }
}

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

static void make_luma(const struct frame_wish *wish, struct weir_decode_answer *ret,
                      struct image *ret_image)
{
    bool is_damaged;
    ret->status = frame_luma(wish, &is_damaged, &ret_image->bytes);
    ret->width = WEIR_LUMA_WIDTH;
    ret->height = WEIR_LUMA_HEIGHT;
    ret->is_damaged = is_damaged;
    ret_image->len = ret_image->bytes ? WEIR_LUMA_BYTES : 0;
}

static void make_image(const struct weir_decode_ask *ask, const struct frame_wish *wish,
                       struct weir_decode_answer *ret, struct image *ret_image)
{
    const struct frame_limits limits = {ask->width, ask->long_side, ask->short_side};
    struct frame_picture picture = {0};
    ret->status = frame_decode(wish, &limits, ask->park_ms > 0 ? &parked : NULL, &picture);
    if (ret->status == WEIR_DECODE_OK &&
        !image_make(&picture, (enum weir_still_format)ask->format, ask->quality, ret_image)) {
        ret->status = WEIR_DECODE_FAILED;
    }
    if (picture.is_parked) {
        parked_until_ms = weir_clock_mono_ms() + ask->park_ms;
    }
    ret->width = picture.width;
    ret->height = picture.height;
    ret->is_damaged = picture.is_damaged;
    ret->is_parked = picture.is_parked;
    ret->has_gone_on = picture.has_gone_on;
    frame_picture_done(&picture);
}

/* NULL image.bytes unless it is WEIR_DECODE_OK. */
static void make(const struct weir_decode_ask *ask, const uint8_t *clip,
                 struct weir_decode_answer *ret, struct image *ret_image)
{
    const struct frame_wish wish = {(enum weir_still_codec)ask->codec, clip, ask->bytes, ask->ts};
    *ret = (struct weir_decode_answer){.magic = WEIR_DECODE_MAGIC};
    if (ask->format == WEIR_STILL_LUMA) {
        make_luma(&wish, ret, ret_image);
    } else {
        make_image(ask, &wish, ret, ret_image);
    }
    ret->bytes = (uint32_t)ret_image->len;
}

bool serve_one(void)
{
    struct weir_decode_ask ask;
    struct weir_decode_answer answer;
    struct image image = {0};
    await_question();
    if (!read_all(&ask, sizeof(ask)) || ask.magic != WEIR_DECODE_MAGIC ||
        ask.bytes > WEIR_CLIP_BYTES_MAX || ask.quality < 1 || ask.quality > 100 ||
        ask.park_ms > WEIR_PARK_MS_MAX) {
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
