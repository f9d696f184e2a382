/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/decode/frame.h"

#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdlib.h>
#include <string.h>

#define HD_HEIGHT 720 /* from here on BT.709, where the camera does not say (ITU-R BT.709) */

/* ---- to a frame ---- */

static AVCodecContext *open_decoder(enum weir_still_codec codec)
{
    static const enum AVCodecID ids[] = {[WEIR_STILL_H264] = AV_CODEC_ID_H264,
                                         [WEIR_STILL_H265] = AV_CODEC_ID_HEVC,
                                         [WEIR_STILL_MJPEG] = AV_CODEC_ID_MJPEG};
    const AVCodec *decoder = codec <= WEIR_STILL_MJPEG ? avcodec_find_decoder(ids[codec]) : NULL;
    AVCodecContext *ctx = decoder ? avcodec_alloc_context3(decoder) : NULL;
    if (!ctx) {
        return NULL;
    }
    ctx->thread_count = 1;
    ctx->max_pixels = WEIR_STILL_PIXELS_MAX;
    ctx->pkt_timebase = (AVRational){1, 90000};
    if (avcodec_open2(ctx, decoder, NULL) < 0) {
        avcodec_free_context(&ctx);
    }
    return ctx;
}

static const uint8_t start_code[4] = {0, 0, 0, 1};

/* Lengths become start codes (ISO/IEC 14496-10 annex B). False when they do not add up. */
static bool to_annex_b(uint8_t *unit, size_t len)
{
    size_t at = 0;
    while (at + 4 <= len) {
        size_t nal = (size_t)unit[at] << 24 | (size_t)unit[at + 1] << 16 |
                     (size_t)unit[at + 2] << 8 | (size_t)unit[at + 3];
        if (nal > len - at - 4) {
            return false;
        }
        memcpy(unit + at, start_code, sizeof(start_code));
        at += 4 + nal;
    }
    return at == len;
}

static bool send_unit(AVCodecContext *ctx, uint8_t *unit, size_t len, int64_t ts)
{
    AVPacket *packet = av_packet_alloc();
    bool is_image = ctx->codec_id == AV_CODEC_ID_MJPEG;
    bool is_good =
        packet && (is_image || to_annex_b(unit, len)) && av_new_packet(packet, (int)len) == 0;
    if (is_good) {
        memcpy(packet->data, unit, len);
        packet->pts = ts;
        /* A unit that the decoder does not understand is a hole, not the end. */
        int code = avcodec_send_packet(ctx, packet);
        is_good = code != AVERROR(EAGAIN) && code != AVERROR(ENOMEM);
    }
    av_packet_free(&packet);
    return is_good;
}

/* Takes what is ready; true once the wanted frame is in `frame`. */
static bool receive(AVCodecContext *ctx, AVFrame *frame, int64_t ts, bool *is_damaged)
{
    while (avcodec_receive_frame(ctx, frame) == 0) {
        *is_damaged = *is_damaged || frame->decode_error_flags != 0 ||
                      (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0;
        if (frame->pts == ts) {
            return true;
        }
        av_frame_unref(frame);
    }
    return false;
}

/* Pictures that no other one is made from are left out on the way to the wanted one. */
static bool decode_to(AVCodecContext *ctx, uint8_t *clip, size_t len, int64_t ts, AVFrame *frame,
                      bool *is_damaged)
{
    size_t at = 0;
    while (len - at >= sizeof(struct weir_clip_unit)) {
        struct weir_clip_unit head;
        memcpy(&head, clip + at, sizeof(head));
        at += sizeof(head);
        if (head.len > len - at) {
            return false;
        }
        ctx->skip_frame = head.ts == ts ? AVDISCARD_DEFAULT : AVDISCARD_NONREF;
        if (!send_unit(ctx, clip + at, head.len, head.ts)) {
            return false;
        }
        at += head.len;
        if (receive(ctx, frame, ts, is_damaged)) {
            return true;
        }
    }
    return at == len && avcodec_send_packet(ctx, NULL) == 0 && receive(ctx, frame, ts, is_damaged);
}

/* ---- to pixels ---- */

/* Makes `side` as long as `most` (0: any) where it is longer, and `other` smaller with it. */
static void shrink(int64_t *side, int64_t *other, uint32_t most)
{
    if (most > 0 && *side > most) {
        *other = (*other * most + *side / 2) / *side;
        *side = most;
    }
}

/* Square pixels: width and height as they are to be looked at, made smaller to the limits. */
static bool set_size(const AVFrame *frame, const struct frame_limits *limits,
                     struct frame_picture *ret)
{
    AVRational sar = frame->sample_aspect_ratio;
    int64_t w = frame->width;
    int64_t h = frame->height;
    if (sar.num > 0 && sar.den > 0 && sar.num <= 16 * sar.den && sar.den <= 16 * sar.num) {
        /* Enlarged in no direction. */
        w = sar.num < sar.den ? w * sar.num / sar.den : w;
        h = sar.num > sar.den ? h * sar.den / sar.num : h;
    }
    shrink(&w, &h, limits->width);
    shrink(w > h ? &w : &h, w > h ? &h : &w, limits->long_side);
    shrink(w > h ? &h : &w, w > h ? &w : &h, limits->short_side);
    ret->width = (uint32_t)(w > 0 ? w : 1);
    ret->height = (uint32_t)(h > 0 ? h : 1);
    return frame->width <= (int)WEIR_STILL_SIDE_MAX && frame->height <= (int)WEIR_STILL_SIDE_MAX;
}

static int matrix_of(const AVFrame *frame)
{
    if (frame->colorspace == AVCOL_SPC_UNSPECIFIED || frame->colorspace == AVCOL_SPC_RGB) {
        return frame->height >= HD_HEIGHT ? SWS_CS_ITU709 : SWS_CS_ITU601;
    }
    return (int)frame->colorspace; /* the numbers are the same (ITU-T H.273) */
}

static bool is_full_range(const AVFrame *frame)
{
    return frame->color_range == AVCOL_RANGE_JPEG || frame->format == AV_PIX_FMT_YUVJ420P ||
           frame->format == AV_PIX_FMT_YUVJ422P || frame->format == AV_PIX_FMT_YUVJ444P;
}

static bool to_rgb(const AVFrame *frame, struct frame_picture *picture)
{
    int w = (int)picture->width;
    int h = (int)picture->height;
    bool is_same = w == frame->width && h == frame->height;
    struct SwsContext *sws =
        sws_getContext(frame->width, frame->height, (enum AVPixelFormat)frame->format, w, h,
                       AV_PIX_FMT_RGB24, is_same ? SWS_POINT : SWS_AREA, NULL, NULL, NULL);
    uint8_t *const planes[4] = {picture->rgb};
    const int strides[4] = {3 * w};
    bool is_good = sws &&
                   sws_setColorspaceDetails(
                       sws, sws_getCoefficients(matrix_of(frame)), is_full_range(frame),
                       sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16) >= 0 &&
                   sws_scale(sws, (const uint8_t *const *)frame->data, frame->linesize, 0,
                             frame->height, planes, strides) == h;
    sws_freeContext(sws);
    return is_good;
}

/* ---- to brightness ---- */

/* Bytes of video are 16 (black) to 235, where they are not of the full range (ITU-R BT.601). */
static uint8_t to_full(int level)
{
    int full = (level - 16) * 255 / 219;
    return (uint8_t)(full < 0 ? 0 : full > 255 ? 255 : full);
}

/* The middle pixel of each part. */
static bool to_luma(const AVFrame *frame, uint8_t *luma)
{
    const AVPixFmtDescriptor *kind = av_pix_fmt_desc_get((enum AVPixelFormat)frame->format);
    uint64_t others = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BE |
                      AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_FLOAT;
    if (!kind || (kind->flags & others) != 0 || kind->comp[0].plane != 0 ||
        kind->comp[0].depth > 16) {
        return false;
    }
    const AVComponentDescriptor *y = &kind->comp[0];
    bool is_full = is_full_range(frame);
    for (int row = 0; row < WEIR_LUMA_HEIGHT; row++) {
        int at_y = (2 * row + 1) * frame->height / (2 * WEIR_LUMA_HEIGHT);
        const uint8_t *from = frame->data[0] + (ptrdiff_t)at_y * frame->linesize[0] + y->offset;
        for (int column = 0; column < WEIR_LUMA_WIDTH; column++) {
            const uint8_t *at =
                from + (2 * column + 1) * frame->width / (2 * WEIR_LUMA_WIDTH) * y->step;
            int level = y->depth > 8 ? (at[0] | at[1] << 8) >> y->shift >> (y->depth - 8) : at[0];
            luma[row * WEIR_LUMA_WIDTH + column] = is_full ? (uint8_t)level : to_full(level);
        }
    }
    return true;
}

/* ---- both ---- */

/* What the decoded frame is made into. */
typedef enum weir_decode_status use_fn(const AVFrame *frame, void *ret);

static enum weir_decode_status decode(enum weir_still_codec codec, uint8_t *clip, size_t len,
                                      int64_t ts, bool *ret_is_damaged, use_fn *use, void *ret)
{
    enum weir_decode_status status = WEIR_DECODE_UNDECODABLE;
    av_log_set_level(AV_LOG_QUIET);
    AVCodecContext *ctx = open_decoder(codec);
    AVFrame *frame = av_frame_alloc();
    if (!ctx || !frame) {
        status = WEIR_DECODE_FAILED;
    } else if (decode_to(ctx, clip, len, ts, frame, ret_is_damaged)) {
        status = use(frame, ret);
    }
    av_frame_free(&frame);
    avcodec_free_context(&ctx);
    return status;
}

struct wanted_picture {
    const struct frame_limits *limits;
    struct frame_picture *picture;
};

static enum weir_decode_status make_picture(const AVFrame *frame, void *ret)
{
    const struct wanted_picture *wanted = ret;
    struct frame_picture *picture = wanted->picture;
    if (!set_size(frame, wanted->limits, picture)) {
        return WEIR_DECODE_TOO_LARGE;
    }
    uint8_t *rgb = malloc((size_t)picture->width * picture->height * 3);
    picture->rgb = rgb;
    return rgb && to_rgb(frame, picture) ? WEIR_DECODE_OK : WEIR_DECODE_FAILED;
}

enum weir_decode_status frame_decode(enum weir_still_codec codec, uint8_t *clip, size_t len,
                                     int64_t ts, const struct frame_limits *limits,
                                     struct frame_picture *ret)
{
    struct wanted_picture wanted = {limits, ret};
    *ret = (struct frame_picture){0};
    return decode(codec, clip, len, ts, &ret->is_damaged, make_picture, &wanted);
}

static enum weir_decode_status make_luma(const AVFrame *frame, void *ret)
{
    uint8_t **luma = ret;
    *luma = malloc(WEIR_LUMA_BYTES);
    if (*luma && to_luma(frame, *luma)) {
        return WEIR_DECODE_OK;
    }
    free(*luma);
    *luma = NULL;
    return WEIR_DECODE_FAILED;
}

enum weir_decode_status frame_luma(enum weir_still_codec codec, uint8_t *clip, size_t len,
                                   int64_t ts, bool *ret_is_damaged, uint8_t **ret)
{
    *ret = NULL;
    *ret_is_damaged = false;
    return decode(codec, clip, len, ts, ret_is_damaged, make_luma, ret);
}

void frame_picture_done(struct frame_picture *picture)
{
    free(picture->rgb);
    picture->rgb = NULL;
}
