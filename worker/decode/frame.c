/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/decode/frame.h"

#include <libavutil/frame.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdlib.h>

#define HD_HEIGHT 720 /* from here on BT.709, where the camera does not say (ITU-R BT.709) */

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

static enum weir_decode_status decode(const struct frame_wish *wish, struct course **parked,
                                      struct course_end *end, use_fn *use, void *ret)
{
    enum weir_decode_status status = WEIR_DECODE_FAILED;
    end->frame = av_frame_alloc();
    if (!end->frame) {
        return status;
    }
    if (course_run(parked, wish->codec, wish->clip, wish->len, wish->ts, end)) {
        status = use(end->frame, ret);
    } else if (!end->is_out_of_room) {
        status = WEIR_DECODE_UNDECODABLE;
    }
    av_frame_free(&end->frame);
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

enum weir_decode_status frame_decode(const struct frame_wish *wish,
                                     const struct frame_limits *limits, struct course **parked,
                                     struct frame_picture *ret)
{
    struct wanted_picture wanted = {limits, ret};
    struct course_end end = {0};
    *ret = (struct frame_picture){0};
    enum weir_decode_status status = decode(wish, parked, &end, make_picture, &wanted);
    ret->is_damaged = end.is_damaged;
    ret->is_parked = end.is_parked;
    ret->has_gone_on = end.has_gone_on;
    return status;
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

enum weir_decode_status frame_luma(const struct frame_wish *wish, bool *ret_is_damaged,
                                   uint8_t **ret)
{
    struct course_end end = {0};
    *ret = NULL;
    enum weir_decode_status status = decode(wish, NULL, &end, make_luma, ret);
    *ret_is_damaged = end.is_damaged;
    return status;
}

void frame_picture_done(struct frame_picture *picture)
{
    free(picture->rgb);
    picture->rgb = NULL;
}
