/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/progressive.h"

#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
#include <string.h>

#include "lib/domain/deinterlace.h"

#define PLANES 3

void weir_progressive_done(struct weir_progressive *p)
{
    av_frame_free(&p->before);
    av_frame_free(&p->whole);
}

/* The format with 8 bits a sample of the same planes; AV_PIX_FMT_NONE where there is none, which
 * no decoder of this program gives for a frame in fields. */
static enum AVPixelFormat whole_format(const AVPixFmtDescriptor *desc)
{
    static const enum AVPixelFormat formats[2][2] = {
        {AV_PIX_FMT_YUV444P, AV_PIX_FMT_NONE},
        {AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV420P},
    };
    const uint64_t others =
        AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_BE | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_HWACCEL;
    bool is_usable = desc != NULL && desc->nb_components >= PLANES && (desc->flags & others) == 0 &&
                     (desc->flags & AV_PIX_FMT_FLAG_PLANAR) != 0 && desc->comp[0].depth >= 8 &&
                     desc->comp[0].depth <= 16 && desc->log2_chroma_w <= 1 &&
                     desc->log2_chroma_h <= 1;
    /* Three planes of one component each. */
    for (int i = 0; is_usable && i < PLANES; i++) {
        is_usable = desc->comp[i].plane == i && desc->comp[i].shift == 0;
    }
    return is_usable ? formats[desc->log2_chroma_w][desc->log2_chroma_h] : AV_PIX_FMT_NONE;
}

static bool prepare(struct weir_progressive *p, const AVFrame *frame, enum AVPixelFormat format)
{
    if (!p->whole) {
        p->whole = av_frame_alloc();
    }
    if (!p->whole) {
        return false;
    }
    AVFrame *whole = p->whole;
    bool is_same = whole->data[0] && whole->width == frame->width &&
                   whole->height == frame->height && whole->format == (int)format;
    if (!is_same) {
        av_frame_unref(whole);
        whole->width = frame->width;
        whole->height = frame->height;
        whole->format = format;
        if (av_frame_get_buffer(whole, 0) < 0) {
            return false;
        }
    }
    return av_frame_make_writable(whole) == 0;
}

static bool is_full_range(enum AVPixelFormat format)
{
    return format == AV_PIX_FMT_YUVJ420P || format == AV_PIX_FMT_YUVJ422P ||
           format == AV_PIX_FMT_YUVJ444P;
}

static void take_words(AVFrame *whole, const AVFrame *frame)
{
    whole->pts = frame->pts;
    whole->sample_aspect_ratio = frame->sample_aspect_ratio;
    whole->color_range =
        is_full_range((enum AVPixelFormat)frame->format) ? AVCOL_RANGE_JPEG : frame->color_range;
    whole->colorspace = frame->colorspace;
    whole->color_primaries = frame->color_primaries;
    whole->color_trc = frame->color_trc;
}

static struct weir_deinterlace_plane plane_of(const AVFrame *frame, int i, unsigned depth)
{
    if (!frame) {
        return (struct weir_deinterlace_plane){0};
    }
    return (struct weir_deinterlace_plane){frame->data[i], frame->linesize[i], depth};
}

static const AVFrame *make_whole(struct weir_progressive *p, const AVFrame *frame)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get((enum AVPixelFormat)frame->format);
    enum AVPixelFormat format = whole_format(desc);
    if (format == AV_PIX_FMT_NONE || frame->width > WEIR_DEINTERLACE_WIDTH_MAX) {
        return frame;
    }
    if (!prepare(p, frame, format)) {
        return NULL;
    }
    bool is_of_before = p->before && p->before->data[0] && p->before->width == frame->width &&
                        p->before->height == frame->height && p->before->format == frame->format;
    const AVFrame *before = is_of_before ? p->before : NULL;
    for (int i = 0; i < PLANES; i++) {
        struct weir_deinterlace_plane now = plane_of(frame, i, (unsigned)desc->comp[i].depth);
        struct weir_deinterlace_plane past = plane_of(before, i, (unsigned)desc->comp[i].depth);
        int width = i == 0 ? frame->width : AV_CEIL_RSHIFT(frame->width, desc->log2_chroma_w);
        int height = i == 0 ? frame->height : AV_CEIL_RSHIFT(frame->height, desc->log2_chroma_h);
        weir_deinterlace_plane(&now, &past, width, height, frame->top_field_first != 0,
                               p->whole->data[i], p->whole->linesize[i]);
    }
    take_words(p->whole, frame);
    return p->whole;
}

static void keep(struct weir_progressive *p, const AVFrame *frame)
{
    if (!p->before) {
        p->before = av_frame_alloc();
    }
    if (p->before) {
        av_frame_unref(p->before);
        /* Without it the next frame is taken as moving all over. */
        (void)av_frame_ref(p->before, frame);
    }
}

const AVFrame *weir_progressive_take(struct weir_progressive *p, const AVFrame *frame,
                                     bool is_wanted)
{
    if (!frame->interlaced_frame) {
        weir_progressive_done(p);
        return is_wanted ? frame : NULL;
    }
    const AVFrame *whole = is_wanted ? make_whole(p, frame) : NULL;
    keep(p, frame);
    return whole;
}
