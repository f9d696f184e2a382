/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/clip.h"

#include "lib/domain/still.h"

#define SET_BACK_US                                                                                \
    1000000 /* what a frame's time goes back by when a clock is set, not by chance */

/* The next unit of video from number `*at` on; NULL at the ring's end. */
static const struct tap_unit *next_video(const struct tap_ring *ring, uint64_t *at)
{
    const struct tap_unit *unit;
    while ((unit = tap_ring_find(ring, *at)) != NULL && unit->track != TAP_VIDEO)
        (*at)++;
    return unit;
}

/* Whether the ring still has what the frame is made from. It begins with a key unit. */
static bool is_decodable(const struct tap_ring *ring, const struct tap_unit *unit)
{
    return unit->ts >= tap_ring_find(ring, ring->first)->ts;
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

/* Over the video of a ring, from its end to its beginning. */
struct walk {
    const struct tap_ring *ring;
    uint64_t at;      /* number of what `step` returned */
    int64_t least_us; /* earliest capture of what was sent after that; INT64_MAX: nothing was */
    int64_t least_us_ts;
    int64_t least_ts;
};

static struct walk walk_of(const struct tap_ring *ring)
{
    return (struct walk){
        .ring = ring, .at = ring->end, .least_us = INT64_MAX, .least_ts = INT64_MAX};
}

/* A clock was set back since: what is sent now is of a time before it. Frames that were sent in
 * another order than they are shown are none such, however few there are a second. */
static bool is_overtaken(const struct walk *walk, const struct tap_unit *unit)
{
    return walk->least_us != INT64_MAX && unit->capture_us > walk->least_us + SET_BACK_US &&
           unit->ts < walk->least_us_ts;
}

/* Whether what was sent after it is shown before it. */
static bool is_ahead_of_order(const struct walk *walk, const struct tap_unit *unit)
{
    return walk->least_ts < unit->ts;
}

/* NULL at the ring's beginning. `passed` is what the step before returned. */
static const struct tap_unit *step(struct walk *walk, const struct tap_unit *passed)
{
    if (passed != NULL) {
        if (passed->capture_us < walk->least_us) {
            walk->least_us = passed->capture_us;
            walk->least_us_ts = passed->ts;
        }
        walk->least_ts = passed->ts < walk->least_ts ? passed->ts : walk->least_ts;
    }
    while (walk->at > walk->ring->first) {
        const struct tap_unit *unit = tap_ring_find(walk->ring, --walk->at);
        if (unit->track == TAP_VIDEO)
            return unit;
    }
    return NULL;
}

static bool is_candidate(enum tap_clip_mode mode, const struct tap_unit *unit)
{
    return mode != TAP_CLIP_KEYFRAME || unit->is_key;
}

/* Whether `unit` is a better answer than `best`. */
static bool is_better(enum tap_clip_mode mode, int64_t at_us, const struct tap_unit *unit,
                      const struct tap_unit *best)
{
    if (best == NULL)
        return true;
    if (mode == TAP_CLIP_LATEST)
        return unit->ts > best->ts;
    int64_t is = distance(unit->capture_us, at_us);
    int64_t was = distance(best->capture_us, at_us);
    return is < was || (is == was && unit->capture_us <= best->capture_us);
}

/* The key unit that the frame `last` is decoded from. */
static uint64_t begin_of(const struct tap_ring *ring, uint64_t last)
{
    int64_t ts = tap_ring_find(ring, last)->ts;
    uint64_t begin = ring->first;
    for (uint64_t at = ring->first; at <= last; at++) {
        const struct tap_unit *unit = next_video(ring, &at);
        if (unit == NULL || at > last)
            break;
        if (unit->is_key && unit->ts <= ts)
            begin = at;
    }
    return begin;
}

static void measure(const struct tap_ring *ring, struct tap_clip *clip)
{
    clip->n_units = 0;
    clip->bytes = 0;
    clip->has_gap = false;
    for (uint64_t at = clip->first; at <= clip->last; at++) {
        const struct tap_unit *unit = next_video(ring, &at);
        if (unit == NULL || at > clip->last)
            break;
        clip->n_units++;
        clip->has_gap = clip->has_gap || unit->has_gap;
        clip->bytes += sizeof(struct weir_clip_unit) + unit->len;
    }
}

enum tap_clip_status tap_clip_choose(const struct tap_ring *ring, enum tap_clip_mode mode,
                                     int64_t at_us, struct tap_clip *ret)
{
    const struct tap_unit *best = NULL;
    struct walk walk = walk_of(ring);
    *ret = (struct tap_clip){.from_us = INT64_MAX, .to_us = INT64_MIN};
    for (const struct tap_unit *unit = NULL; (unit = step(&walk, unit)) != NULL;) {
        if (!is_decodable(ring, unit) || is_overtaken(&walk, unit))
            continue;
        ret->from_us = unit->capture_us < ret->from_us ? unit->capture_us : ret->from_us;
        ret->to_us = unit->capture_us > ret->to_us ? unit->capture_us : ret->to_us;
        if (is_candidate(mode, unit) && is_better(mode, at_us, unit, best)) {
            best = unit;
            ret->last = walk.at;
        }
    }
    if (best == NULL)
        return TAP_CLIP_EMPTY;
    if (mode != TAP_CLIP_LATEST && at_us < ret->from_us)
        return TAP_CLIP_PAST;
    ret->first = begin_of(ring, ret->last);
    measure(ring, ret);
    return ret->bytes <= WEIR_CLIP_BYTES_MAX ? TAP_CLIP_OK : TAP_CLIP_TOO_LONG;
}

/*
 * Whether every frame up to `at_us` is there. Where frames are sent in another order than they are
 * shown, those before one that is there may follow it, until one comes that is shown even later.
 */
static bool is_settled(const struct tap_ring *ring, int64_t at_us)
{
    struct walk walk = walk_of(ring);
    int64_t newest_us = INT64_MIN; /* of what was sent after the unit */
    bool is_reached = false;
    bool is_passed = false; /* by what was sent after the first that is not before `at_us` */
    bool has_reorder = false;
    for (const struct tap_unit *unit = NULL; (unit = step(&walk, unit)) != NULL;) {
        if (is_overtaken(&walk, unit))
            continue;
        has_reorder = has_reorder || is_ahead_of_order(&walk, unit);
        if (unit->capture_us >= at_us) {
            is_reached = true;
            is_passed = newest_us > unit->capture_us;
        }
        newest_us = unit->capture_us > newest_us ? unit->capture_us : newest_us;
    }
    return is_passed || (!has_reorder && is_reached);
}

bool tap_clip_is_ahead(const struct tap_ring *ring, enum tap_clip_mode mode, int64_t at_us,
                       int64_t now_us)
{
    if (mode == TAP_CLIP_LATEST)
        return tap_ring_is_empty(ring);
    if (mode == TAP_CLIP_KEYFRAME && at_us <= now_us && !tap_ring_is_empty(ring))
        return false;
    return !is_settled(ring, at_us);
}

void tap_clip_write(const struct tap_ring *ring, const struct tap_clip *clip, struct weir_buf *out)
{
    for (uint64_t at = clip->first; at <= clip->last; at++) {
        const struct tap_unit *unit = next_video(ring, &at);
        if (unit == NULL || at > clip->last)
            break;
        struct weir_clip_unit head = {.len = (uint32_t)unit->len, .ts = unit->ts};
        weir_buf_add(out, &head, sizeof(head));
        weir_buf_add(out, unit->bytes, unit->len);
    }
}
