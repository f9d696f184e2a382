/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/intake.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/domain/xcode.h"
#include "worker/tap/jpeg.h"
#include "worker/tap/nal.h"
#include "worker/tap/report.h"

#define CLOCK_TRIES   3
#define CLOCK_SURE_US 50

static void measure_picture(struct tap_intake *in)
{
    if (!tap_nal_picture_size(in->format.video, &in->format.params.sps, &in->width, &in->height)) {
        in->width = 0;
        in->height = 0;
    }
}

static bool is_same_kind(const struct tap_format *a, const struct tap_format *b)
{
    return a->video == b->video && tap_format_has_same_sound(a, b) &&
           tap_raw_is_same(&a->raw, &b->raw);
}

/* Old units are of another kind: nobody may get both in one session. */
static void start_over(struct tap_intake *in)
{
    tap_kind_start_over(&in->kind, &in->format.params, weir_clock_mono_ms());
    tap_spool_clear(in->spool);
    int64_t max_ms = in->ring.max_ms;
    size_t max_bytes = in->ring.max_bytes;
    tap_ring_done(&in->ring);
    tap_ring_init(&in->ring, max_ms, max_bytes);
    tap_timeline_init(&in->line);
    tap_clock_restart(&in->clock); /* what it knows lies on the old line */
    tap_sound_restart(in->sound);
    in->calls->restart(in->ctx);
}

/* A picture of another kind, now or a while ago. */
static void follow_picture(struct tap_intake *in)
{
    if (tap_ring_is_empty(&in->ring))
        tap_kind_begin(&in->kind, &in->format.params);
    else if (tap_kind_is_due(&in->kind, &in->format.params, weir_clock_mono_ms()))
        start_over(in);
}

static void give_up_sound(struct tap_intake *in)
{
    WEIR_STR_SET(in->format.audio_dropped, tap_report_codec(in->format.raw.codec));
    in->format.audio = TAP_CODEC_NONE;
    in->format.raw = (struct tap_raw){.codec = TAP_CODEC_NONE};
}

/* Sound is new, and nothing else: pictures go on as they were. */
static bool is_new_sound(const struct tap_intake *in, const struct tap_format *before)
{
    struct tap_format silent = *before;
    tap_format_take_sound(&silent, &in->format);
    return before->audio == TAP_CODEC_NONE && is_same_kind(&silent, &in->format) &&
           in->from.can_hear;
}

static void follow_format(struct tap_intake *in, const struct tap_format *before)
{
    bool is_same = before->video == TAP_CODEC_NONE || is_same_kind(before, &in->format);
    if (!is_same && !is_new_sound(in, before)) {
        start_over(in);
        return;
    }
    follow_picture(in);
    if (!is_same)
        in->calls->hear(in->ctx);
}

/* Newer parameter sets inside the stream: the engine reads them there, others from `format`. */
static void follow_params(struct tap_intake *in, const struct tap_unit *unit)
{
    const uint8_t *nal;
    size_t len;
    bool has_changed = false;
    bool is_image = in->format.video == TAP_CODEC_MJPEG;
    if (is_image)
        has_changed = tap_jpeg_take_header(&in->format.params.sps, unit->bytes, unit->len);
    for (size_t at = 0; !is_image && tap_nal_next_in_unit(unit->bytes, unit->len, &at, &nal, &len);)
        has_changed |= tap_params_take(&in->format.params, in->format.video, nal, len);
    if (has_changed && in->stats.keyframes > 0)
        tap_health_params(&in->health, weir_clock_mono_ms());
    follow_picture(in);
    if (!has_changed)
        return;
    int width = in->width;
    int height = in->height;
    measure_picture(in);
    if (width != in->width || height != in->height)
        in->calls->changed(in->ctx);
}

/* Units come in handfuls, and each at its own time. */
static int64_t heard_ms(const struct tap_unit *unit)
{
    int64_t age_ms = (weir_clock_mono_us() - unit->arrival_mono_us) / 1000;
    int64_t most_ms = 2 * TAP_HEALTH_TICK_MS;
    age_ms = age_ms < 0 ? 0 : age_ms < most_ms ? age_ms : most_ms;
    return weir_clock_mono_ms() - age_ms;
}

/* Of some tries, for one of them may be interrupted between the clocks. */
static int64_t wall_less_mono_us(void)
{
    int64_t best_us = 0;
    int64_t least_us = INT64_MAX;
    for (int i = 0; i < CLOCK_TRIES && least_us > CLOCK_SURE_US; i++) {
        int64_t mono_us = weir_clock_mono_us();
        int64_t wall_us = weir_clock_wall_us();
        int64_t took_us = weir_clock_mono_us() - mono_us;
        if (took_us < least_us) {
            least_us = took_us;
            best_us = wall_us - mono_us - took_us / 2;
        }
    }
    return best_us;
}

static void count_unit(struct tap_intake *in, const struct tap_unit *unit)
{
    in->stats.packets++;
    in->stats.bytes += (int64_t)unit->len;
    in->frames += unit->track == TAP_VIDEO;
    in->last_unit_mono_ms = weir_clock_mono_ms();
    if (!unit->is_key)
        return;
    in->stats.keyframes++;
    int64_t gop_us = unit->capture_us - in->last_key_capture_us;
    in->stats.has_gop_ms = in->stats.keyframes > 1 && gop_us > 0;
    in->stats.gop_ms = gop_us / 1000;
    in->last_key_capture_us = unit->capture_us;
}

/* Frames before and behind it are not to be compared by their times. */
static void log_clock_set(const struct tap_intake *in)
{
    static struct weir_log_limit limit;
    char jumps[24];
    if (!weir_log_allowed(&limit, 10, 60000, weir_clock_mono_ms()))
        return;
    snprintf(jumps, sizeof(jumps), "%" PRIu64, in->clock.jumps);
    weir_log(WEIR_LOG_WARN, "camera: its clock was set", "camera_id",
             WEIR_ID_TEXT(in->from.camera_id), "source", in->from.name, "times", jumps, NULL);
}

/* Into the files and the ring. */
static void keep(struct tap_intake *in, struct tap_unit *unit)
{
    if (in->is_spooled)
        tap_spool_add(in->spool, &in->format, unit);
    if (tap_ring_push(&in->ring, unit))
        in->calls->wake(in->ctx);
}

static void on_sound(void *ctx, struct tap_unit *unit)
{
    keep(ctx, unit);
}

/* It can neither be passed on nor made. */
static void on_no_sound(void *ctx)
{
    struct tap_intake *in = ctx;
    weir_log(WEIR_LOG_WARN, "camera: its sound cannot be made", "camera_id",
             WEIR_ID_TEXT(in->from.camera_id), "source", in->from.name, NULL);
    in->unmade = in->format.raw;
    give_up_sound(in);
    start_over(in);
    in->calls->changed(in->ctx);
}

/* What came of the camera and is to be made first. */
static bool is_raw(const struct tap_intake *in, const struct tap_unit *unit)
{
    return unit->track == TAP_AUDIO && in->format.raw.codec != TAP_CODEC_NONE;
}

static const struct tap_sound_calls sound_calls = {on_sound, on_no_sound};

void tap_intake_take(struct tap_intake *in, struct tap_unit *unit)
{
    int64_t rate =
        is_raw(in, unit) ? in->format.raw.rate : tap_format_rate(&in->format, unit->track);
    if (unit->track == TAP_AUDIO && in->format.audio == TAP_CODEC_NONE) {
        free(unit);
        return;
    }
    if (unit->is_key)
        follow_params(in, unit);
    if (unit->track == TAP_VIDEO)
        tap_health_frame(&in->health, unit->pts, unit->is_key, heard_ms(unit));
    tap_clock_set_wall(&in->clock, wall_less_mono_us());
    unit->arrival_us = unit->arrival_mono_us + in->clock.wall_us;
    uint64_t jumps = in->line.jumps;
    if (!tap_timeline_map(&in->line, unit, rate)) {
        free(unit);
        return;
    }
    if (in->line.jumps != jumps)
        tap_clock_restart(&in->clock);
    uint64_t sets = in->clock.jumps;
    tap_clock_map(&in->clock, unit, tap_ticks_to_us(unit->ts, rate));
    if (in->clock.jumps != sets)
        log_clock_set(in);
    count_unit(in, unit);
    if (is_raw(in, unit)) {
        tap_sound_take(in->sound, unit);
        free(unit);
        return;
    }
    if (unit->track == TAP_VIDEO)
        tap_sound_frame(in->sound, unit);
    keep(in, unit);
}

/* ---- begin, end, and what is left for the next process ---- */

/* The newest groups, as many as are kept, instead of what an earlier process left. */
static void fill_spool(struct tap_intake *in)
{
    tap_spool_clear(in->spool);
    const struct tap_ring *ring = &in->ring;
    uint64_t from = ring->end;
    for (unsigned n_keys = 0; from > ring->first && n_keys < TAP_SPOOL_FILES; from--)
        n_keys += tap_ring_find(ring, from - 1)->is_key;
    for (uint64_t i = from; i < ring->end; i++)
        tap_spool_add(in->spool, &in->format, tap_ring_find(ring, i));
}

void tap_intake_spool(struct tap_intake *in, bool is_spooled)
{
    if (is_spooled && !in->is_spooled)
        fill_spool(in);
    else if (!is_spooled)
        tap_spool_clear(in->spool);
    in->is_spooled = is_spooled;
}

void tap_intake_silence(struct tap_intake *in)
{
    struct tap_format silent = {.is_muted = true};
    tap_format_take_sound(&in->format, &silent);
    tap_sound_follow(in->sound);
    tap_spool_clear(in->spool);
    tap_ring_silence(&in->ring);
    in->line.has_audio = false; /* what comes one day may count in other ticks */
}

/* What the process before this one read of the camera. */
static void take_spool(struct tap_intake *in)
{
    in->spool = tap_spool_open(in->from.spool_dir, in->from.camera_id);
    if (!tap_spool_load(in->spool, weir_clock_wall_us(), &in->format, &in->ring))
        return;
    int64_t audio_ts = TAP_NO_TIME;
    for (uint64_t i = in->ring.first; i < in->ring.end; i++) {
        const struct tap_unit *unit = tap_ring_find(&in->ring, i);
        audio_ts = unit->track == TAP_AUDIO ? unit->ts : audio_ts;
    }
    bool is_made = in->format.raw.codec != TAP_CODEC_NONE;
    if (is_made && audio_ts != TAP_NO_TIME)
        tap_sound_resume(in->sound, audio_ts + WEIR_XCODE_SOUND_SAMPLES);
    tap_timeline_resume(&in->line, in->ring.newest_ts, is_made ? TAP_NO_TIME : audio_ts);
    if (!in->from.has_audio)
        tap_intake_silence(in);
    tap_sound_follow(in->sound);
    tap_kind_begin(&in->kind, &in->format.params);
    measure_picture(in);
}

void tap_intake_init(struct tap_intake *in, const struct tap_intake_from *from, int64_t ring_ms,
                     size_t ring_bytes, const struct tap_intake_calls *calls, void *ctx)
{
    *in = (struct tap_intake){.from = *from, .calls = calls, .ctx = ctx};
    tap_ring_init(&in->ring, ring_ms, ring_bytes);
    tap_timeline_init(&in->line);
    in->sound = tap_sound_new(from->loop, from->dying, from->xcode, &in->ring, &in->format,
                              &sound_calls, in);
    take_spool(in);
}

void tap_intake_done(struct tap_intake *in)
{
    tap_sound_free(&in->sound);
    tap_ring_done(&in->ring);
    tap_spool_close(&in->spool, true);
}

void tap_intake_up(struct tap_intake *in, const struct tap_format *format)
{
    struct tap_format before = in->format;
    in->format = *format;
    if (format->raw.codec != TAP_CODEC_NONE && tap_raw_is_same(&in->unmade, &format->raw))
        give_up_sound(in);
    follow_format(in, &before);
    tap_sound_follow(in->sound);
    tap_health_up(&in->health, weir_clock_mono_ms());
    if (!tap_kind_is_same(&before.params, &in->format.params))
        tap_health_other_rate(&in->health);
    measure_picture(in);
}

void tap_intake_down(struct tap_intake *in)
{
    tap_health_down(&in->health, weir_clock_mono_ms());
    tap_timeline_restart(&in->line);
    tap_clock_restart(&in->clock);
}

void tap_intake_stats(const struct tap_intake *in, struct weir_ctl_tap_stats_cameras *ret)
{
    *ret = in->stats;
    ret->camera_id = *in->from.camera_id;
    WEIR_STR_SET(ret->source, in->from.name);
    ret->ring_ms = tap_ring_ms(&in->ring);
    ret->ring_bytes = (int64_t)in->ring.bytes;
    ret->last_packet_age_ms =
        in->last_unit_mono_ms == 0 ? 0 : weir_clock_mono_ms() - in->last_unit_mono_ms;
    ret->has_health = ret->has_faults = ret->has_health_ms = ret->has_faults_seen = true;
    ret->health = in->health.state;
    ret->faults = in->health.faults;
    ret->health_ms = weir_clock_mono_ms() - in->health.since_ms;
    for (int i = 0; i < WEIR_FAULT_N; i++)
        ret->faults_seen += in->health.counts[i];
    ret->has_clock_offset_us = tap_clock_offset(&in->clock, &ret->clock_offset_us);
    ret->clock_jumps = (int64_t)in->clock.jumps;
    ret->has_clock_before_us = in->clock.jumps > 0;
    ret->clock_before_us = in->clock.before_us;
    ret->has_clock_is_near = true;
    ret->clock_is_near = tap_clock_is_near(&in->clock);
    ret->clock = ret->has_clock_offset_us ? WEIR_CTL_TAP_STATS_CAMERAS_CLOCK_RTCP_SR
                                          : WEIR_CTL_TAP_STATS_CAMERAS_CLOCK_ARRIVAL;
}
