/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/timeline.h"

#define JUMP_TICKS   (TAP_TIMELINE_JUMP_MS * TAP_VIDEO_RATE / 1000)
#define TIE_TICKS    (TAP_VIDEO_RATE / 500) /* what reports of a good clock differ by */
#define MOST_REORDER 4                      /* frames */

void tap_timeline_init(struct tap_timeline *line)
{
    *line = (struct tap_timeline){.step = TAP_VIDEO_RATE / 25};
}

void tap_timeline_restart(struct tap_timeline *line)
{
    line->has_video = false;
    line->has_reorder = false;
    line->has_step = false;
    line->skips_to_key = false;
    line->audio_fix = 0;
}

void tap_timeline_resume(struct tap_timeline *line, int64_t video_ts, int64_t audio_ts)
{
    line->has_any = true;
    line->max_ts = video_ts;
    line->has_audio = audio_ts != TAP_NO_TIME;
    line->audio_ts = audio_ts;
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

/*
 * Between two highest times lie as many intervals as units were decoded (B-frames in between). One
 * measure may be spoilt by a lost frame or a moved clock, two in a row are believed.
 */
static void learn_step(struct tap_timeline *line, int64_t pts)
{
    int64_t step = (pts - line->max_pts) / (line->since_max + 1);
    if (step <= 0 || step > JUMP_TICKS)
        return;
    int64_t differs = step - line->candidate;
    line->candidate = step;
    if (differs > TIE_TICKS || differs < -TIE_TICKS)
        return;
    line->step = step;
    line->has_step = true;
}

/* How far `ts` lies off the grid of frames around max_ts; *ret_frames is the nearest one. */
static int64_t off_grid(const struct tap_timeline *line, int64_t ts, int64_t *ret_frames)
{
    int64_t delta = ts - line->max_ts;
    int64_t half = delta < 0 ? -line->step / 2 : line->step / 2;
    *ret_frames = (delta + half) / line->step;
    return delta - *ret_frames * line->step;
}

/* Takes out what a sender report moved. False: the unit cannot be placed. */
static bool untie(struct tap_timeline *line, const struct tap_unit *unit)
{
    int64_t frames;
    int64_t off = off_grid(line, unit->pts + line->shift, &frames);
    if (off <= TIE_TICKS && off >= -TIE_TICKS)
        return true;
    if (!line->has_reorder) {
        if (unit->pts + line->shift <= line->max_ts)
            reanchor(line, unit->pts);
        return true;
    }
    if (!unit->is_key && (frames < -MOST_REORDER || frames > 2 * MOST_REORDER)) {
        line->skips_to_key = true;
        return false;
    }
    line->shift -= off;
    line->shift_us = tap_ticks_to_us(line->shift, TAP_VIDEO_RATE);
    return true;
}

static void advance(struct tap_timeline *line, int64_t pts, int64_t ts)
{
    if (!line->has_any || ts > line->max_ts) {
        line->max_ts = ts;
        line->max_pts = pts;
        line->since_max = 0;
    } else {
        line->has_reorder = true;
        line->since_max++;
    }
    line->has_video = true;
    line->has_any = true;
}

static bool map_video(struct tap_timeline *line, struct tap_unit *unit)
{
    line->skips_to_key = line->skips_to_key && !unit->is_key;
    if (line->skips_to_key)
        return false;
    if (unit->is_tied && line->has_step && !untie(line, unit))
        return false;
    int64_t ts = unit->pts + line->shift;
    if (!line->has_video || is_jump(line, ts, unit->is_key)) {
        reanchor(line, unit->pts);
        ts = unit->pts + line->shift;
    } else if (ts > line->max_ts) {
        learn_step(line, unit->pts);
    }
    advance(line, unit->pts, ts);
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
