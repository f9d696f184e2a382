/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for engines that encode in hardware, where there are none: preloaded, it makes
 * libavcodec know h264_nvenc and the like, which are libx264 underneath.
 *
 *     LD_PRELOAD=.../weir-fakeencoder.so WEIR_FAKE_ENCODERS="nvenc=ok qsv=hang:30"
 *
 * What is not named is not there. Of the others, each encoder does so after its first N frames (0):
 *
 *     ok           works                       slow:N       works, N ms a frame
 *     fail_open    cannot be opened            fail:N       says that it failed
 *     hang:N       does not come back          die:N        ends the process
 *     empty:N      makes nothing               lie_key:N    makes no keyframe that is asked for
 *     lie_picture:N makes another picture      lie_size     makes half the width
 *
 * WEIR_FAKE_SESSIONS: so many encoders of an engine can be open at once (8).
 */
#include <dlfcn.h>
#include <libavcodec/avcodec.h>
#include <libavutil/hwcontext.h>
#include <libavutil/opt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ENGINES     4
#define CODEC_BYTES 512 /* libavcodec's own struct behind AVCodec, and what is behind that */
#define OPEN_MOST   64

enum mode { OK, SLOW, FAIL_OPEN, FAIL, HANG, DIE, EMPTY, LIE_KEY, LIE_PICTURE, LIE_SIZE, MODES };

static const char *const mode_names[MODES] = {"ok",          "slow",    "fail_open", "fail",
                                              "hang",        "die",     "empty",     "lie_key",
                                              "lie_picture", "lie_size"};

static const char *const names[ENGINES] = {"h264_nvenc", "h264_qsv", "h264_vaapi", "h264_v4l2m2m"};
static const char *const keys[ENGINES] = {"nvenc", "qsv", "vaapi", "v4l2"};

static union {
    AVCodec codec;
    char bytes[CODEC_BYTES];
} codecs[ENGINES];

static struct opened {
    AVCodecContext *ctx;
    int engine;
    enum mode mode;
    long after;
    long sent;
} all[OPEN_MOST];

/* dlsym gives an object pointer; ISO C has no cast from it to a function. */
static void next(const char *name, void *ret_fn)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol) {
        abort();
    }
    memcpy(ret_fn, &symbol, sizeof(symbol));
}

/* ---- what it is told ---- */

static bool read_mode(const char *key, enum mode *ret_mode, long *ret_after)
{
    const char *told = getenv("WEIR_FAKE_ENCODERS");
    size_t len = strlen(key);
    for (const char *at = told; at; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, key, len) != 0 || at[len] != '=') {
            continue;
        }
        const char *text = at + len + 1;
        size_t n = strcspn(text, ": ");
        for (int mode = 0; mode < MODES; mode++) {
            if (strlen(mode_names[mode]) == n && strncmp(text, mode_names[mode], n) == 0) {
                *ret_mode = (enum mode)mode;
                *ret_after = text[n] == ':' ? strtol(text + n + 1, NULL, 10) : 0;
                return true;
            }
        }
    }
    return false;
}

static int engine_of(const AVCodec *codec)
{
    for (int i = 0; i < ENGINES; i++) {
        if (codec == &codecs[i].codec) {
            return i;
        }
    }
    return -1;
}

static struct opened *find(const AVCodecContext *ctx)
{
    for (int i = 0; ctx && i < OPEN_MOST; i++) {
        if (all[i].ctx == ctx) {
            return &all[i];
        }
    }
    return NULL;
}

/* ---- libavcodec ---- */

const AVCodec *avcodec_find_encoder_by_name(const char *name)
{
    const AVCodec *(*real)(const char *name);
    enum mode mode;
    long after;
    next("avcodec_find_encoder_by_name", &real);
    for (int i = 0; i < ENGINES; i++) {
        if (strcmp(name, names[i]) != 0) {
            continue;
        }
        if (!read_mode(keys[i], &mode, &after)) {
            return NULL;
        }
        memcpy(codecs[i].bytes, real("libx264"), CODEC_BYTES);
        codecs[i].codec.name = names[i];
        return &codecs[i].codec;
    }
    return real(name);
}

static int count_open(int engine)
{
    int n = 0;
    for (int i = 0; i < OPEN_MOST; i++) {
        n += all[i].ctx && all[i].engine == engine;
    }
    return n;
}

static int open_fake(AVCodecContext *ctx, const AVCodec *codec, struct opened *opened)
{
    int (*real)(AVCodecContext * ctx, const AVCodec *codec, AVDictionary **options);
    next("avcodec_open2", &real);
    AVBufferRef *frames = ctx->hw_frames_ctx;
    enum AVPixelFormat format = ctx->pix_fmt;
    ctx->hw_frames_ctx = NULL;
    ctx->pix_fmt = frames ? AV_PIX_FMT_NV12 : format;
    ctx->thread_count = 1;
    ctx->width /= opened->mode == LIE_SIZE ? 2 : 1;
    av_opt_set(ctx->priv_data, "preset", "ultrafast", 0);
    av_opt_set(ctx->priv_data, "tune", "zerolatency", 0);
    av_opt_set(ctx->priv_data, "forced-idr", "1", 0);
    av_opt_set(ctx->priv_data, "x264-params", "scenecut=0:sliced-threads=0:threads=1", 0);
    int code = real(ctx, codec, NULL);
    ctx->hw_frames_ctx = frames;
    return code;
}

int avcodec_open2(AVCodecContext *ctx, const AVCodec *codec, AVDictionary **options)
{
    int engine = engine_of(codec);
    const char *most = getenv("WEIR_FAKE_SESSIONS");
    if (engine < 0) {
        int (*real)(AVCodecContext * ctx, const AVCodec *codec, AVDictionary **options);
        next("avcodec_open2", &real);
        return real(ctx, codec, options);
    }
    struct opened *opened = NULL;
    for (int i = 0; i < OPEN_MOST && !opened; i++) {
        opened = all[i].ctx ? NULL : &all[i];
    }
    if (!opened || count_open(engine) >= (most ? atoi(most) : 8)) {
        return AVERROR(ENOSPC);
    }
    *opened = (struct opened){.engine = engine};
    if (!read_mode(keys[engine], &opened->mode, &opened->after) || opened->mode == FAIL_OPEN) {
        return AVERROR(ENODEV);
    }
    int code = open_fake(ctx, codec, opened);
    opened->ctx = code == 0 ? ctx : NULL;
    return code;
}

void avcodec_free_context(AVCodecContext **ctx)
{
    void (*real)(AVCodecContext * *ctx);
    struct opened *opened = find(*ctx);
    next("avcodec_free_context", &real);
    if (opened) {
        opened->ctx = NULL;
    }
    real(ctx);
}

static void wait_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static int send_other(int (*real)(AVCodecContext *ctx, const AVFrame *frame), AVCodecContext *ctx,
                      const AVFrame *frame)
{
    AVFrame *other = av_frame_alloc();
    other->format = frame->format;
    other->width = frame->width;
    other->height = frame->height;
    int code = av_frame_get_buffer(other, 0);
    for (int plane = 0; code == 0 && plane < 3 && other->data[plane]; plane++) {
        size_t lines = (size_t)other->height >> (plane > 0);
        memset(other->data[plane], plane > 0 ? 128 : 200, (size_t)other->linesize[plane] * lines);
    }
    other->pts = frame->pts;
    other->pict_type = frame->pict_type;
    if (code == 0) {
        code = real(ctx, other);
    }
    av_frame_free(&other);
    return code;
}

static int send_plain(int (*real)(AVCodecContext *ctx, const AVFrame *frame), AVCodecContext *ctx,
                      const AVFrame *frame)
{
    AVFrame *plain = av_frame_clone(frame);
    plain->pict_type = AV_PICTURE_TYPE_NONE;
    int code = real(ctx, plain);
    av_frame_free(&plain);
    return code;
}

int avcodec_send_frame(AVCodecContext *ctx, const AVFrame *frame)
{
    int (*real)(AVCodecContext * ctx, const AVFrame *frame);
    struct opened *opened = find(ctx);
    next("avcodec_send_frame", &real);
    if (!opened || !frame) {
        return real(ctx, frame);
    }
    bool is_bad = opened->sent++ >= opened->after;
    if (opened->mode == SLOW) {
        wait_ms(opened->after);
    }
    while (opened->mode == HANG && is_bad) {
        wait_ms(1000);
    }
    if (opened->mode == DIE && is_bad) {
        abort();
    }
    if (opened->mode == FAIL && is_bad) {
        return AVERROR_EXTERNAL;
    }
    if (opened->mode == EMPTY && is_bad) {
        return 0;
    }
    if (opened->mode == LIE_PICTURE && is_bad) {
        return send_other(real, ctx, frame);
    }
    return opened->mode == LIE_KEY && is_bad ? send_plain(real, ctx, frame) : real(ctx, frame);
}

/* ---- devices of libavutil, only of the engine that needs one ---- */

int av_hwdevice_ctx_create(AVBufferRef **ret, enum AVHWDeviceType type, const char *device,
                           AVDictionary *options, int flags)
{
    enum mode mode;
    long after;
    (void)device;
    (void)options;
    (void)flags;
    *ret = type == AV_HWDEVICE_TYPE_VAAPI && read_mode("vaapi", &mode, &after)
               ? av_buffer_allocz(64)
               : NULL;
    return *ret ? 0 : AVERROR(ENODEV);
}

AVBufferRef *av_hwframe_ctx_alloc(AVBufferRef *device)
{
    (void)device;
    return av_buffer_allocz(sizeof(AVHWFramesContext));
}

int av_hwframe_ctx_init(AVBufferRef *ref)
{
    (void)ref;
    return 0;
}

int av_hwframe_get_buffer(AVBufferRef *ref, AVFrame *frame, int flags)
{
    const AVHWFramesContext *frames = (const AVHWFramesContext *)(void *)ref->data;
    (void)flags;
    frame->format = frames->sw_format;
    frame->width = frames->width;
    frame->height = frames->height;
    return av_frame_get_buffer(frame, 0);
}

int av_hwframe_transfer_data(AVFrame *to, const AVFrame *from, int flags)
{
    (void)flags;
    return av_frame_copy(to, from);
}
