/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/rendition.h"

#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <stdlib.h>
#include <string.h>

#include "worker/xcode/engine.h"
#include "worker/xcode/fit.h"
#include "worker/xcode/judge.h"
#include "worker/xcode/scaler.h"
#include "worker/xcode/units.h"
#include "worker/xcode/x264.h"

#define HD_HEIGHT 720 /* from here on BT.709, where the camera does not say (ITU-R BT.709) */
/* A source that changes its size all the time gets a new encoder as often as this, and is left out
 * in between. */
#define REOPEN_TICKS (10 * FIT_TICKS)

/* Of an engine: that limit, which some keep in 16 bits; frames that it may keep for itself; and of
 * its keyframes one in so many is looked at, the first one in any case (10 ms each). */
#define HARD_GOP_MOST 30000
#define WAITING_MOST  8
#define JUDGE_EVERY   32

#define NAL_SPS 7

struct rendition {
    uint32_t number;
    struct weir_xcode_rendition spec;
    struct fit_pace pace;
    struct fit_size size; /* of the open encoder */
    AVCodecContext *encoder;
    struct engine *engine;
    bool is_hard;               /* the open encoder is of the engine */
    bool has_fallen;            /* the engine failed it */
    int n_waiting;              /* frames given of which nothing came yet */
    unsigned n_keys;            /* that the engine made */
    int64_t asked_ts;           /* the frame that was to be a keyframe */
    int64_t made_ts;            /* of the newest unit */
    struct judge *judge;        /* NULL until it is needed */
    uint32_t encoder_fps_milli; /* what its rate control reckons with */
    int64_t opened_ts;
    bool is_broken; /* at opened_ts; it is tried again later */
    int64_t key_ts;
    int64_t last_ts;
    struct scaler scaler;
    AVFrame *picture;
    AVPacket *packet;
    struct units units;
};

/* The next frame is one interval behind the last one, whoever made that. */
static void set_pace(struct rendition *r)
{
    r->pace = (struct fit_pace){0};
    if (r->last_ts != INT64_MIN) {
        fit_keep(&r->pace, r->last_ts, fit_pace_milli(&r->spec));
    }
}

struct rendition *rendition_new(uint32_t number, const struct weir_xcode_rendition *spec,
                                struct engine *engine)
{
    struct rendition *r = calloc(1, sizeof(*r));
    if (!r) {
        return NULL;
    }
    r->number = number;
    r->spec = *spec;
    r->engine = engine;
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
    scaler_done(&r->scaler);
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
    judge_free(&r->judge);
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
    return av_opt_set(encoder->priv_data, "preset", X264_PRESET, 0) == 0 &&
           av_opt_set(encoder->priv_data, "tune", X264_TUNE, 0) == 0 &&
           av_opt_set(encoder->priv_data, "profile", is_main ? "main" : "high", 0) == 0 &&
           av_opt_set(encoder->priv_data, "forced-idr", "1", 0) == 0 &&
           av_opt_set(encoder->priv_data, "x264-params", X264_PARAMS, 0) == 0;
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

static bool is_meant_hard(const struct rendition *r)
{
    return r->spec.encoder != WEIR_XCODE_SOFTWARE && !r->has_fallen;
}

static void set_up(struct rendition *r, const AVFrame *frame, struct fit_size size)
{
    AVCodecContext *encoder = r->encoder;
    encoder->width = size.width;
    encoder->height = size.height;
    encoder->pix_fmt = AV_PIX_FMT_YUV420P;
    encoder->sample_aspect_ratio = (AVRational){1, 1};
    encoder->time_base = (AVRational){1, FIT_TICKS};
    encoder->framerate = (AVRational){(int)r->spec.fps_milli, 1000};
    encoder->gop_size = r->is_hard ? HARD_GOP_MOST : X264_GOP_MOST;
    encoder->max_b_frames = 0;
    encoder->thread_count = 1;
    r->encoder_fps_milli = r->spec.fps_milli;
    r->size = size;
    r->opened_ts = frame->pts;
    r->is_broken = false;
    r->n_waiting = 0;
    r->made_ts = INT64_MIN;
    set_rate(r);
    set_colours(encoder, frame);
    r->picture->format = AV_PIX_FMT_YUV420P;
    r->picture->color_range = AVCOL_RANGE_MPEG;
    r->picture->width = size.width;
    r->picture->height = size.height;
}

static bool open_encoder(struct rendition *r, const AVFrame *frame, struct fit_size size)
{
    close_encoder(r);
    bool is_main = r->spec.is_main != 0;
    r->is_hard = is_meant_hard(r);
    if (r->is_hard && !r->engine) {
        return false;
    }
    const AVCodec *codec =
        r->is_hard ? engine_codec(r->engine) : avcodec_find_encoder_by_name("libx264");
    r->encoder = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!r->encoder) {
        return false;
    }
    set_up(r, frame, size);
    bool is_open = (r->is_hard ? engine_prepare(r->engine, r->encoder, is_main)
                               : set_options(r->encoder, is_main)) &&
                   avcodec_open2(r->encoder, codec, NULL) == 0 &&
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
    bool is_fixed = r->encoder && r->is_hard && !engine_can_change(r->engine);
    if (is_other || is_fixed || (r->encoder && r->is_hard != is_meant_hard(r))) {
        close_encoder(r);
    } else if (r->encoder) {
        set_rate(r);
    }
}

/* ---- a frame ---- */

bool rendition_wants(const struct rendition *r, int64_t ts)
{
    return ts > r->last_ts && fit_is_due(&r->pace, ts, fit_pace_milli(&r->spec));
}

static bool scale(struct rendition *r, const AVFrame *const *pictures)
{
    const AVFrame *from = scaler_choose(pictures, r->picture);
    return av_frame_make_writable(r->picture) == 0 &&
           scaler_draw(&r->scaler, from, (int)r->encoder->colorspace, r->picture);
}

const AVFrame *rendition_picture(const struct rendition *r, int64_t ts)
{
    return r->picture->data[0] && r->picture->pts == ts ? r->picture : NULL;
}

uint64_t rendition_most(const struct rendition *r)
{
    return (uint64_t)r->spec.long_side * r->spec.short_side;
}

/* ---- what comes of it ---- */

enum made { MADE, MADE_NOTHING, MADE_FAULT, MADE_BAD, MADE_OVER };

/* A call of the outside, on the way into and out of an encoder. */
struct outside {
    const struct rendition_calls *calls;
    void *ctx;
    enum weir_xcode_fault fault; /* of MADE_FAULT */
};

static enum made fail_hard(struct outside *outside, enum weir_xcode_fault fault)
{
    outside->fault = fault;
    return MADE_FAULT;
}

/* Whether the keyframe shows the picture; of one that is delayed that is gone. */
static bool is_true(struct rendition *r)
{
    if (r->packet->pts != r->picture->pts || r->n_keys++ % JUDGE_EVERY != 0) {
        return true;
    }
    r->judge = r->judge ? r->judge : judge_new();
    return r->judge && judge_is_picture(r->judge, r->packet, r->picture);
}

/* What an engine made may be anything. Units are those of the packet. */
static enum made check_hard(struct rendition *r, struct outside *outside)
{
    const AVPacket *packet = r->packet;
    bool is_key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
    if (packet->pts <= r->made_ts || packet->pts > r->picture->pts) {
        return fail_hard(outside, WEIR_XCODE_FAULT_ENCODE);
    }
    if ((packet->pts == r->asked_ts && !is_key) ||
        (is_key && (r->units.bytes[4] & 0x1f) != NAL_SPS)) {
        return fail_hard(outside, WEIR_XCODE_FAULT_KEY);
    }
    if (is_key && !is_true(r)) {
        return fail_hard(outside, WEIR_XCODE_FAULT_PICTURE);
    }
    r->n_waiting -= r->n_waiting > 0;
    r->made_ts = packet->pts;
    return MADE;
}

static enum made hand_on_one(struct rendition *r, struct outside *outside)
{
    bool is_key = (r->packet->flags & AV_PKT_FLAG_KEY) != 0;
    if (!units_from_stream(&r->units, r->packet->data, (size_t)r->packet->size)) {
        return r->is_hard ? fail_hard(outside, WEIR_XCODE_FAULT_ENCODE) : MADE_OVER;
    }
    enum made made = r->is_hard ? check_hard(r, outside) : MADE;
    if (made != MADE) {
        return made;
    }
    return outside->calls->unit(outside->ctx, r, r->packet->pts, is_key, r->units.bytes,
                                r->units.len)
               ? MADE
               : MADE_OVER;
}

static enum made hand_on(struct rendition *r, struct outside *outside)
{
    enum made made = MADE;
    int code = 0;
    while (made == MADE && (code = avcodec_receive_packet(r->encoder, r->packet)) == 0) {
        made = hand_on_one(r, outside);
        av_packet_unref(r->packet);
    }
    if (made == MADE && code != AVERROR(EAGAIN)) {
        return r->is_hard ? fail_hard(outside, WEIR_XCODE_FAULT_ENCODE) : MADE_OVER;
    }
    if (made == MADE && r->is_hard && r->n_waiting > WAITING_MOST) {
        return fail_hard(outside, WEIR_XCODE_FAULT_SILENT);
    }
    return made;
}

static enum made encode(struct rendition *r, struct outside *outside)
{
    if (!r->is_hard) {
        return avcodec_send_frame(r->encoder, r->picture) == 0 ? hand_on(r, outside) : MADE_BAD;
    }
    r->n_waiting++;
    return engine_send(r->engine, r->encoder, r->picture) == 0
               ? hand_on(r, outside)
               : fail_hard(outside, WEIR_XCODE_FAULT_ENCODE);
}

/* ---- a frame, from its beginning to its end ---- */

/* MADE: there is an encoder for it. */
static enum made prepare(struct rendition *r, const AVFrame *frame, struct outside *outside)
{
    struct fit_size size =
        fit_into(frame->width, frame->height, frame->sample_aspect_ratio.num,
                 frame->sample_aspect_ratio.den, (int)r->spec.long_side, (int)r->spec.short_side);
    bool is_same = r->encoder && size.width == r->size.width && size.height == r->size.height;
    if (is_same) {
        return MADE;
    }
    if ((r->encoder || r->is_broken) && frame->pts - r->opened_ts < REOPEN_TICKS) {
        return MADE_NOTHING;
    }
    if (open_encoder(r, frame, size)) {
        return MADE;
    }
    return is_meant_hard(r) ? fail_hard(outside, WEIR_XCODE_FAULT_OPEN) : MADE_BAD;
}

static enum made make(struct rendition *r, const AVFrame *const *pictures, struct outside *outside)
{
    const AVFrame *frame = pictures[0];
    AVCodecContext *before = r->encoder;
    if (is_meant_hard(r) && !outside->calls->enter(outside->ctx, r)) {
        return MADE_OVER;
    }
    enum made made = prepare(r, frame, outside);
    if (made != MADE) {
        return made;
    }
    int64_t segment = (int64_t)r->spec.segment_ms * FIT_TICKS / 1000;
    bool is_key = !before || before != r->encoder || frame->pts - r->key_ts >= segment;
    if (!scale(r, pictures)) {
        return MADE_BAD;
    }
    r->picture->pts = frame->pts;
    r->picture->pict_type = is_key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    r->asked_ts = is_key ? frame->pts : r->asked_ts;
    r->key_ts = is_key ? frame->pts : r->key_ts;
    return encode(r, outside);
}

/* What cannot be made of this camera's picture leaves the other renditions alone. */
static void leave_out(struct rendition *r, const AVFrame *frame)
{
    close_encoder(r);
    r->opened_ts = frame->pts;
    r->is_broken = true;
}

bool rendition_take(struct rendition *r, const AVFrame *const *pictures,
                    const struct rendition_calls *calls, void *ctx)
{
    const AVFrame *frame = pictures[0];
    struct outside outside = {.calls = calls, .ctx = ctx};
    if (!rendition_wants(r, frame->pts)) {
        return true;
    }
    enum made made = make(r, pictures, &outside);
    if (made == MADE_FAULT) {
        close_encoder(r);
        r->has_fallen = true;
        if (!calls->fell_back(ctx, r, outside.fault)) {
            return false;
        }
        made = make(r, pictures, &outside);
    }
    if (made == MADE_BAD) {
        leave_out(r, frame);
    }
    if (made == MADE) {
        fit_keep(&r->pace, frame->pts, fit_pace_milli(&r->spec));
        r->last_ts = frame->pts;
    }
    return made != MADE_OVER;
}
