/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/rendition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "worker/tap/kind.h"
#include "worker/tap/nal.h"

/* A keyframe may come so much of its interval too early. */
#define EARLY_PARTS 10

struct tap_rendition *tap_rendition_new(uint32_t number, const struct weir_profile *profile)
{
    struct tap_rendition *r = weir_xalloc(sizeof(*r));
    r->number = number;
    r->profile = *profile;
    r->fps_ppm = TAP_RENDITION_ALL;
    return r;
}

void tap_rendition_free(struct tap_rendition *r)
{
    tap_ring_done(&r->ring);
    free(r);
}

static void empty(struct tap_rendition *r, const struct tap_ring *source)
{
    tap_ring_done(&r->ring);
    tap_ring_init(&r->ring, source->max_ms, source->max_bytes);
    r->format.video = TAP_CODEC_H264;
    r->format.params = (struct tap_params){0};
}

void tap_rendition_begin(struct tap_rendition *r, const struct tap_pick *pick,
                         const struct tap_ring *ring, const struct tap_format *format)
{
    r->choice = pick->choice;
    WEIR_STR_SET(r->why, pick->why);
    r->is_chosen = true;
    r->review = (struct tap_steady){0};
    r->has_fallen = false;
    r->cursor = r->sound = ring->first;
    r->due_ts = INT64_MIN;
    tap_format_take_sound(&r->format, format);
    empty(r, ring);
}

bool tap_rendition_is_own(const struct tap_rendition *r)
{
    return r != NULL && r->choice.how != WEIR_RENDITION_HOW_PASSTHROUGH &&
           r->choice.how != WEIR_RENDITION_HOW_PROFILE;
}

void tap_rendition_restart(struct tap_rendition *r)
{
    r->is_chosen = false;
    r->trouble[0] = '\0';
    tap_ring_done(&r->ring);
}

enum tap_review tap_rendition_review(struct tap_rendition *r, const struct tap_facts *facts,
                                     int64_t now_ms)
{
    if (!tap_facts_are_known(facts))
        return TAP_REVIEW_SAME;
    if (r->choice.how != WEIR_RENDITION_HOW_TRANSCODE) {
        bool is_outgrown = tap_choice_is_outgrown(&r->choice, facts, &r->profile);
        return tap_steady_lasts(&r->review, is_outgrown, now_ms) ? TAP_REVIEW_OUTGROWN
                                                                 : TAP_REVIEW_SAME;
    }
    struct tap_choice now = tap_choice_follow(&r->choice, facts, &r->profile);
    if (!tap_steady_moved(&r->review, r->choice.fps_milli, now.fps_milli, now_ms))
        return TAP_REVIEW_SAME;
    r->choice = now;
    return TAP_REVIEW_OTHER;
}

static const char *codec_text(enum tap_codec codec)
{
    return codec == TAP_CODEC_MJPEG ? "MJPEG" : codec == TAP_CODEC_H265 ? "H.265" : "H.264";
}

void tap_rendition_fail(struct tap_rendition *r, const struct tap_format *format)
{
    int width;
    int height;
    if (!tap_nal_picture_size(format->video, &format->params.sps, &width, &height))
        width = height = 0;
    snprintf(r->trouble, sizeof(r->trouble),
             "nothing can be made of the camera's picture (%dx%d, %s)", width, height,
             codec_text(format->video));
}

struct weir_xcode_rendition tap_rendition_spec(const struct tap_rendition *r)
{
    struct tap_choice choice = tap_choice_thin(&r->choice, r->fps_ppm);
    return (struct weir_xcode_rendition){.long_side = (uint32_t)choice.long_side,
                                         .short_side = (uint32_t)choice.short_side,
                                         .bitrate_bps = (uint32_t)choice.bitrate_bps,
                                         .fps_milli = (uint32_t)choice.fps_milli,
                                         .pace_milli = (uint32_t)choice.pace_milli,
                                         .segment_ms = (uint32_t)choice.segment_ms,
                                         .is_main = choice.is_main,
                                         .encoder = r->encoder};
}

static struct tap_unit *copy_unit(const struct tap_unit *from)
{
    struct tap_unit *unit = weir_xalloc(sizeof(*unit) + from->len);
    memcpy(unit, from, sizeof(*unit) + from->len);
    return unit;
}

/* ---- sound ---- */

/* What comes before a frame of that time. Sound may come later than its frame: then it goes with
 * the next one. */
static void take_sound(struct tap_rendition *r, const struct tap_ring *source, int64_t ts)
{
    int64_t until_us = tap_ticks_to_us(ts, TAP_VIDEO_RATE);
    const struct tap_unit *unit;
    if (r->format.audio == TAP_CODEC_NONE)
        return;
    r->sound = r->sound < source->first ? source->first : r->sound;
    for (; (unit = tap_ring_find(source, r->sound)) != NULL; r->sound++) {
        if (unit->track != TAP_AUDIO)
            continue;
        if (tap_ticks_to_us(unit->ts, r->format.audio_rate) > until_us)
            return;
        if (unit->len == 0) /* it was wiped */
            continue;
        WEIR_IGNORE(!tap_ring_push(&r->ring, copy_unit(unit)), "none leads the first frame");
    }
}

void tap_rendition_change_sound(struct tap_rendition *r, const struct tap_ring *ring,
                                const struct tap_format *format)
{
    tap_format_take_sound(&r->format, format);
    r->sound = ring->end;
}

/* ---- keyframes ---- */

bool tap_rendition_take_keys(struct tap_rendition *r, const struct tap_ring *source,
                             const struct tap_format *format)
{
    bool has_new = false;
    int64_t step = TAP_VIDEO_RATE * INT64_C(1000) / r->choice.fps_milli;
    const struct tap_unit *unit;
    r->cursor = r->cursor < source->first ? source->first : r->cursor;
    for (; (unit = tap_ring_find(source, r->cursor)) != NULL; r->cursor++) {
        if (unit->track != TAP_VIDEO || !unit->is_key ||
            (r->due_ts != INT64_MIN && unit->ts < r->due_ts - step / EARLY_PARTS))
            continue;
        r->due_ts = unit->ts + step;
        r->format = *format;
        take_sound(r, source, unit->ts);
        has_new = tap_ring_push(&r->ring, copy_unit(unit)) || has_new;
    }
    return has_new;
}

/* ---- from weir-xcode ---- */

/* The camera's unit of that time; NULL when it is no longer in the ring. */
static const struct tap_unit *find_frame(const struct tap_ring *camera, int64_t ts)
{
    for (uint64_t at = camera->end; at > camera->first;) {
        const struct tap_unit *unit = tap_ring_find(camera, --at);
        if (unit->track == TAP_VIDEO && unit->ts == ts)
            return unit;
    }
    return NULL;
}

/* Times of the camera's frame; of one that is gone, as far behind the last one as it is shown. */
static void set_times(struct tap_unit *unit, const struct tap_ring *camera,
                      const struct tap_ring *own)
{
    const struct tap_unit *frame = find_frame(camera, unit->ts);
    if (frame != NULL) {
        unit->camera_us = frame->camera_us;
        unit->arrival_us = frame->arrival_us;
        unit->capture_us = frame->capture_us;
        return;
    }
    const struct tap_unit *last = tap_ring_is_empty(own) ? tap_ring_find(camera, camera->first)
                                                         : tap_ring_find(own, own->end - 1);
    int64_t us = last != NULL ? tap_ticks_to_us(unit->ts - last->ts, TAP_VIDEO_RATE) : 0;
    unit->camera_us = TAP_NO_TIME;
    unit->arrival_us = (last != NULL ? last->arrival_us : 0) + us;
    unit->capture_us = (last != NULL ? last->capture_us : 0) + us;
}

static void take_params(struct tap_format *format, const uint8_t *bytes, size_t len)
{
    const uint8_t *nal;
    size_t n;
    for (size_t at = 0; tap_nal_next_in_unit(bytes, len, &at, &nal, &n);)
        tap_params_take(&format->params, format->video, nal, n);
}

bool tap_rendition_take(struct tap_rendition *r, const struct tap_ring *camera, int64_t ts,
                        bool is_key, const uint8_t *bytes, size_t len)
{
    struct tap_param before = r->format.params.sps;
    if (is_key)
        take_params(&r->format, bytes, len);
    bool is_other = is_key && before.len > 0 && !tap_param_is_same(&before, &r->format.params.sps);
    if (is_other) {
        struct tap_params now = r->format.params;
        empty(r, camera);
        r->format.params = now;
    }
    struct tap_unit *unit = weir_xalloc(sizeof(*unit) + len);
    unit->track = TAP_VIDEO;
    unit->is_key = is_key;
    unit->pts = ts;
    unit->ts = ts;
    unit->len = len;
    memcpy(unit->bytes, bytes, len);
    set_times(unit, camera, &r->ring);
    take_sound(r, camera, ts);
    tap_ring_push(&r->ring, unit);
    r->trouble[0] = '\0';
    return is_other;
}

/* ---- what it is ---- */

static enum weir_stream_audio audio_of(const struct tap_format *format)
{
    if (format->raw.codec != TAP_CODEC_NONE)
        return WEIR_STREAM_AUDIO_MADE;
    if (format->audio != TAP_CODEC_NONE)
        return format->audio == TAP_CODEC_OPUS ? WEIR_STREAM_AUDIO_OPUS : WEIR_STREAM_AUDIO_AAC;
    if (format->audio_dropped[0] != '\0')
        return WEIR_STREAM_AUDIO_UNFIT;
    return format->is_muted ? WEIR_STREAM_AUDIO_OFF : WEIR_STREAM_AUDIO_ABSENT;
}

void tap_rendition_describe(const struct tap_rendition *r, const struct tap_ring *source,
                            const struct tap_format *format, struct weir_effective *ret)
{
    bool is_own = tap_rendition_is_own(r);
    struct tap_facts facts;
    tap_facts_measure(is_own ? &r->ring : source, is_own ? &r->format : format, &facts);
    *ret =
        (struct weir_effective){.width = facts.width,
                                .height = facts.height,
                                .how = r != NULL ? r->choice.how : WEIR_RENDITION_HOW_PASSTHROUGH};
    ret->has_audio = true;
    ret->audio = audio_of(is_own ? &r->format : format);
    if (tap_facts_are_known(&facts)) {
        ret->fps = (facts.fps_milli + 500) / 1000;
        ret->bitrate_bps = facts.bitrate_bps;
    }
    WEIR_STR_SET(ret->codec, facts.codec == TAP_CODEC_H265 ? "hvc1" : "avc1");
    WEIR_STR_SET(ret->why, r != NULL ? r->why : "asked for as the camera sends it");
    if (!is_own)
        return;
    /* What it was made to be; too little of it is there to be measured. */
    ret->fps = (r->choice.fps_milli + 500) / 1000;
    if (ret->how != WEIR_RENDITION_HOW_TRANSCODE)
        return;
    struct tap_choice made = tap_choice_thin(&r->choice, r->fps_ppm);
    ret->fps = (made.fps_milli + 500) / 1000;
    ret->bitrate_bps = made.bitrate_bps;
    ret->has_encoder = r->encoder != WEIR_XCODE_SOFTWARE;
    ret->encoder = (enum weir_encoder)(ret->has_encoder ? r->encoder - 1 : 0);
    if (r->has_fallen)
        snprintf(ret->why, sizeof(ret->why), "%s; %s failed, software encodes it", r->choice.why,
                 weir_encoder_name(r->fallen));
    else if (made.fps_milli < r->choice.fps_milli)
        snprintf(ret->why, sizeof(ret->why), "%s; fewer frames, the worker is busy", r->choice.why);
}
