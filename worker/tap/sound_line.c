/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/sound_line.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/domain/xcode.h"

#define RATE    WEIR_XCODE_SOUND_HZ
#define SAMPLES WEIR_XCODE_SOUND_SAMPLES

/* AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1): AAC-LC, 16 kHz (index 8), one channel. */
static const uint8_t config[] = {2 << 3 | 8 >> 1, (8 & 1) << 7 | 1 << 3};
_Static_assert(WEIR_XCODE_SOUND_HZ == 16000, "as the config says");

void tap_sound_line_format(struct tap_format *format)
{
    format->audio = TAP_CODEC_AAC;
    format->audio_rate = RATE;
    format->audio_channels = 1;
    format->audio_config_len = sizeof(config);
    memcpy(format->audio_config, config, sizeof(config));
}

int64_t tap_sound_ticks(int64_t ts, int64_t from_rate, int64_t to_rate)
{
    /* Apart, so that nothing overflows; to the nearest, so that there and back is the same. */
    int64_t rest = ts % from_rate * to_rate;
    int64_t half = rest < 0 ? -from_rate / 2 : from_rate / 2;
    return ts / from_rate * to_rate + (rest + half) / from_rate;
}

void tap_sound_line_resume(struct tap_sound_line *line, int64_t end_ts)
{
    line->has_end = true;
    line->end_ts = end_ts;
}

void tap_sound_line_frame(struct tap_sound_line *line, const struct tap_unit *unit)
{
    line->has_frame = true;
    line->frame_ts = unit->ts;
    line->capture_us = unit->capture_us;
    line->arrival_us = unit->arrival_us;
    line->is_cameras = unit->is_cameras;
}

static struct tap_unit *new_unit(struct tap_sound_line *line, int64_t ts, const uint8_t *bytes,
                                 size_t len)
{
    struct tap_unit *unit = weir_xalloc(sizeof(*unit) + len);
    int64_t off_us = tap_ticks_to_us(ts, RATE) - tap_ticks_to_us(line->frame_ts, TAP_VIDEO_RATE);
    unit->track = TAP_AUDIO;
    unit->pts = ts;
    unit->ts = ts;
    unit->camera_us = TAP_NO_TIME;
    unit->capture_us = line->capture_us + off_us;
    unit->arrival_us = line->arrival_us;
    unit->is_cameras = line->is_cameras;
    unit->len = len;
    memcpy(unit->bytes, bytes, len);
    line->has_end = true;
    line->end_ts = ts + SAMPLES;
    return unit;
}

struct tap_unit *tap_sound_line_unit(struct tap_sound_line *line, int64_t ts, const uint8_t *bytes,
                                     size_t len)
{
    if (!line->has_frame || ts > line->frame_ts + TAP_SOUND_AHEAD_S * TAP_VIDEO_RATE ||
        ts < line->frame_ts - TAP_SOUND_BEHIND_S * TAP_VIDEO_RATE)
        return NULL;
    int64_t at = tap_sound_ticks(ts, TAP_VIDEO_RATE, RATE);
    return line->has_end && at < line->end_ts ? NULL : new_unit(line, at, bytes, len);
}
