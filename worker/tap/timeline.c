/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/timeline.h"

#define JUMP_TICKS (TAP_TIMELINE_JUMP_MS * TAP_VIDEO_RATE / 1000)

void tap_timeline_init(struct tap_timeline *line)
{
    *line = (struct tap_timeline){.step = TAP_VIDEO_RATE / 25};
}

void tap_timeline_restart(struct tap_timeline *line)
{
    line->has_video = false;
    line->has_reorder = false;
    line->skips_to_key = false;
    line->audio_fix = 0;
}

/* `pts` is put right behind everything before. */
static void reanchor(struct tap_timeline *line, int64_t pts)
{
    int64_t ts = line->has_any ? line->max_ts + line->step : 0;
    line->shift = ts - pts;
    line->shift_us = tap_ticks_to_us(line->shift, TAP_VIDEO_RATE);
    line->jumps += line->has_any ? 1 : 0;
}

static bool is_jump(const struct tap_timeline *line, int64_t ts, bool is_key)
{
    int64_t most = 5 * line->step > JUMP_TICKS ? 5 * line->step : JUMP_TICKS;
    if (ts > line->max_ts + most || ts < line->max_ts - TAP_VIDEO_RATE)
        return true;
    /* Nothing that comes after a key picture may be shown before what came ahead of it. */
    return is_key && ts <= line->max_ts;
}

/* Between two highest times lie as many intervals as units were decoded (B-frames in between). */
static void learn_step(struct tap_timeline *line, int64_t ts)
{
    int64_t step = (ts - line->max_ts) / (line->since_max + 1);
    if (step > 0 && step <= JUMP_TICKS)
        line->step = step;
}

/* Without a jump, steps between units are whole frames, and few. */
static bool fits_grid(const struct tap_timeline *line, int64_t ts)
{
    int64_t delta = ts - line->max_ts;
    int64_t frames = (2 * delta + line->step) / (2 * line->step);
    int64_t off = delta - frames * line->step;
    int64_t tolerance = TAP_VIDEO_RATE / 500;
    return frames >= -4 && frames <= 4 && off <= tolerance && off >= -tolerance;
}

/*
 * The source counts anew, by an unknown but small amount (libavformat does so once when it begins
 * to tie two tracks by their sender reports). False: this unit cannot be placed.
 */
static bool rebase(struct tap_timeline *line, const struct tap_unit *unit)
{
    if (!line->has_video || unit->is_key || fits_grid(line, unit->pts + line->shift))
        return true;
    line->skips_to_key = line->has_reorder;
    if (!line->has_reorder)
        reanchor(line, unit->pts);
    return !line->skips_to_key;
}

static bool map_video(struct tap_timeline *line, struct tap_unit *unit)
{
    line->skips_to_key = line->skips_to_key && !unit->is_key;
    if (line->skips_to_key || (unit->is_rebased && !rebase(line, unit)))
        return false;
    int64_t ts = unit->pts + line->shift;
    if (!line->has_video || is_jump(line, ts, unit->is_key)) {
        reanchor(line, unit->pts);
        ts = unit->pts + line->shift;
    } else if (ts > line->max_ts) {
        learn_step(line, ts);
    }
    if (!line->has_any || ts > line->max_ts) {
        line->max_ts = ts;
        line->since_max = 0;
    } else {
        line->has_reorder = true;
        line->since_max++;
    }
    line->has_video = true;
    line->has_any = true;
    unit->ts = ts;
    return true;
}

static bool map_audio(struct tap_timeline *line, struct tap_unit *unit, int64_t rate)
{
    if (!line->has_video)
        return false;
    int64_t video_us = tap_ticks_to_us(line->max_ts, TAP_VIDEO_RATE);
    int64_t source_us = tap_ticks_to_us(unit->pts, rate) + line->shift_us;
    int64_t us = source_us + line->audio_fix;
    int64_t most_us = (int64_t)TAP_TIMELINE_JUMP_MS * 1000;
    if (us > video_us + most_us || us < video_us - most_us) {
        line->audio_fix = video_us - source_us;
    }
    int64_t ts = unit->pts + tap_us_to_ticks(line->shift_us + line->audio_fix, rate);
    if (line->has_audio && ts <= line->audio_ts)
        return false;
    line->has_audio = true;
    line->audio_ts = ts;
    unit->ts = ts;
    return true;
}

bool tap_timeline_map(struct tap_timeline *line, struct tap_unit *unit, int64_t rate)
{
    if (unit->track == TAP_AUDIO)
        return map_audio(line, unit, rate);
    return map_video(line, unit);
}
