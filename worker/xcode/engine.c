/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/engine.h"

#include <dlfcn.h>
#include <libavcodec/avcodec.h>
#include <libavutil/hwcontext.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <stdlib.h>
#include <string.h>

#include "worker/xcode/fit.h"

#define OPTIONS_MAX  8
#define LIBRARIES    2
#define WARM_WIDTH   640
#define WARM_HEIGHT  360
#define WARM_BPS     500000
#define WARM_FRAMES  8 /* a driver may keep some for a while */
#define UPLOADS_MOST 4 /* pictures on their way */

struct kind {
    const char *codec;
    bool has_frames; /* it takes pictures of the device only */
    bool can_change;
    enum AVPixelFormat format; /* of what it is given */
    /* Held open: each encoder would load them anew, when no file can be opened any more. */
    const char *libraries[LIBRARIES];
    const char *options[OPTIONS_MAX][2];
};

static const struct kind kinds[WEIR_ENCODER_N] = {
    [WEIR_ENCODER_NVENC] = {.codec = "h264_nvenc",
                            .can_change = true,
                            .format = AV_PIX_FMT_YUV420P,
                            .libraries = {"libcuda.so.1", "libnvidia-encode.so.1"},
                            .options = {{"preset", "p2"},
                                        {"tune", "ull"},
                                        {"rc", "cbr"},
                                        {"delay", "0"},
                                        {"zerolatency", "1"},
                                        {"forced-idr", "1"},
                                        {"no-scenecut", "1"}}},
    [WEIR_ENCODER_QSV] = {.codec = "h264_qsv",
                          .format = AV_PIX_FMT_NV12,
                          .options = {{"preset", "veryfast"},
                                      {"async_depth", "1"},
                                      {"forced_idr", "1"},
                                      {"look_ahead", "0"},
                                      {"idr_interval", "0"}}},
    [WEIR_ENCODER_VAAPI] = {.codec = "h264_vaapi",
                            .has_frames = true,
                            .format = AV_PIX_FMT_NV12,
                            .options = {{"async_depth", "1"}, {"rc_mode", "CBR"}, {"aud", "0"}}},
    [WEIR_ENCODER_V4L2] = {.codec = "h264_v4l2m2m",
                           .format = AV_PIX_FMT_YUV420P,
                           .options = {{"num_output_buffers", "4"}, {"num_capture_buffers", "4"}}},
};

struct engine {
    enum weir_encoder id;
    const struct kind *kind;
    const AVCodec *codec;
    AVBufferRef *device; /* NULL: it needs none */
    AVFrame *room;       /* a picture in the form it takes, or of the device */
    AVFrame *upload;
    void *libraries[LIBRARIES];
};

enum weir_encoder engine_id(const struct engine *engine)
{
    return engine->id;
}

const AVCodec *engine_codec(const struct engine *engine)
{
    return engine->codec;
}

bool engine_can_change(const struct engine *engine)
{
    return engine->kind->can_change;
}

/* ---- opening ---- */

static bool open_device(struct engine *engine)
{
    return !engine->kind->has_frames ||
           av_hwdevice_ctx_create(&engine->device, AV_HWDEVICE_TYPE_VAAPI, NULL, NULL, 0) == 0;
}

/* A grey picture is given until something comes of it. */
static bool encode_some(struct engine *engine, AVCodecContext *encoder, AVFrame *picture)
{
    AVPacket *packet = av_packet_alloc();
    bool is_made = false;
    for (int i = 0; packet && !is_made && i < WARM_FRAMES; i++) {
        picture->pts = i * (FIT_TICKS / 25);
        is_made = engine_send(engine, encoder, picture) == 0 &&
                  avcodec_receive_packet(encoder, packet) == 0;
    }
    av_packet_free(&packet);
    return is_made;
}

static AVFrame *grey_picture(void)
{
    AVFrame *picture = av_frame_alloc();
    if (picture) {
        picture->format = AV_PIX_FMT_YUV420P;
        picture->width = WARM_WIDTH;
        picture->height = WARM_HEIGHT;
    }
    if (!picture || av_frame_get_buffer(picture, 0) < 0) {
        av_frame_free(&picture);
        return NULL;
    }
    for (int plane = 0; plane < 3; plane++) {
        size_t lines = plane == 0 ? WARM_HEIGHT : WARM_HEIGHT / 2;
        memset(picture->data[plane], 128, (size_t)picture->linesize[plane] * lines);
    }
    return picture;
}

static bool warm(struct engine *engine)
{
    AVFrame *picture = grey_picture();
    AVCodecContext *encoder = avcodec_alloc_context3(engine->codec);
    bool is_good = picture && encoder;
    if (is_good) {
        encoder->width = WARM_WIDTH;
        encoder->height = WARM_HEIGHT;
        encoder->time_base = (AVRational){1, FIT_TICKS};
        encoder->framerate = (AVRational){25, 1};
        encoder->bit_rate = WARM_BPS;
        is_good = engine_prepare(engine, encoder, true) &&
                  avcodec_open2(encoder, engine->codec, NULL) == 0 &&
                  encode_some(engine, encoder, picture);
    }
    avcodec_free_context(&encoder);
    av_frame_free(&picture);
    return is_good;
}

static const char *open_all(struct engine *engine)
{
    engine->codec = avcodec_find_encoder_by_name(engine->kind->codec);
    engine->room = av_frame_alloc();
    engine->upload = av_frame_alloc();
    if (!engine->codec) {
        return "libavcodec does not know it";
    }
    if (!engine->room || !engine->upload) {
        return "out of memory";
    }
    for (int i = 0; i < LIBRARIES && engine->kind->libraries[i]; i++) {
        engine->libraries[i] = dlopen(engine->kind->libraries[i], RTLD_LAZY | RTLD_LOCAL);
    }
    if (!open_device(engine)) {
        return "its device cannot be opened";
    }
    return warm(engine) ? NULL : "no encoder can be opened, or it makes nothing";
}

struct engine *engine_open(enum weir_encoder id, const char **ret_why)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    if (!engine) {
        *ret_why = "out of memory";
        return NULL;
    }
    av_log_set_level(AV_LOG_QUIET);
    engine->id = id;
    engine->kind = &kinds[id];
    *ret_why = open_all(engine);
    if (*ret_why) {
        engine_free(&engine);
    }
    return engine;
}

void engine_free(struct engine **ptr)
{
    struct engine *engine = *ptr;
    if (!engine) {
        return;
    }
    *ptr = NULL;
    av_frame_free(&engine->room);
    av_frame_free(&engine->upload);
    av_buffer_unref(&engine->device);
    for (int i = 0; i < LIBRARIES; i++) {
        if (engine->libraries[i]) {
            dlclose(engine->libraries[i]);
        }
    }
    free(engine);
}

/* ---- an encoder ---- */

static bool set_frames(struct engine *engine, AVCodecContext *encoder)
{
    AVBufferRef *ref = av_hwframe_ctx_alloc(engine->device);
    if (!ref) {
        return false;
    }
    AVHWFramesContext *frames = (AVHWFramesContext *)(void *)ref->data;
    frames->format = AV_PIX_FMT_VAAPI;
    frames->sw_format = engine->kind->format;
    frames->width = encoder->width;
    frames->height = encoder->height;
    frames->initial_pool_size = UPLOADS_MOST;
    if (av_hwframe_ctx_init(ref) < 0) {
        av_buffer_unref(&ref);
        return false;
    }
    encoder->pix_fmt = AV_PIX_FMT_VAAPI;
    encoder->hw_frames_ctx = ref;
    return true;
}

bool engine_prepare(struct engine *engine, AVCodecContext *encoder, bool is_main)
{
    const struct kind *kind = engine->kind;
    encoder->pix_fmt = kind->format;
    encoder->max_b_frames = 0;
    encoder->profile = is_main ? FF_PROFILE_H264_MAIN : FF_PROFILE_H264_HIGH;
    for (int i = 0; encoder->priv_data && i < OPTIONS_MAX && kind->options[i][0]; i++) {
        /* A wish: drivers and versions differ in what they have. */
        (void)av_opt_set(encoder->priv_data, kind->options[i][0], kind->options[i][1], 0);
    }
    return !kind->has_frames || set_frames(engine, encoder);
}

/* The same picture with its chroma in one plane. */
static bool interleave(struct engine *engine, const AVFrame *picture)
{
    AVFrame *room = engine->room;
    if (room->width != picture->width || room->height != picture->height) {
        av_frame_unref(room);
        room->format = AV_PIX_FMT_NV12;
        room->width = picture->width;
        room->height = picture->height;
        if (av_frame_get_buffer(room, 0) < 0) {
            return false;
        }
    }
    if (av_frame_make_writable(room) < 0) {
        return false;
    }
    for (int y = 0; y < picture->height; y++) {
        memcpy(room->data[0] + (ptrdiff_t)y * room->linesize[0],
               picture->data[0] + (ptrdiff_t)y * picture->linesize[0], (size_t)picture->width);
    }
    for (int y = 0; y < picture->height / 2; y++) {
        uint8_t *to = room->data[1] + (ptrdiff_t)y * room->linesize[1];
        const uint8_t *u = picture->data[1] + (ptrdiff_t)y * picture->linesize[1];
        const uint8_t *v = picture->data[2] + (ptrdiff_t)y * picture->linesize[2];
        for (int x = 0; x < picture->width / 2; x++) {
            to[2 * x] = u[x];
            to[2 * x + 1] = v[x];
        }
    }
    room->pts = picture->pts;
    room->pict_type = picture->pict_type;
    return true;
}

static int send_uploaded(struct engine *engine, AVCodecContext *encoder)
{
    AVFrame *upload = engine->upload;
    int code = av_hwframe_get_buffer(encoder->hw_frames_ctx, upload, 0);
    if (code == 0) {
        code = av_hwframe_transfer_data(upload, engine->room, 0);
    }
    upload->pts = engine->room->pts;
    upload->pict_type = engine->room->pict_type;
    if (code == 0) {
        code = avcodec_send_frame(encoder, upload);
    }
    av_frame_unref(upload);
    return code;
}

int engine_send(struct engine *engine, AVCodecContext *encoder, const AVFrame *picture)
{
    const struct kind *kind = engine->kind;
    if (kind->format == AV_PIX_FMT_YUV420P) {
        return avcodec_send_frame(encoder, picture);
    }
    if (!interleave(engine, picture)) {
        return AVERROR(ENOMEM);
    }
    return kind->has_frames ? send_uploaded(engine, encoder)
                            : avcodec_send_frame(encoder, engine->room);
}
