/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/facts.h"

#define SPAN_MIN_MS    1000
#define SPAN_ENOUGH_MS 4000 /* a camera with rarer keyframes does not pass as it is */

/* ---- frames ---- */

/*
 * Units come in the order of decoding. One that is shown later than all before it closes what lies
 * before the one that did so last: nothing more comes there. A run ends where packets were lost,
 * for what would have closed it may be among them, and the next one begins with a keyframe.
 */
struct count {
    bool is_running;
    bool has_late; /* a unit came behind one that is shown later */
    int64_t newest_ts;
    int64_t closed_ts;  /* of this run */
    int64_t open;       /* frames behind that */
    int64_t frames;     /* closed */
    int64_t ticks;      /* that they took */
    int64_t end_frames; /* at the ends of runs, which nothing closed */
    int64_t end_ticks;
};

static void end_run(struct count *count)
{
    if (!count->is_running)
        return;
    count->end_frames += count->open;
    count->end_ticks += count->newest_ts - count->closed_ts;
    count->is_running = false;
}

static void begin_run(struct count *count, const struct tap_unit *unit)
{
    count->is_running = true;
    count->newest_ts = count->closed_ts = unit->ts;
    count->open = 0;
}

static void count_frame(struct count *count, const struct tap_unit *unit)
{
    if (unit->has_gap)
        end_run(count);
    if (!count->is_running) {
        if (unit->is_key)
            begin_run(count, unit);
        return;
    }
    if (unit->ts <= count->newest_ts) {
        count->has_late = true;
        count->open += unit->ts > count->closed_ts;
        return;
    }
    count->frames += count->open;
    count->ticks += count->newest_ts - count->closed_ts;
    count->closed_ts = count->newest_ts;
    count->newest_ts = unit->ts;
    count->open = 1;
}

/* 0: not a single interval is whole. */
static int64_t fps_of(struct count *count)
{
    end_run(count);
    int64_t frames = count->frames + (count->has_late ? 0 : count->end_frames);
    int64_t ticks = count->ticks + (count->has_late ? 0 : count->end_ticks);
    return ticks > 0 ? frames * TAP_VIDEO_RATE * 1000 / ticks : 0;
}

/* ---- all of it ---- */

/* Bytes of so many frames. */
struct amount {
    int64_t frames;
    int64_t bytes;
};

void tap_facts_measure(const struct tap_ring *ring, const struct tap_format *format,
                       struct tap_facts *ret)
{
    *ret = (struct tap_facts){.codec = format->video};
    if (!tap_nal_picture_size(format->video, &format->params.sps, &ret->width, &ret->height))
        ret->width = ret->height = 0;
    ret->picture = tap_nal_picture(format->video, &format->params.sps);
    struct count count = {0};
    struct amount all = {0};
    struct amount whole = {0}; /* groups of pictures */
    int64_t first_ts = 0;
    int64_t key_ts = 0;
    int64_t gop = 0;
    for (uint64_t at = ring->first; at < ring->end; at++) {
        const struct tap_unit *unit = tap_ring_find(ring, at);
        if (unit->track != TAP_VIDEO)
            continue;
        count_frame(&count, unit);
        first_ts = all.frames == 0 ? unit->ts : first_ts;
        whole = unit->is_key ? all : whole;
        all = (struct amount){all.frames + 1, all.bytes + (int64_t)unit->len};
        if (!unit->is_key)
            continue;
        gop = ret->keyframes > 0 && unit->ts - key_ts > gop ? unit->ts - key_ts : gop;
        key_ts = unit->ts;
        ret->keyframes++;
    }
    int64_t span = all.frames > 1 ? ring->newest_ts - first_ts : 0;
    if (span <= 0)
        return;
    int64_t open = ring->newest_ts - key_ts; /* the newest group is not at its end */
    gop = ret->keyframes > 0 && open > gop ? open : gop;
    whole = whole.frames > 0 ? whole : all;
    ret->span_ms = span * 1000 / TAP_VIDEO_RATE;
    ret->fps_milli = fps_of(&count);
    if (ret->fps_milli == 0)
        ret->fps_milli = (all.frames - 1) * TAP_VIDEO_RATE * 1000 / span;
    ret->bitrate_bps = whole.bytes * 8 * ret->fps_milli / 1000 / whole.frames;
    ret->gop_ms = gop * 1000 / TAP_VIDEO_RATE;
}

bool tap_facts_are_known(const struct tap_facts *facts)
{
    return facts->width > 0 && facts->fps_milli > 0 && facts->span_ms >= SPAN_MIN_MS &&
           (facts->keyframes > 1 || facts->span_ms >= SPAN_ENOUGH_MS);
}
