/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/scaler.h"

#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "worker/xcode/shrink.h"

#define PLANES 3

void scaler_done(struct scaler *scaler)
{
    sws_freeContext(scaler->library);
    *scaler = (struct scaler){0};
}

static bool is_full_range(const AVFrame *frame)
{
    return frame->color_range == AVCOL_RANGE_JPEG || frame->format == AV_PIX_FMT_YUVJ420P ||
           frame->format == AV_PIX_FMT_YUVJ422P || frame->format == AV_PIX_FMT_YUVJ444P;
}

/* ---- by whole numbers ---- */

static struct shrink_plane plane_of(const AVFrame *frame, int i)
{
    int shift_x = 0;
    int shift_y = 0;
    if (i > 0) {
        (void)av_pix_fmt_get_chroma_sub_sample((enum AVPixelFormat)frame->format, &shift_x,
                                               &shift_y);
    }
    return (struct shrink_plane){frame->data[i], frame->linesize[i],
                                 AV_CEIL_RSHIFT(frame->width, shift_x),
                                 AV_CEIL_RSHIFT(frame->height, shift_y)};
}

static bool has_planes_of_bytes(int format)
{
    switch (format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUV422P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUV444P:
    case AV_PIX_FMT_YUVJ444P:
        return true;
    default:
        return false;
    }
}

static bool can_shrink(const AVFrame *from, const AVFrame *to)
{
    bool is_good = has_planes_of_bytes(from->format);
    for (int i = 0; is_good && i < PLANES; i++) {
        struct shrink_plane large = plane_of(from, i);
        struct shrink_plane small = plane_of(to, i);
        is_good = shrink_is_known(large.width, large.height, small.width, small.height);
    }
    return is_good;
}

static void shrink(const AVFrame *from, AVFrame *to)
{
    bool is_full = is_full_range(from);
    for (int i = 0; i < PLANES; i++) {
        struct shrink_plane large = plane_of(from, i);
        struct shrink_plane small = plane_of(to, i);
        shrink_plane(&large, &small,
                     !is_full ? SHRINK_AS_THEY_ARE
                     : i == 0 ? SHRINK_FULL_LUMA
                              : SHRINK_FULL_CHROMA);
    }
}

/* ---- by the library ---- */

/* The numbers of matrices are those of libswscale (ITU-T H.273). */
static struct scaler_shape shape_of(const AVFrame *from, int matrix, const AVFrame *to)
{
    return (struct scaler_shape){from->width,         from->height, from->format, matrix,
                                 is_full_range(from), to->width,    to->height};
}

static bool is_same_shape(const struct scaler_shape *a, const struct scaler_shape *b)
{
    return a->width == b->width && a->height == b->height && a->format == b->format &&
           a->matrix == b->matrix && a->is_full_range == b->is_full_range &&
           a->to_width == b->to_width && a->to_height == b->to_height;
}

/* Of others colour is made smaller, and not left out in part, also where the size stays. */
static bool has_chroma_of_420(const AVFrame *frame)
{
    int shift_x = 1;
    int shift_y = 1;
    return av_pix_fmt_get_chroma_sub_sample((enum AVPixelFormat)frame->format, &shift_x,
                                            &shift_y) == 0 &&
           shift_x == 1 && shift_y == 1;
}

static bool open_library(struct scaler *scaler, const AVFrame *from, int matrix, const AVFrame *to)
{
    struct scaler_shape shape = shape_of(from, matrix, to);
    if (scaler->library && is_same_shape(&shape, &scaler->shape)) {
        return true;
    }
    bool is_same =
        from->width == to->width && from->height == to->height && has_chroma_of_420(from);
    scaler_done(scaler);
    scaler->shape = shape;
    scaler->library = sws_getContext(from->width, from->height, (enum AVPixelFormat)from->format,
                                     to->width, to->height, AV_PIX_FMT_YUV420P,
                                     is_same ? SWS_POINT : SWS_AREA, NULL, NULL, NULL);
    if (!scaler->library) {
        return false;
    }
    /* Only the range changes. What the library cannot do it leaves as it is. */
    const int *coefficients = sws_getCoefficients(matrix);
    (void)sws_setColorspaceDetails(scaler->library, coefficients, shape.is_full_range, coefficients,
                                   0, 0, 1 << 16, 1 << 16);
    return true;
}

/* ---- both ---- */

const AVFrame *scaler_choose(const AVFrame *const *pictures, const AVFrame *to)
{
    const AVFrame *chosen = pictures[0];
    for (size_t i = 1; pictures[i]; i++) {
        const AVFrame *picture = pictures[i];
        if (shrink_is_whole(picture->width, picture->height, to->width, to->height)) {
            chosen = picture;
        }
    }
    return chosen;
}

bool scaler_draw(struct scaler *scaler, const AVFrame *from, int matrix, AVFrame *to)
{
    if (can_shrink(from, to)) {
        shrink(from, to);
        return true;
    }
    return open_library(scaler, from, matrix, to) &&
           sws_scale(scaler->library, (const uint8_t *const *)from->data, from->linesize, 0,
                     from->height, to->data, to->linesize) == to->height;
}
