/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/outlet.h"

#include <string.h>

#include "worker/tap/sdp.h"

void tap_outlet_init(struct tap_outlet *outlet, const struct tap_format *format,
                     const uint32_t random[static 6], int64_t now_mono_ms)
{
    *outlet = (struct tap_outlet){
        .format = *format, .budget = TAP_OUTLET_BURST, .budget_mono_ms = now_mono_ms};
    outlet->has_silence = tap_silence_of(format, &outlet->silence);
    for (int i = 0; i < TAP_TRACKS; i++) {
        outlet->tracks[i].rtp = (struct tap_rtp){
            .channel = (uint8_t)(2 * i),
            .payload_type = i == TAP_VIDEO ? TAP_SDP_VIDEO_TYPE : TAP_SDP_AUDIO_TYPE,
            .seq = (uint16_t)random[3 * i],
            .offset = random[3 * i + 1],
            .ssrc = random[3 * i + 2],
        };
    }
}

bool tap_outlet_may_send(struct tap_outlet *outlet, int64_t now_mono_ms)
{
    outlet->budget += (now_mono_ms - outlet->budget_mono_ms) * TAP_OUTLET_PER_MS;
    outlet->budget_mono_ms = now_mono_ms;
    if (outlet->budget > TAP_OUTLET_BURST)
        outlet->budget = TAP_OUTLET_BURST;
    return outlet->budget > 0;
}

static void report(struct tap_outlet_track *track, int64_t now_mono_ms, struct weir_buf *out)
{
    tap_rtp_report(&track->rtp, track->ts, track->us, out);
    track->tie_ts = track->ts;
    track->tie_us = track->us;
    track->reported_mono_ms = now_mono_ms;
}

static bool has_moved(const struct tap_outlet_track *track, int64_t rate)
{
    int64_t moved = track->us - track->tie_us - tap_ticks_to_us(track->ts - track->tie_ts, rate);
    return moved > TAP_OUTLET_MOVED_US || moved < -TAP_OUTLET_MOVED_US;
}

static int64_t to_audio(const struct tap_outlet *outlet, int64_t video_ts)
{
    return tap_us_to_ticks(tap_ticks_to_us(video_ts, TAP_VIDEO_RATE),
                           tap_format_rate(&outlet->format, TAP_AUDIO));
}

/*
 * The engine puts the first packet of a further track where the first track is at that moment, by
 * its own clock. So sound gets one that carries none, right behind the first of video and with its
 * time; what lies before that is left out.
 */
static void begin_audio(struct tap_outlet *outlet, int64_t now_mono_ms, struct weir_buf *out)
{
    static const uint8_t nothing[] = {0};
    const struct tap_outlet_track *video = &outlet->tracks[TAP_VIDEO];
    struct tap_outlet_track *audio = &outlet->tracks[TAP_AUDIO];
    if (outlet->format.audio == TAP_CODEC_NONE)
        return;
    audio->us = video->us;
    audio->ts = to_audio(outlet, video->ts);
    tap_rtp_bare(&audio->rtp, audio->ts, nothing, sizeof(nothing), out);
    report(audio, now_mono_ms, out);
    audio->has_sent = true;
    audio->sent_mono_ms = now_mono_ms;
    outlet->heard_ts = audio->ts;
}

static void put(struct tap_outlet *outlet, enum tap_codec codec, const struct tap_unit *unit,
                int64_t now_mono_ms, struct weir_buf *out)
{
    struct tap_outlet_track *track = &outlet->tracks[unit->track];
    uint32_t before = track->rtp.packets;
    track->ts = unit->ts;
    track->us = unit->capture_us;
    if (!track->has_sent) {
        /* A packet that carries no picture, so that the report comes ahead of the first one. */
        const struct tap_param *sps = &outlet->format.params.sps;
        tap_rtp_nal(&track->rtp, codec, unit->ts, sps->bytes, sps->len, out);
        report(track, now_mono_ms, out);
        begin_audio(outlet, now_mono_ms, out);
    } else if (has_moved(track, tap_format_rate(&outlet->format, unit->track))) {
        report(track, now_mono_ms, out);
    }
    tap_rtp_unit(&track->rtp, codec, unit, out);
    track->has_sent = true;
    track->sent_mono_ms = now_mono_ms;
    outlet->budget -= track->rtp.packets - before;
}

/* Silence, in whole units up to there. It has the times of the newest frame. */
static void be_quiet(struct tap_outlet *outlet, int64_t until, int64_t now_mono_ms,
                     struct weir_buf *out)
{
    union {
        struct tap_unit unit;
        uint8_t room[sizeof(struct tap_unit) + TAP_SILENCE_MAX];
    } quiet = {.unit = {.track = TAP_AUDIO, .len = outlet->silence.len}};
    const struct tap_outlet_track *video = &outlet->tracks[TAP_VIDEO];
    int64_t rate = tap_format_rate(&outlet->format, TAP_AUDIO);
    int64_t video_us = tap_ticks_to_us(video->ts, TAP_VIDEO_RATE);
    memcpy(quiet.room + sizeof(quiet.unit), outlet->silence.bytes, outlet->silence.len);
    for (; outlet->heard_ts + outlet->silence.ticks <= until;
         outlet->heard_ts += outlet->silence.ticks) {
        quiet.unit.ts = outlet->heard_ts;
        quiet.unit.capture_us = video->us + tap_ticks_to_us(quiet.unit.ts, rate) - video_us;
        put(outlet, outlet->format.audio, &quiet.unit, now_mono_ms, out);
    }
}

static void put_audio(struct tap_outlet *outlet, const struct tap_unit *unit, int64_t now_mono_ms,
                      struct weir_buf *out)
{
    const struct tap_outlet_track *track = &outlet->tracks[TAP_AUDIO];
    if (unit->len == 0 || !track->has_sent || unit->ts < track->ts)
        return;
    if (outlet->has_silence && unit->ts - outlet->heard_ts > outlet->silence.hole_ticks)
        be_quiet(outlet, unit->ts, now_mono_ms, out);
    put(outlet, outlet->format.audio, unit, now_mono_ms, out);
    outlet->heard_ts = unit->ts + (outlet->has_silence ? outlet->silence.ticks : 0);
}

void tap_outlet_unit(struct tap_outlet *outlet, const struct tap_unit *unit, int64_t now_mono_ms,
                     struct weir_buf *out)
{
    const struct tap_format *format = &outlet->format;
    if (unit->track == TAP_VIDEO) {
        put(outlet, format->video, unit, now_mono_ms, out);
        int64_t due = unit->ts - TAP_OUTLET_QUIET_MS * (TAP_VIDEO_RATE / 1000);
        if (outlet->has_silence)
            be_quiet(outlet, to_audio(outlet, due), now_mono_ms, out);
    } else if (format->audio != TAP_CODEC_NONE) {
        put_audio(outlet, unit, now_mono_ms, out);
    }
}

void tap_outlet_tick(struct tap_outlet *outlet, int64_t now_mono_ms, struct weir_buf *out)
{
    for (int i = 0; i < TAP_TRACKS; i++) {
        struct tap_outlet_track *track = &outlet->tracks[i];
        bool is_idle = now_mono_ms - track->sent_mono_ms >= TAP_OUTLET_IDLE_MS;
        int64_t every = is_idle ? TAP_OUTLET_IDLE_MS : TAP_OUTLET_REPORT_MS;
        if (track->has_sent && now_mono_ms - track->reported_mono_ms >= every)
            report(track, now_mono_ms, out);
    }
}
