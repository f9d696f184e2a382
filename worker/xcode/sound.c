/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/sound.h"

#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <libavutil/log.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <stdlib.h>
#include <string.h>

#define TICKS       90000
#define BITRATE_BPS 32000
#define STRETCH_HZ  100   /* samples in a second of the camera's that may be made up or left out */
#define HARD_S      0.018 /* further apart, silence is put in or samples are dropped */
#define HELD_MAX    65536 /* samples: more than one packet and one second of silence make */

struct sound {
    struct weir_xcode_sound spec;
    AVCodecContext *decoder;
    AVCodecContext *encoder;
    SwrContext *swr;
    AVPacket *in;
    AVPacket *out;
    AVFrame *decoded;
    AVFrame *frame; /* that is encoded */
    float *held;    /* samples that are not encoded yet */
    int n_held;
    bool has_begun;
    int64_t next_ts; /* that the next packet should have */
    int64_t at;      /* time of the first held sample, in samples */
};

static bool is_sane(const struct weir_xcode_sound *spec)
{
    bool is_g726 = spec->codec == WEIR_XCODE_G726 || spec->codec == WEIR_XCODE_G726_LOW_FIRST;
    return spec->codec <= WEIR_XCODE_G726_LOW_FIRST && spec->rate_hz >= 8000 &&
           spec->rate_hz <= 48000 && spec->channels >= 1 && spec->channels <= 2 &&
           (is_g726 ? spec->bits >= 2 && spec->bits <= 5 && spec->channels == 1 : spec->bits == 0);
}

static AVCodecContext *open_decoder(const struct weir_xcode_sound *spec)
{
    static const enum AVCodecID ids[] = {[WEIR_XCODE_PCMA] = AV_CODEC_ID_PCM_ALAW,
                                         [WEIR_XCODE_PCMU] = AV_CODEC_ID_PCM_MULAW,
                                         [WEIR_XCODE_G726] = AV_CODEC_ID_ADPCM_G726,
                                         [WEIR_XCODE_G726_LOW_FIRST] = AV_CODEC_ID_ADPCM_G726LE};
    const AVCodec *codec = avcodec_find_decoder(ids[spec->codec]);
    AVCodecContext *ctx = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!ctx) {
        return NULL;
    }
    ctx->sample_rate = (int)spec->rate_hz;
    ctx->bits_per_coded_sample = (int)spec->bits;
    av_channel_layout_default(&ctx->ch_layout, (int)spec->channels);
    if (avcodec_open2(ctx, codec, NULL) < 0) {
        avcodec_free_context(&ctx);
    }
    return ctx;
}

static AVCodecContext *open_encoder(void)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    AVCodecContext *ctx = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!ctx) {
        return NULL;
    }
    ctx->sample_fmt = AV_SAMPLE_FMT_FLTP;
    ctx->sample_rate = WEIR_XCODE_SOUND_HZ;
    ctx->bit_rate = BITRATE_BPS;
    ctx->time_base = (AVRational){1, WEIR_XCODE_SOUND_HZ};
    ctx->thread_count = 1;
    av_channel_layout_default(&ctx->ch_layout, 1);
    if (avcodec_open2(ctx, codec, NULL) < 0 || ctx->frame_size != WEIR_XCODE_SOUND_SAMPLES) {
        avcodec_free_context(&ctx);
    }
    return ctx;
}

static SwrContext *open_swr(AVCodecContext *decoder)
{
    AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
    SwrContext *swr = NULL;
    if (swr_alloc_set_opts2(&swr, &mono, AV_SAMPLE_FMT_FLTP, WEIR_XCODE_SOUND_HZ,
                            &decoder->ch_layout, decoder->sample_fmt, decoder->sample_rate, 0,
                            NULL) < 0) {
        return NULL;
    }
    av_opt_set_double(swr, "async", STRETCH_HZ, 0);
    av_opt_set_double(swr, "min_hard_comp", HARD_S, 0);
    if (swr_init(swr) < 0) {
        swr_free(&swr);
    }
    return swr;
}

static AVFrame *new_frame(const AVCodecContext *encoder)
{
    AVFrame *frame = av_frame_alloc();
    if (!frame) {
        return NULL;
    }
    frame->format = encoder->sample_fmt;
    frame->sample_rate = encoder->sample_rate;
    frame->nb_samples = WEIR_XCODE_SOUND_SAMPLES;
    if (av_channel_layout_copy(&frame->ch_layout, &encoder->ch_layout) < 0 ||
        av_frame_get_buffer(frame, 0) < 0) {
        av_frame_free(&frame);
    }
    return frame;
}

static void close_all(struct sound *sound)
{
    avcodec_free_context(&sound->decoder);
    avcodec_free_context(&sound->encoder);
    swr_free(&sound->swr);
    av_frame_free(&sound->frame);
}

/* From a moment that has nothing to do with what came before. */
static bool open_all(struct sound *sound)
{
    close_all(sound);
    sound->decoder = open_decoder(&sound->spec);
    sound->encoder = open_encoder();
    sound->swr = sound->decoder ? open_swr(sound->decoder) : NULL;
    sound->frame = sound->encoder ? new_frame(sound->encoder) : NULL;
    sound->has_begun = false;
    sound->n_held = 0;
    return sound->swr && sound->frame;
}

struct sound *sound_new(const struct weir_xcode_sound *spec)
{
    struct sound *sound = is_sane(spec) ? calloc(1, sizeof(*sound)) : NULL;
    if (!sound) {
        return NULL;
    }
    av_log_set_level(AV_LOG_QUIET);
    sound->spec = *spec;
    sound->in = av_packet_alloc();
    sound->out = av_packet_alloc();
    sound->decoded = av_frame_alloc();
    sound->held = calloc(HELD_MAX, sizeof(*sound->held));
    if (!sound->in || !sound->out || !sound->decoded || !sound->held || !open_all(sound)) {
        sound_free(&sound);
    }
    return sound;
}

void sound_free(struct sound **ptr)
{
    struct sound *sound = *ptr;
    if (!sound) {
        return;
    }
    *ptr = NULL;
    close_all(sound);
    av_packet_free(&sound->in);
    av_packet_free(&sound->out);
    av_frame_free(&sound->decoded);
    free(sound->held);
    free(sound);
}

/* ---- samples into access units ---- */

static bool hand_on(struct sound *sound, sound_unit_fn *fn, void *ctx)
{
    bool is_good = true;
    while (is_good && avcodec_receive_packet(sound->encoder, sound->out) == 0) {
        const AVPacket *out = sound->out;
        int64_t ts = av_rescale(out->pts, TICKS, WEIR_XCODE_SOUND_HZ);
        if (out->size > 0 && out->size <= WEIR_XCODE_SOUND_MADE_MAX) {
            is_good = fn(ctx, ts, out->data, (size_t)out->size);
        }
        av_packet_unref(sound->out);
    }
    return is_good;
}

static bool encode(struct sound *sound, sound_unit_fn *fn, void *ctx)
{
    const int n = WEIR_XCODE_SOUND_SAMPLES;
    while (sound->n_held >= n) {
        if (av_frame_make_writable(sound->frame) < 0) {
            return false;
        }
        memcpy(sound->frame->data[0], sound->held, (size_t)n * sizeof(*sound->held));
        sound->n_held -= n;
        memmove(sound->held, sound->held + n, (size_t)sound->n_held * sizeof(*sound->held));
        sound->frame->pts = sound->at;
        sound->at += n;
        if (avcodec_send_frame(sound->encoder, sound->frame) < 0 || !hand_on(sound, fn, ctx)) {
            return false;
        }
    }
    return true;
}

/* ---- packets into samples ---- */

/* All the samples that come of it, behind what is held. */
static bool resample(struct sound *sound, const AVFrame *frame, int64_t ts)
{
    int64_t unit = (int64_t)sound->spec.rate_hz * WEIR_XCODE_SOUND_HZ;
    int64_t at = swr_next_pts(sound->swr, av_rescale(ts, unit, TICKS)) / sound->spec.rate_hz;
    if (!sound->has_begun) {
        sound->at = at;
        sound->has_begun = true;
    }
    uint8_t *to = (uint8_t *)(sound->held + sound->n_held);
    int n = swr_convert(sound->swr, &to, HELD_MAX - sound->n_held,
                        (const uint8_t **)frame->extended_data, frame->nb_samples);
    sound->n_held += n > 0 ? n : 0;
    return n >= 0;
}

static bool is_jump(const struct sound *sound, int64_t ts)
{
    return sound->has_begun &&
           (ts > sound->next_ts + SOUND_JUMP_TICKS || ts < sound->next_ts - SOUND_JUMP_TICKS);
}

bool sound_take(struct sound *sound, const uint8_t *bytes, size_t len, int64_t ts,
                sound_unit_fn *fn, void *ctx)
{
    bool is_good = !is_jump(sound, ts) || open_all(sound);
    if (!is_good || len == 0 || len > WEIR_XCODE_SOUND_MAX) {
        return is_good;
    }
    /* Not counted, so it is copied: it is small. */
    sound->in->data = (uint8_t *)(uintptr_t)bytes;
    sound->in->size = (int)len;
    is_good = avcodec_send_packet(sound->decoder, sound->in) >= 0;
    av_packet_unref(sound->in);
    while (is_good && avcodec_receive_frame(sound->decoder, sound->decoded) == 0) {
        const AVFrame *frame = sound->decoded;
        sound->next_ts = ts + av_rescale(frame->nb_samples, TICKS, sound->spec.rate_hz);
        bool is_kept = resample(sound, frame, ts) && encode(sound, fn, ctx);
        ts = sound->next_ts;
        av_frame_unref(sound->decoded);
        if (!is_kept) {
            return false;
        }
    }
    return true;
}
