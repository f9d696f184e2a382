/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/serve.h"

#include <errno.h>
#include <libavutil/frame.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/io/progressive.h"
#include "worker/xcode/decoder.h"
#include "worker/xcode/fit.h"
#include "worker/xcode/rendition.h"
#include "worker/xcode/sound.h"

struct serve {
    int fd;
    struct engine *engine;   /* NULL: none */
    struct decoder *decoder; /* NULL until the first unit */
    enum weir_xcode_codec codec;
    struct weir_progressive progressive;
    struct rendition *renditions[WEIR_XCODE_RENDITIONS_MAX];
    struct sound *sound; /* NULL: none is made */
    uint8_t *bytes;      /* of one message */
    size_t cap;
    uint8_t *out; /* messages back that wait for another */
    size_t out_len;
    size_t out_cap;
    bool is_last; /* nobody else makes anything of this frame: what comes of it need not go alone */
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

struct serve *serve_new(int fd, struct engine *engine)
{
    struct serve *serve = calloc(1, sizeof(*serve));
    if (serve) {
        serve->fd = fd;
        serve->engine = engine;
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
    weir_progressive_done(&serve->progressive);
    sound_free(&serve->sound);
    free(serve->bytes);
    free(serve->out);
    free(serve);
}

/* ---- back ---- */

static bool flush(struct serve *serve)
{
    bool is_good = write_all(serve->fd, serve->out, serve->out_len);
    serve->out_len = 0;
    return is_good;
}

/* It waits to be flushed: each writing wakes the tap. */
static bool add(struct serve *serve, struct weir_xcode_head head, const void *bytes)
{
    size_t need = serve->out_len + sizeof(head) + head.len;
    if (need > serve->out_cap) {
        uint8_t *out = realloc(serve->out, need * 2);
        if (!out) {
            return false;
        }
        serve->out = out;
        serve->out_cap = need * 2;
    }
    head.magic = WEIR_XCODE_MAGIC;
    memcpy(serve->out + serve->out_len, &head, sizeof(head));
    if (head.len > 0) {
        memcpy(serve->out + serve->out_len + sizeof(head), bytes, head.len);
    }
    serve->out_len = need;
    return true;
}

static bool send_unit(void *ctx, const struct rendition *rendition, int64_t ts, bool is_key,
                      const uint8_t *bytes, size_t len)
{
    struct serve *serve = ctx;
    struct weir_xcode_head head = {.kind = WEIR_XCODE_UNIT,
                                   .rendition = rendition_number(rendition),
                                   .is_key = is_key,
                                   .len = (uint32_t)len,
                                   .ts = ts};
    return add(serve, head, bytes) && (serve->is_last || flush(serve));
}

static bool send_bare(struct serve *serve, enum weir_xcode_kind kind, int64_t ts)
{
    return add(serve, (struct weir_xcode_head){.kind = kind, .ts = ts}, NULL) && flush(serve);
}

/* Behind it comes that the packet is done. */
static bool send_sound(void *ctx, int64_t ts, const uint8_t *bytes, size_t len)
{
    struct weir_xcode_head head = {.kind = WEIR_XCODE_SOUND_UNIT, .len = (uint32_t)len, .ts = ts};
    return add(ctx, head, bytes);
}

static bool send_enter(void *ctx, const struct rendition *rendition)
{
    struct weir_xcode_head head = {.kind = WEIR_XCODE_ENTER,
                                   .rendition = rendition_number(rendition)};
    return add(ctx, head, NULL) && flush(ctx);
}

static bool send_fell_back(void *ctx, const struct rendition *rendition,
                           enum weir_xcode_fault fault)
{
    struct weir_xcode_head head = {
        .kind = WEIR_XCODE_FELL_BACK, .rendition = rendition_number(rendition), .codec = fault};
    return add(ctx, head, NULL) && flush(ctx);
}

bool serve_say_ready(struct serve *serve)
{
    return send_bare(serve, WEIR_XCODE_LEAVE, 0);
}

/* ---- from the tap ---- */

static bool take_rendition(struct serve *serve, uint32_t number)
{
    struct weir_xcode_rendition spec;
    if (!read_all(serve->fd, &spec, sizeof(spec)) || !fit_is_sane(&spec)) {
        return false;
    }
    struct rendition **at = &serve->renditions[number];
    if (*at) {
        rendition_change(*at, &spec);
    } else {
        *at = rendition_new(number, &spec, serve->engine);
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

/* The largest that wants the frame of that time and is not among `taken`, a bit each; or NULL. */
static struct rendition *next_largest(const struct serve *serve, int64_t ts, uint32_t taken)
{
    struct rendition *largest = NULL;
    for (size_t i = 0; i < WEIR_XCODE_RENDITIONS_MAX; i++) {
        struct rendition *r = serve->renditions[i];
        bool is_left = r && (taken >> i & 1) == 0 && rendition_wants(r, ts);
        if (is_left && (!largest || rendition_most(r) > rendition_most(largest))) {
            largest = r;
        }
    }
    return largest;
}

static bool take_frame(void *ctx, const struct AVFrame *frame)
{
    static const struct rendition_calls calls = {send_unit, send_enter, send_fell_back};
    struct serve *serve = ctx;
    uint32_t taken = 0;
    struct rendition *r = next_largest(serve, frame->pts, taken);
    const AVFrame *pictures[1 + WEIR_XCODE_RENDITIONS_MAX + 1] = {
        weir_progressive_take(&serve->progressive, frame, r != NULL)};
    bool is_good = true;
    for (size_t n = 1; pictures[0] && is_good && r;) {
        taken |= UINT32_C(1) << rendition_number(r);
        struct rendition *next = next_largest(serve, frame->pts, taken);
        serve->is_last = next == NULL;
        is_good = rendition_take(r, pictures, &calls, serve);
        pictures[n] = rendition_picture(r, frame->pts);
        n += pictures[n] != NULL;
        r = next;
    }
    return is_good;
}

static bool take_sound(struct serve *serve)
{
    struct weir_xcode_sound spec;
    if (!read_all(serve->fd, &spec, sizeof(spec))) {
        return false;
    }
    sound_free(&serve->sound);
    serve->sound = sound_new(&spec);
    return serve->sound || send_bare(serve, WEIR_XCODE_SOUND_NONE, 0);
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
           send_bare(serve, WEIR_XCODE_DONE, head->ts);
}

/* What breaks the encoder of sound is no fault of pictures: there is silence from then on. */
static bool take_sound_unit(struct serve *serve, const struct weir_xcode_head *head)
{
    if (head->len > WEIR_XCODE_SOUND_MAX || !make_room(serve, head->len) ||
        !read_all(serve->fd, serve->bytes, head->len)) {
        return false;
    }
    bool is_good = !serve->sound ||
                   sound_take(serve->sound, serve->bytes, head->len, head->ts, send_sound, serve);
    if (!is_good) {
        sound_free(&serve->sound);
    }
    return (is_good || send_bare(serve, WEIR_XCODE_SOUND_NONE, head->ts)) &&
           send_bare(serve, WEIR_XCODE_DONE, head->ts);
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
        weir_progressive_done(&serve->progressive);
        return head.len == 0;
    case WEIR_XCODE_UNIT:
        return take_unit(serve, &head);
    case WEIR_XCODE_SOUND:
        return head.len == sizeof(struct weir_xcode_sound) && take_sound(serve);
    case WEIR_XCODE_SOUND_UNIT:
        return take_sound_unit(serve, &head);
    default:
        return false;
    }
}
