/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/trial.h"

#include <libavcodec/avcodec.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "worker/xcode/fit.h"
#include "worker/xcode/judge.h"
#include "worker/xcode/pattern.h"
#include "worker/xcode/units.h"

#define PICTURES     16 /* that are drawn, and given again and again */
#define CHECKED      24 /* that are decoded and compared */
#define KEY_EVERY    12 /* of those; asked for */
#define FRAMES_MOST  300
#define MEASURE_MS   1000
#define FPS          25
#define NAL_SPS      7
#define DELAY_FRAMES 8 /* an encoder may keep so many for itself */
/* Tenths of a step of brightness. Bits are enough for this pattern, which moves by more. */
#define APART_MOST 80

struct trial {
    struct engine *engine;
    AVCodecContext *encoder;
    AVFrame *pictures[PICTURES];
    AVPacket *packets[CHECKED];
    AVPacket *packet;
    struct judge *judge;
    struct units units;
    int n_sent;
    int n_made;
    int64_t made_pts; /* of the newest */
    int n_shown;      /* decoded */
    const char *why;  /* NULL: all is well */
};

/* The first thing that was wrong. */
static bool fail(struct trial *trial, const char *why)
{
    trial->why = trial->why ? trial->why : why;
    return false;
}

/* ---- what is needed ---- */

static AVFrame *draw(int width, int height, int n)
{
    AVFrame *picture = av_frame_alloc();
    if (!picture) {
        return NULL;
    }
    picture->format = AV_PIX_FMT_YUV420P;
    picture->width = width;
    picture->height = height;
    if (av_frame_get_buffer(picture, 0) < 0) {
        av_frame_free(&picture);
        return NULL;
    }
    pattern_draw(picture, n);
    return picture;
}

static AVCodecContext *open_encoder(struct engine *engine, int width, int height)
{
    AVCodecContext *encoder = avcodec_alloc_context3(engine_codec(engine));
    if (!encoder) {
        return NULL;
    }
    encoder->width = width;
    encoder->height = height;
    encoder->time_base = (AVRational){1, FIT_TICKS};
    encoder->framerate = (AVRational){FPS, 1};
    encoder->gop_size = FRAMES_MOST * 2;
    encoder->bit_rate = (int64_t)width * height * 5;
    encoder->rc_max_rate = encoder->bit_rate;
    encoder->rc_buffer_size = (int)encoder->bit_rate;
    if (!engine_prepare(engine, encoder, false) ||
        avcodec_open2(encoder, engine_codec(engine), NULL) < 0) {
        avcodec_free_context(&encoder);
    }
    return encoder;
}

static void trial_done(struct trial *trial)
{
    for (int i = 0; i < PICTURES; i++) {
        av_frame_free(&trial->pictures[i]);
    }
    for (int i = 0; i < CHECKED; i++) {
        av_packet_free(&trial->packets[i]);
    }
    av_packet_free(&trial->packet);
    units_done(&trial->units);
    judge_free(&trial->judge);
    avcodec_free_context(&trial->encoder);
}

static bool trial_init(struct trial *trial, struct engine *engine, int width, int height)
{
    *trial = (struct trial){.engine = engine, .made_pts = -1};
    bool is_good = true;
    for (int i = 0; i < PICTURES; i++) {
        trial->pictures[i] = draw(width, height, i);
        is_good = is_good && trial->pictures[i];
    }
    trial->packet = av_packet_alloc();
    trial->judge = judge_new();
    if (!is_good || !trial->packet || !trial->judge) {
        return fail(trial, "out of memory, or no decoder");
    }
    trial->encoder = open_encoder(engine, width, height);
    return trial->encoder || fail(trial, "an encoder of that size cannot be opened");
}

/* ---- encoding ---- */

static int64_t pts_of(int n)
{
    return (int64_t)n * FIT_TICKS / FPS;
}

static bool opens_with_sps(struct trial *trial)
{
    return units_from_stream(&trial->units, trial->packet->data, (size_t)trial->packet->size) &&
           (trial->units.bytes[4] & 0x1f) == NAL_SPS;
}

static bool take_packet(struct trial *trial)
{
    const AVPacket *packet = trial->packet;
    int n = trial->n_made++;
    bool is_key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
    if (packet->size == 0) {
        return fail(trial, "it makes nothing of a picture");
    }
    if (packet->pts <= trial->made_pts || n >= trial->n_sent) {
        return fail(trial, "what it makes has wrong times");
    }
    trial->made_pts = packet->pts;
    if (n >= CHECKED) {
        return true;
    }
    if (packet->pts != pts_of(n)) {
        return fail(trial, "it leaves pictures out");
    }
    if (n % KEY_EVERY == 0 && !is_key) {
        return fail(trial, "it makes no keyframe where one is asked for");
    }
    if (is_key && !opens_with_sps(trial)) {
        return fail(trial, "its keyframes lack parameter sets");
    }
    trial->packets[n] = av_packet_clone(packet);
    return trial->packets[n] || fail(trial, "out of memory");
}

static bool take_packets(struct trial *trial)
{
    int code = 0;
    bool is_good = true;
    while (is_good && (code = avcodec_receive_packet(trial->encoder, trial->packet)) == 0) {
        is_good = take_packet(trial);
        av_packet_unref(trial->packet);
    }
    if (is_good && code != AVERROR(EAGAIN) && code != AVERROR_EOF) {
        return fail(trial, "it fails while it encodes");
    }
    return is_good;
}

static bool give(struct trial *trial)
{
    int n = trial->n_sent++;
    AVFrame *picture = trial->pictures[n % PICTURES];
    picture->pts = pts_of(n);
    picture->pict_type = n % KEY_EVERY == 0 ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    if (engine_send(trial->engine, trial->encoder, picture) != 0) {
        return fail(trial, "it fails while it encodes");
    }
    if (!take_packets(trial)) {
        return false;
    }
    return trial->n_sent - trial->n_made <= DELAY_FRAMES ||
           fail(trial, "it takes pictures and makes nothing of them");
}

/* Frames a second. */
static int64_t measure(struct trial *trial)
{
    int64_t began_ms = weir_clock_mono_ms();
    int64_t took_ms = 0;
    while (trial->n_sent < FRAMES_MOST && (took_ms < MEASURE_MS || trial->n_made < CHECKED)) {
        if (!give(trial)) {
            return 0;
        }
        took_ms = weir_clock_mono_ms() - began_ms;
    }
    return trial->n_made * INT64_C(1000) / (took_ms > 0 ? took_ms : 1);
}

/* ---- looking ---- */

static void compare(void *ctx, const AVFrame *decoded)
{
    struct trial *trial = ctx;
    int n = trial->n_shown++;
    long apart = judge_apart(decoded, trial->pictures[n % PICTURES]);
    if (apart == JUDGE_OTHER_SIZE) {
        fail(trial, "it makes a picture of another size");
    } else if (apart > APART_MOST) {
        fail(trial, "it makes another picture");
    }
}

static bool look(struct trial *trial)
{
    bool is_good = true;
    for (int i = 0; is_good && i < CHECKED; i++) {
        is_good = judge_take(trial->judge, trial->packets[i], compare, trial) && !trial->why;
    }
    is_good = judge_take(trial->judge, NULL, compare, trial) && is_good;
    if (!is_good || trial->n_shown != CHECKED) {
        return fail(trial, "what it makes cannot be decoded");
    }
    return !trial->why;
}

/* Frames a second of that size; 0 and why. */
static int64_t try_size(struct engine *engine, int width, int height, const char **ret_why)
{
    struct trial trial;
    int64_t fps = 0;
    if (trial_init(&trial, engine, width, height)) {
        fps = measure(&trial);
    }
    if (fps > 0 && !look(&trial)) {
        fps = 0;
    }
    *ret_why = fps > 0 ? NULL : trial.why ? trial.why : "it is too slow";
    trial_done(&trial);
    return fps;
}

/* ---- several at once ---- */

static bool makes_one(struct engine *engine, AVCodecContext *encoder, AVFrame *picture,
                      AVPacket *packet)
{
    bool is_made = false;
    for (int i = 0; !is_made && i <= DELAY_FRAMES; i++) {
        picture->pts = pts_of(i);
        if (engine_send(engine, encoder, picture) != 0) {
            return false;
        }
        is_made = avcodec_receive_packet(encoder, packet) == 0;
        av_packet_unref(packet);
    }
    return is_made;
}

static int count_sessions(struct engine *engine)
{
    AVCodecContext *encoders[TRIAL_SESSIONS_MOST] = {NULL};
    AVFrame *picture = draw(1280, 720, 0);
    AVPacket *packet = av_packet_alloc();
    int n = 0;
    while (picture && packet && n < TRIAL_SESSIONS_MOST) {
        encoders[n] = open_encoder(engine, picture->width, picture->height);
        if (!encoders[n] || !makes_one(engine, encoders[n], picture, packet)) {
            break;
        }
        n++;
    }
    for (int i = 0; i < TRIAL_SESSIONS_MOST; i++) {
        avcodec_free_context(&encoders[i]);
    }
    av_packet_free(&packet);
    av_frame_free(&picture);
    return n;
}

void trial_run(struct engine *engine, struct weir_ctl_encprobe_result *ret)
{
    const char *why = NULL;
    *ret = (struct weir_ctl_encprobe_result){.encoder = engine_id(engine)};
    int64_t fps_720p = try_size(engine, 1280, 720, &why);
    int64_t fps_1080p = why ? 0 : try_size(engine, 1920, 1080, &why);
    int sessions = why ? 0 : count_sessions(engine);
    if (!why && sessions == 0) {
        why = "no encoder can be opened beside";
    }
    if (why) {
        WEIR_STR_SET(ret->why, why);
        return;
    }
    ret->is_good = true;
    ret->fps_720p = fps_720p;
    ret->fps_1080p = fps_1080p;
    ret->sessions = sessions;
}
