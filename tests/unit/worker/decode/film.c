/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/decode/film.h"

#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static AVCodecContext *open_encoder(const struct film_kind *kind)
{
    bool is_h264 = kind->codec == WEIR_STILL_H264;
    const AVCodec *encoder = avcodec_find_encoder_by_name(is_h264 ? "libx264" : "libx265");
    assert_non_null(encoder);
    AVCodecContext *ctx = avcodec_alloc_context3(encoder);
    assert_non_null(ctx);
    ctx->width = kind->width;
    ctx->height = kind->width * 9 / 16;
    ctx->pix_fmt = AV_PIX_FMT_YUV420P;
    ctx->time_base = (AVRational){FILM_STEP, 90000};
    ctx->gop_size = FILM_GOP;
    ctx->max_b_frames = kind->bframes;
    ctx->bit_rate = 400000;
    assert_int_equal(av_opt_set(ctx->priv_data, "preset", "veryfast", 0), 0);
    assert_int_equal(
        av_opt_set(ctx->priv_data, is_h264 ? "x264-params" : "x265-params", kind->options, 0), 0);
    assert_int_equal(avcodec_open2(ctx, encoder, NULL), 0);
    return ctx;
}

/* A slope that wanders, a bar that goes, and noise. */
static void draw(AVFrame *frame, int n, uint32_t *dice)
{
    for (int y = 0; y < frame->height; y++) {
        for (int x = 0; x < frame->width; x++) {
            *dice = *dice * 1664525 + 1013904223;
            bool is_bar = (x + 3 * n) % 64 < 8;
            frame->data[0][y * frame->linesize[0] + x] =
                (uint8_t)((is_bar ? 200 : 40) + (x + y + 2 * n) % 32 + (int)(*dice >> 30));
        }
    }
    for (int plane = 1; plane <= 2; plane++) {
        for (int y = 0; y < frame->height / 2; y++) {
            memset(frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane], 100 + n % 50,
                   (size_t)frame->width / 2);
        }
    }
}

static void put(struct film *film, const void *bytes, size_t len)
{
    film->bytes = realloc(film->bytes, film->len + len);
    assert_non_null(film->bytes);
    memcpy(film->bytes + film->len, bytes, len);
    film->len += len;
}

/* Where the next start code begins, or the end; `*code_len` is its length. */
static size_t next_code(const uint8_t *bytes, size_t len, size_t at, size_t *code_len)
{
    for (; at + 3 <= len; at++) {
        if (bytes[at] == 0 && bytes[at + 1] == 0 && bytes[at + 2] == 1) {
            bool is_long = at > 0 && bytes[at - 1] == 0;
            *code_len = is_long ? 4 : 3;
            return is_long ? at - 1 : at;
        }
    }
    *code_len = 0;
    return len;
}

/* Start codes become lengths. */
static void put_record(struct film *film, const AVPacket *packet)
{
    struct weir_clip_unit head = {.ts = packet->pts * FILM_STEP};
    struct film_record *record = &film->records[film->n++];
    size_t len = (size_t)packet->size;
    size_t code_len;
    assert_true(film->n <= FILM_FRAMES);
    *record = (struct film_record){
        .at = film->len, .ts = head.ts, .is_key = (packet->flags & AV_PKT_FLAG_KEY) != 0};
    put(film, &head, sizeof(head));
    for (size_t at = next_code(packet->data, len, 0, &code_len); at < len;) {
        size_t begin = at + code_len;
        size_t end = next_code(packet->data, len, begin, &code_len);
        size_t nal = end - begin;
        const uint8_t length[4] = {(uint8_t)(nal >> 24), (uint8_t)(nal >> 16), (uint8_t)(nal >> 8),
                                   (uint8_t)nal};
        put(film, length, sizeof(length));
        put(film, packet->data + begin, nal);
        at = end;
    }
    record->end = film->len;
    head.len = (uint32_t)(record->end - record->at - sizeof(head));
    memcpy(film->bytes + record->at, &head, sizeof(head));
}

static void drain(AVCodecContext *ctx, AVPacket *packet, struct film *ret)
{
    while (avcodec_receive_packet(ctx, packet) == 0) {
        put_record(ret, packet);
        av_packet_unref(packet);
    }
}

void film_shoot(const struct film_kind *kind, struct film *ret)
{
    AVCodecContext *ctx = open_encoder(kind);
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    uint32_t dice = (uint32_t)kind->seed;
    assert_true(frame && packet);
    *ret = (struct film){.codec = kind->codec};
    for (int n = 0; n < FILM_FRAMES; n++) {
        frame->format = ctx->pix_fmt;
        frame->width = ctx->width;
        frame->height = ctx->height;
        assert_int_equal(av_frame_get_buffer(frame, 0), 0);
        draw(frame, n + 7 * kind->seed, &dice);
        frame->pts = n;
        assert_int_equal(avcodec_send_frame(ctx, frame), 0);
        av_frame_unref(frame);
        drain(ctx, packet, ret);
    }
    assert_int_equal(avcodec_send_frame(ctx, NULL), 0);
    drain(ctx, packet, ret);
    assert_int_equal(ret->n, FILM_FRAMES);
    av_packet_free(&packet);
    av_frame_free(&frame);
    avcodec_free_context(&ctx);
}

void film_done(struct film *film)
{
    free(film->bytes);
    film->bytes = NULL;
}

const uint8_t *film_clip(const struct film *film, size_t last, size_t *ret_len)
{
    size_t first = last;
    while (!film->records[first].is_key) {
        first--;
    }
    *ret_len = film->records[last].end - film->records[first].at;
    return film->bytes + film->records[first].at;
}

void film_lose(struct film *film, size_t i)
{
    size_t at = film->records[i].at;
    size_t len = film->records[i].end - at;
    memmove(film->bytes + at, film->bytes + at + len, film->len - at - len);
    film->len -= len;
    film->n--;
    for (size_t k = i; k < film->n; k++) {
        film->records[k] = film->records[k + 1];
        film->records[k].at -= len;
        film->records[k].end -= len;
    }
}
