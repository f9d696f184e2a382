/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/outlet.h"

#include "worker/tap/sdp.h"

void tap_outlet_init(struct tap_outlet *outlet, const struct tap_format *format,
                     const uint32_t random[static 6], int64_t now_mono_ms)
{
    *outlet = (struct tap_outlet){
        .format = *format, .budget = TAP_OUTLET_BURST, .budget_mono_ms = now_mono_ms};
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

void tap_outlet_unit(struct tap_outlet *outlet, const struct tap_unit *unit, int64_t now_mono_ms,
                     struct weir_buf *out)
{
    struct tap_outlet_track *track = &outlet->tracks[unit->track];
    const struct tap_format *format = &outlet->format;
    enum tap_codec codec = unit->track == TAP_VIDEO ? format->video : format->audio;
    if (codec == TAP_CODEC_NONE)
        return;
    uint32_t before = track->rtp.packets;
    track->ts = unit->ts;
    track->us = unit->capture_us;
    bool is_first = !track->has_sent;
    if (is_first && unit->track == TAP_VIDEO) {
        /* A packet that carries no picture, so that the report comes ahead of the first one. */
        const struct tap_param *sps = &format->params.sps;
        tap_rtp_nal(&track->rtp, codec, unit->ts, sps->bytes, sps->len, out);
        report(track, now_mono_ms, out);
    } else if (!is_first && has_moved(track, tap_format_rate(format, unit->track))) {
        report(track, now_mono_ms, out);
    }
    tap_rtp_unit(&track->rtp, codec, unit, out);
    if (is_first && unit->track == TAP_AUDIO)
        report(track, now_mono_ms, out);
    track->has_sent = true;
    track->sent_mono_ms = now_mono_ms;
    outlet->budget -= track->rtp.packets - before;
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
