/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/judge.h"

#include <libavcodec/avcodec.h>
#include <stdlib.h>

#define BLOCK 16

/* In tenths of a step of 256: what few bits may do to a block's brightness, beside half of how much
 * the picture's own blocks differ. */
#define COARSE 40

struct judge {
    AVCodecContext *decoder;
    AVFrame *frame;
};

struct judge *judge_new(void)
{
    struct judge *judge = calloc(1, sizeof(*judge));
    const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_H264);
    if (!judge || !codec) {
        free(judge);
        return NULL;
    }
    judge->decoder = avcodec_alloc_context3(codec);
    judge->frame = av_frame_alloc();
    if (judge->decoder) {
        judge->decoder->thread_count = 1;
        judge->decoder->flags |= AV_CODEC_FLAG_LOW_DELAY;
    }
    if (!judge->decoder || !judge->frame || avcodec_open2(judge->decoder, codec, NULL) < 0) {
        judge_free(&judge);
    }
    return judge;
}

void judge_free(struct judge **ptr)
{
    struct judge *judge = *ptr;
    if (!judge) {
        return;
    }
    *ptr = NULL;
    avcodec_free_context(&judge->decoder);
    av_frame_free(&judge->frame);
    free(judge);
}

bool judge_take(struct judge *judge, const AVPacket *packet, judge_frame_fn *fn, void *ctx)
{
    bool is_good = avcodec_send_packet(judge->decoder, packet) == 0;
    while (is_good && avcodec_receive_frame(judge->decoder, judge->frame) == 0) {
        fn(ctx, judge->frame);
        av_frame_unref(judge->frame);
    }
    if (!packet) {
        avcodec_flush_buffers(judge->decoder);
    }
    return is_good;
}

long judge_apart(const AVFrame *a, const AVFrame *b)
{
    if (a->width != b->width || a->height != b->height || a->width <= 0 || a->height <= 0) {
        return JUDGE_OTHER_SIZE;
    }
    int64_t sum = 0;
    for (int y = 0; y < a->height; y++) {
        const uint8_t *line_a = a->data[0] + (ptrdiff_t)y * a->linesize[0];
        const uint8_t *line_b = b->data[0] + (ptrdiff_t)y * b->linesize[0];
        int32_t line = 0;
        for (int x = 0; x < a->width; x++) {
            line += abs((int)line_a[x] - (int)line_b[x]);
        }
        sum += line;
    }
    return (long)(sum * 10 / ((int64_t)a->width * a->height));
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Brightness of a block, in tenths. Noise, which few bits leave out, is gone in it. */
static long block_mean(const AVFrame *frame, int left, int top)
{
    int width = smaller(BLOCK, frame->width - left);
    int height = smaller(BLOCK, frame->height - top);
    long sum = 0;
    for (int y = 0; y < height; y++) {
        const uint8_t *line = frame->data[0] + (ptrdiff_t)(top + y) * frame->linesize[0] + left;
        for (int x = 0; x < width; x++) {
            sum += line[x];
        }
    }
    return sum * 10 / ((long)width * height);
}

/* Over all blocks; `b` NULL: how far each is from `mean`. */
static long blocks_apart(const AVFrame *a, const AVFrame *b, long mean)
{
    int64_t sum = 0;
    int64_t n = 0;
    for (int top = 0; top < a->height; top += BLOCK) {
        for (int left = 0; left < a->width; left += BLOCK, n++) {
            sum += labs(block_mean(a, left, top) - (b ? block_mean(b, left, top) : mean));
        }
    }
    return (long)(sum / (n > 0 ? n : 1));
}

static bool is_alike(const AVFrame *decoded, const AVFrame *picture)
{
    if (decoded->width != picture->width || decoded->height != picture->height) {
        return false;
    }
    long mean = blocks_apart(picture, NULL, 0); /* brightness is never below 0 */
    long contrast = blocks_apart(picture, NULL, mean);
    return blocks_apart(decoded, picture, 0) <= COARSE + contrast / 2;
}

struct look {
    const AVFrame *picture;
    bool is_seen;
    bool is_it;
};

static void look(void *ctx, const AVFrame *decoded)
{
    struct look *at = ctx;
    at->is_it = !at->is_seen && is_alike(decoded, at->picture);
    at->is_seen = true;
}

bool judge_is_picture(struct judge *judge, const AVPacket *key, const AVFrame *picture)
{
    struct look at = {.picture = picture};
    bool is_good = judge_take(judge, key, look, &at);
    return judge_take(judge, NULL, look, &at) && is_good && at.is_it;
}
