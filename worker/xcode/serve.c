/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/serve.h"

#include <errno.h>
#include <libavutil/frame.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/xcode/decoder.h"
#include "worker/xcode/progressive.h"
#include "worker/xcode/rendition.h"

struct serve {
    int fd;
    struct decoder *decoder; /* NULL until the first unit */
    enum weir_xcode_codec codec;
    struct progressive progressive;
    struct rendition *renditions[WEIR_XCODE_RENDITIONS_MAX];
    uint8_t *bytes; /* of one message */
    size_t cap;
};

static bool read_all(int fd, void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = read(fd, (char *)bytes + at, len - at);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool write_all(int fd, const void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = write(fd, (const char *)bytes + at, len - at);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return true;
}

struct serve *serve_new(int fd)
{
    struct serve *serve = calloc(1, sizeof(*serve));
    if (serve) {
        serve->fd = fd;
    }
    return serve;
}

void serve_free(struct serve *serve)
{
    if (!serve) {
        return;
    }
    for (size_t i = 0; i < WEIR_XCODE_RENDITIONS_MAX; i++) {
        rendition_free(&serve->renditions[i]);
    }
    decoder_free(&serve->decoder);
    progressive_done(&serve->progressive);
    free(serve->bytes);
    free(serve);
}

/* ---- back ---- */

static bool send_unit(void *ctx, const struct rendition *rendition, int64_t ts, bool is_key,
                      const uint8_t *bytes, size_t len)
{
    const struct serve *serve = ctx;
    struct weir_xcode_head head = {.magic = WEIR_XCODE_MAGIC,
                                   .kind = WEIR_XCODE_UNIT,
                                   .rendition = rendition_number(rendition),
                                   .is_key = is_key,
                                   .len = (uint32_t)len,
                                   .ts = ts};
    return write_all(serve->fd, &head, sizeof(head)) && write_all(serve->fd, bytes, len);
}

static bool send_done(const struct serve *serve, int64_t ts)
{
    struct weir_xcode_head head = {.magic = WEIR_XCODE_MAGIC, .kind = WEIR_XCODE_DONE, .ts = ts};
    return write_all(serve->fd, &head, sizeof(head));
}

/* ---- from the tap ---- */

static bool take_rendition(struct serve *serve, uint32_t number)
{
    struct weir_xcode_rendition spec;
    if (!read_all(serve->fd, &spec, sizeof(spec)) || !rendition_is_sane(&spec)) {
        return false;
    }
    struct rendition **at = &serve->renditions[number];
    if (*at) {
        rendition_change(*at, &spec);
    } else {
        *at = rendition_new(number, &spec);
    }
    return *at != NULL;
}

static bool wants(void *ctx, int64_t ts)
{
    const struct serve *serve = ctx;
    for (size_t i = 0; i < WEIR_XCODE_RENDITIONS_MAX; i++) {
        if (serve->renditions[i] && rendition_wants(serve->renditions[i], ts)) {
            return true;
        }
    }
    return false;
}

static bool take_frame(void *ctx, const struct AVFrame *frame)
{
    struct serve *serve = ctx;
    bool is_good = true;
    const AVFrame *whole = progressive_take(&serve->progressive, frame, wants(serve, frame->pts));
    for (size_t i = 0; whole && is_good && i < WEIR_XCODE_RENDITIONS_MAX; i++) {
        is_good =
            !serve->renditions[i] || rendition_take(serve->renditions[i], whole, send_unit, serve);
    }
    return is_good;
}

/* Room for the unit and what decoders read behind it. */
static bool make_room(struct serve *serve, size_t len)
{
    size_t need = len + DECODER_PADDING;
    if (need <= serve->cap) {
        return true;
    }
    free(serve->bytes);
    serve->cap = need * 2;
    serve->bytes = calloc(1, serve->cap);
    return serve->bytes != NULL;
}

static bool take_unit(struct serve *serve, const struct weir_xcode_head *head)
{
    static const struct decoder_calls calls = {wants, take_frame};
    enum weir_xcode_codec codec = (enum weir_xcode_codec)head->codec;
    if (head->codec > WEIR_XCODE_MJPEG || !make_room(serve, head->len) ||
        !read_all(serve->fd, serve->bytes, head->len)) {
        return false;
    }
    if (!serve->decoder || serve->codec != codec) {
        decoder_free(&serve->decoder);
        serve->decoder = decoder_new(codec, &calls, serve);
        serve->codec = codec;
    }
    return serve->decoder && decoder_take(serve->decoder, serve->bytes, head->len, head->ts) &&
           send_done(serve, head->ts);
}

bool serve_one(struct serve *serve)
{
    struct weir_xcode_head head;
    if (!read_all(serve->fd, &head, sizeof(head)) || head.magic != WEIR_XCODE_MAGIC ||
        head.rendition >= WEIR_XCODE_RENDITIONS_MAX || head.len > WEIR_XCODE_UNIT_MAX) {
        return false;
    }
    switch (head.kind) {
    case WEIR_XCODE_RENDITION:
        return head.len == sizeof(struct weir_xcode_rendition) &&
               take_rendition(serve, head.rendition);
    case WEIR_XCODE_DROP:
        rendition_free(&serve->renditions[head.rendition]);
        return head.len == 0;
    case WEIR_XCODE_FLUSH:
        decoder_free(&serve->decoder);
        progressive_done(&serve->progressive);
        return head.len == 0;
    case WEIR_XCODE_UNIT:
        return take_unit(serve, &head);
    default:
        return false;
    }
}
