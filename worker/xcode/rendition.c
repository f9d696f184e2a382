/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/rendition.h"

#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdlib.h>
#include <string.h>

#include "worker/xcode/fit.h"
#include "worker/xcode/units.h"

#define HD_HEIGHT 720 /* from here on BT.709, where the camera does not say (ITU-R BT.709) */
/* A source that changes its size all the time gets a new encoder as often as this, and is left out
 * in between. */
#define REOPEN_TICKS (10 * FIT_TICKS)
/* The encoder's own limit between keyframes, never reached: each is asked for. */
#define GOP_MOST 100000

/* What a scaler was made for. */
struct shape {
    int width;
    int height;
    int format;
    int matrix;
    bool is_full_range;
};

struct rendition {
    uint32_t number;
    struct weir_xcode_rendition spec;
    struct fit_pace pace;
    struct fit_size size; /* of the open encoder */
    AVCodecContext *encoder;
    uint32_t encoder_fps_milli; /* what its rate control reckons with */
    int64_t opened_ts;
    bool is_broken; /* at opened_ts; it is tried again later */
    int64_t key_ts;
    int64_t last_ts;
    struct SwsContext *scaler;
    struct shape shape;
    AVFrame *picture;
    AVPacket *packet;
    struct units units;
};

bool rendition_is_sane(const struct weir_xcode_rendition *spec)
{
    return spec->short_side >= 16 && spec->short_side <= spec->long_side &&
           spec->long_side <= WEIR_XCODE_SIDE_MAX && spec->bitrate_bps >= 1000 &&
           spec->bitrate_bps <= 200000000 && spec->fps_milli >= 100 && spec->fps_milli <= 1000000 &&
           spec->segment_ms >= 100 && spec->segment_ms <= 60000;
}

/* The next frame is one interval behind the last one, whoever made that. */
static void set_pace(struct rendition *r)
{
    r->pace = (struct fit_pace){0};
    if (r->last_ts != INT64_MIN) {
        fit_keep(&r->pace, r->last_ts, r->spec.fps_milli);
    }
}

struct rendition *rendition_new(uint32_t number, const struct weir_xcode_rendition *spec)
{
    struct rendition *r = calloc(1, sizeof(*r));
    if (!r) {
        return NULL;
    }
    r->number = number;
    r->spec = *spec;
    r->last_ts = spec->after_ts;
    set_pace(r);
    r->picture = av_frame_alloc();
    r->packet = av_packet_alloc();
    if (!r->picture || !r->packet) {
        rendition_free(&r);
    }
    return r;
}

static void close_encoder(struct rendition *r)
{
    avcodec_free_context(&r->encoder);
    sws_freeContext(r->scaler);
    r->scaler = NULL;
    av_frame_unref(r->picture);
}

void rendition_free(struct rendition **rendition)
{
    struct rendition *r = *rendition;
    if (!r) {
        return;
    }
    *rendition = NULL;
    close_encoder(r);
    av_frame_free(&r->picture);
    av_packet_free(&r->packet);
    units_done(&r->units);
    free(r);
}

uint32_t rendition_number(const struct rendition *rendition)
{
    return rendition->number;
}

/* ---- the encoder ---- */

/*
 * Bits a frame are what x264 keeps to, by the frame rate it was opened with; so another frame rate
 * is another bit rate to it.
 */
static void set_rate(struct rendition *r)
{
    int64_t bps = (int64_t)r->spec.bitrate_bps * r->encoder_fps_milli / (int64_t)r->spec.fps_milli;
    r->encoder->bit_rate = bps;
    r->encoder->rc_max_rate = bps + bps / 10;
    r->encoder->rc_buffer_size = (int)(bps < INT32_MAX ? bps : INT32_MAX);
}

static bool set_options(AVCodecContext *encoder, bool is_main)
{
    return av_opt_set(encoder->priv_data, "preset", "veryfast", 0) == 0 &&
           av_opt_set(encoder->priv_data, "tune", "zerolatency", 0) == 0 &&
           av_opt_set(encoder->priv_data, "profile", is_main ? "main" : "high", 0) == 0 &&
           av_opt_set(encoder->priv_data, "forced-idr", "1", 0) == 0 &&
           av_opt_set(encoder->priv_data, "x264-params",
                      "scenecut=0:open-gop=0:sliced-threads=0:threads=1", 0) == 0;
}

static void set_colours(AVCodecContext *encoder, const AVFrame *frame)
{
    bool is_hd = frame->height >= HD_HEIGHT;
    bool is_said = frame->colorspace != AVCOL_SPC_UNSPECIFIED && frame->colorspace != AVCOL_SPC_RGB;
    encoder->colorspace = is_said ? frame->colorspace
                          : is_hd ? AVCOL_SPC_BT709
                                  : AVCOL_SPC_SMPTE170M;
    encoder->color_primaries = frame->color_primaries;
    encoder->color_trc = frame->color_trc;
    encoder->color_range = AVCOL_RANGE_MPEG;
}

static bool open_encoder(struct rendition *r, const AVFrame *frame, struct fit_size size)
{
    close_encoder(r);
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    r->encoder = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!r->encoder) {
        return false;
    }
    AVCodecContext *encoder = r->encoder;
    encoder->width = size.width;
    encoder->height = size.height;
    encoder->pix_fmt = AV_PIX_FMT_YUV420P;
    encoder->sample_aspect_ratio = (AVRational){1, 1};
    encoder->time_base = (AVRational){1, FIT_TICKS};
    encoder->framerate = (AVRational){(int)r->spec.fps_milli, 1000};
    encoder->gop_size = GOP_MOST;
    encoder->max_b_frames = 0;
    encoder->thread_count = 1;
    r->encoder_fps_milli = r->spec.fps_milli;
    r->size = size;
    r->opened_ts = frame->pts;
    r->is_broken = false;
    set_rate(r);
    set_colours(encoder, frame);
    r->picture->format = AV_PIX_FMT_YUV420P;
    r->picture->width = size.width;
    r->picture->height = size.height;
    bool is_open = set_options(encoder, r->spec.is_main != 0) &&
                   avcodec_open2(encoder, codec, NULL) == 0 &&
                   av_frame_get_buffer(r->picture, 0) == 0;
    if (!is_open) {
        close_encoder(r);
    }
    return is_open;
}

void rendition_change(struct rendition *r, const struct weir_xcode_rendition *spec)
{
    bool is_other = spec->long_side != r->spec.long_side ||
                    spec->short_side != r->spec.short_side || spec->is_main != r->spec.is_main;
    r->spec = *spec;
    r->last_ts = spec->after_ts > r->last_ts ? spec->after_ts : r->last_ts;
    set_pace(r);
    r->is_broken = false;
    if (is_other) {
        close_encoder(r);
    } else if (r->encoder) {
        set_rate(r);
    }
}

/* ---- a frame ---- */

bool rendition_wants(const struct rendition *r, int64_t ts)
{
    return ts > r->last_ts && fit_is_due(&r->pace, ts, r->spec.fps_milli);
}

static bool is_full_range(const AVFrame *frame)
{
    return frame->color_range == AVCOL_RANGE_JPEG || frame->format == AV_PIX_FMT_YUVJ420P ||
           frame->format == AV_PIX_FMT_YUVJ422P || frame->format == AV_PIX_FMT_YUVJ444P;
}

static struct shape shape_of(const AVFrame *frame, const AVCodecContext *encoder)
{
    /* The numbers are those of libswscale (ITU-T H.273). */
    return (struct shape){frame->width, frame->height, frame->format, (int)encoder->colorspace,
                          is_full_range(frame)};
}

static bool is_same_shape(const struct shape *a, const struct shape *b)
{
    return a->width == b->width && a->height == b->height && a->format == b->format &&
           a->matrix == b->matrix && a->is_full_range == b->is_full_range;
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

static bool set_scaler(struct rendition *r, const AVFrame *frame)
{
    struct shape shape = shape_of(frame, r->encoder);
    if (r->scaler && is_same_shape(&shape, &r->shape)) {
        return true;
    }
    bool is_same = r->size.width == frame->width && r->size.height == frame->height &&
                   has_chroma_of_420(frame);
    sws_freeContext(r->scaler);
    r->shape = shape;
    r->scaler = sws_getContext(frame->width, frame->height, (enum AVPixelFormat)frame->format,
                               r->size.width, r->size.height, AV_PIX_FMT_YUV420P,
                               is_same ? SWS_POINT : SWS_AREA, NULL, NULL, NULL);
    if (!r->scaler) {
        return false;
    }
    /* Only the range changes. What the library cannot do it leaves as it is. */
    const int *matrix = sws_getCoefficients(shape.matrix);
    (void)sws_setColorspaceDetails(r->scaler, matrix, shape.is_full_range, matrix, 0, 0, 1 << 16,
                                   1 << 16);
    return true;
}

static bool scale(struct rendition *r, const AVFrame *frame)
{
    return set_scaler(r, frame) && av_frame_make_writable(r->picture) == 0 &&
           sws_scale(r->scaler, (const uint8_t *const *)frame->data, frame->linesize, 0,
                     frame->height, r->picture->data, r->picture->linesize) == r->size.height;
}

static bool hand_on(struct rendition *r, rendition_unit_fn *fn, void *ctx)
{
    int code;
    while ((code = avcodec_receive_packet(r->encoder, r->packet)) == 0) {
        bool is_key = (r->packet->flags & AV_PKT_FLAG_KEY) != 0;
        bool is_good = units_from_stream(&r->units, r->packet->data, (size_t)r->packet->size) &&
                       fn(ctx, r, r->packet->pts, is_key, r->units.bytes, r->units.len);
        av_packet_unref(r->packet);
        if (!is_good) {
            return false;
        }
    }
    return code == AVERROR(EAGAIN);
}

/* False: a new encoder is needed and cannot be had; *ret_skip: not yet. */
static bool prepare(struct rendition *r, const AVFrame *frame, bool *ret_skip)
{
    struct fit_size size =
        fit_into(frame->width, frame->height, frame->sample_aspect_ratio.num,
                 frame->sample_aspect_ratio.den, (int)r->spec.long_side, (int)r->spec.short_side);
    bool is_same = r->encoder && size.width == r->size.width && size.height == r->size.height;
    *ret_skip =
        !is_same && (r->encoder || r->is_broken) && frame->pts - r->opened_ts < REOPEN_TICKS;
    return is_same || *ret_skip || open_encoder(r, frame, size);
}

/* What cannot be made of this camera's picture leaves the other renditions alone. */
static bool leave_out(struct rendition *r, const AVFrame *frame)
{
    close_encoder(r);
    r->opened_ts = frame->pts;
    r->is_broken = true;
    return true;
}

bool rendition_take(struct rendition *r, const AVFrame *frame, rendition_unit_fn *fn, void *ctx)
{
    bool is_skipped = false;
    if (!rendition_wants(r, frame->pts)) {
        return true;
    }
    bool was_open = r->encoder != NULL;
    AVCodecContext *before = r->encoder;
    if (!prepare(r, frame, &is_skipped)) {
        return leave_out(r, frame);
    }
    if (is_skipped) {
        return true;
    }
    fit_keep(&r->pace, frame->pts, r->spec.fps_milli);
    bool is_new = !was_open || before != r->encoder;
    int64_t segment = (int64_t)r->spec.segment_ms * FIT_TICKS / 1000;
    bool is_key = is_new || frame->pts - r->key_ts >= segment;
    if (!scale(r, frame)) {
        return leave_out(r, frame);
    }
    r->picture->pts = frame->pts;
    r->picture->pict_type = is_key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    r->key_ts = is_key ? frame->pts : r->key_ts;
    r->last_ts = frame->pts;
    return avcodec_send_frame(r->encoder, r->picture) == 0 ? hand_on(r, fn, ctx)
                                                           : leave_out(r, frame);
}
