/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What flows through the tap: access units of one camera, compressed, never decoded.
 *
 * A video unit is a run of NAL units, each behind its length (4 bytes, big endian); a unit that a
 * decoder can start at (`is_key`) opens with its parameter sets. Of Motion JPEG it is one image, as
 * in jpeg.h. An audio unit is one AAC access unit or one Opus packet.
 */
#ifndef WEIR_WORKER_TAP_MEDIA_H
#define WEIR_WORKER_TAP_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TAP_VIDEO_RATE       90000
#define TAP_PARAM_MAX        1024              /* bytes of one parameter set */
#define TAP_AUDIO_CONFIG_MAX 64                /* bytes of an AudioSpecificConfig */
#define TAP_UNIT_MAX         (8 * 1024 * 1024) /* bytes of one access unit */
#define TAP_NO_TIME          INT64_MIN

enum tap_track { TAP_VIDEO, TAP_AUDIO };
#define TAP_TRACKS 2

enum tap_codec {
    TAP_CODEC_NONE,
    TAP_CODEC_H264,
    TAP_CODEC_H265,
    TAP_CODEC_AAC,
    TAP_CODEC_OPUS,
    TAP_CODEC_MJPEG, /* never published as it is, as are all below */
    TAP_CODEC_PCMA,
    TAP_CODEC_PCMU,
    TAP_CODEC_G726,           /* samples from the highest bit on */
    TAP_CODEC_G726_LOW_FIRST, /* ... from the lowest */
};

/* One parameter set, a NAL unit without start code; `len` 0: not known. */
struct tap_param {
    size_t len;
    uint8_t bytes[TAP_PARAM_MAX];
};

struct tap_params {
    struct tap_param vps; /* H.265 only */
    struct tap_param sps; /* Motion JPEG: the frame header of its images */
    struct tap_param pps;
};

/* Sound that is made into AAC first (sound.h). */
struct tap_raw {
    enum tap_codec codec; /* TAP_CODEC_NONE: there is none */
    int rate;             /* Hz; of the camera's timestamps too */
    int channels;
    int bits; /* a sample of G.726, else 0 */
};

/* What a camera sends. */
struct tap_format {
    enum tap_codec video;
    struct tap_params params; /* newest seen */
    enum tap_codec audio;     /* TAP_CODEC_NONE: no audio that is passed on */
    int audio_rate;           /* Hz; RTP clock of the audio track */
    int audio_channels;
    size_t audio_config_len; /* AAC: AudioSpecificConfig, ISO/IEC 14496-3 */
    uint8_t audio_config[TAP_AUDIO_CONFIG_MAX];
    char audio_dropped[32]; /* name of the audio codec that is not passed on, or "" */
    struct tap_raw raw;     /* what `audio` is made of, where that is not what the camera sends */
    bool is_muted;          /* sound is switched off, so nobody knows whether there is any */
};

static inline bool tap_raw_is_same(const struct tap_raw *a, const struct tap_raw *b)
{
    return a->codec == b->codec && a->rate == b->rate && a->channels == b->channels &&
           a->bits == b->bits;
}

/* To who plays it. */
static inline bool tap_format_has_same_sound(const struct tap_format *a, const struct tap_format *b)
{
    return a->audio == b->audio && a->audio_rate == b->audio_rate &&
           a->audio_channels == b->audio_channels && a->audio_config_len == b->audio_config_len &&
           memcmp(a->audio_config, b->audio_config, a->audio_config_len) == 0;
}

/* All that a format says of sound. */
static inline void tap_format_take_sound(struct tap_format *format, const struct tap_format *from)
{
    struct tap_format now = *from;
    now.video = format->video;
    now.params = format->params;
    *format = now;
}

/* One access unit. One allocation; whoever holds the pointer owns it. */
struct tap_unit {
    enum tap_track track;
    bool is_key;
    bool has_gap;            /* something was lost on the way, of it or right before it */
    bool is_tied;            /* `pts` follows sender reports, and may move with each of them */
    int64_t pts;             /* presentation time as the source gave it, in ticks of the track */
    int64_t camera_us;       /* capture, camera's wall clock by RTCP; TAP_NO_TIME when unknown */
    int64_t arrival_mono_us; /* monotonic clock, where a source gave it */
    int64_t arrival_us;      /* the same in our wall clock, as that was set when it was taken in */
    int64_t ts;              /* presentation time on the gapless line (timeline.h), ticks */
    int64_t capture_us;      /* capture in our wall clock (clock.h) */
    bool is_cameras;         /* ... by the camera's own clock, which is near to ours */
    size_t len;
    uint8_t bytes[];
};

/* Ticks per second of a track. */
static inline int64_t tap_format_rate(const struct tap_format *format, enum tap_track track)
{
    return track == TAP_VIDEO ? TAP_VIDEO_RATE : format->audio_rate;
}

/* Times are far from the ends of int64: 2^63 us is 292,000 years. */
static inline int64_t tap_ticks_to_us(int64_t ticks, int64_t rate)
{
    return ticks / rate * 1000000 + ticks % rate * 1000000 / rate;
}

static inline int64_t tap_us_to_ticks(int64_t us, int64_t rate)
{
    return us / 1000000 * rate + us % 1000000 * rate / 1000000;
}

#endif
