/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/sound.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "worker/tap/sound_line.h"
#include "worker/tap/xcode.h"

struct tap_sound {
    struct weir_loop *loop;
    struct weir_dying *dying;
    struct tap_engines engines; /* weir-xcode alone makes sound */
    const struct tap_ring *ring;
    const struct tap_format *format;
    const struct tap_sound_calls *calls;
    void *ctx;
    struct tap_raw raw; /* that is being made; TAP_CODEC_NONE: nothing is */
    struct tap_xcode *xcode;
    struct tap_sound_line line;
};

static bool is_on(const struct tap_sound *sound)
{
    return sound->raw.codec != TAP_CODEC_NONE;
}

static void on_sound(void *ctx, int64_t ts, const uint8_t *bytes, size_t len)
{
    struct tap_sound *sound = ctx;
    if (!is_on(sound))
        return;
    struct tap_unit *unit = tap_sound_line_unit(&sound->line, ts, bytes, len);
    if (unit != NULL)
        sound->calls->unit(sound->ctx, unit);
}

static void on_no_sound(void *ctx)
{
    struct tap_sound *sound = ctx;
    sound->raw = (struct tap_raw){.codec = TAP_CODEC_NONE};
    sound->calls->none(sound->ctx);
}

/* There is silence until it is back. */
static void on_broke(void *ctx, const char *why)
{
    (void)ctx;
    (void)why;
}

static const struct tap_xcode_calls xcode_calls = {
    .broke = on_broke, .sound = on_sound, .no_sound = on_no_sound};

struct tap_sound *tap_sound_new(struct weir_loop *loop, struct weir_dying *dying,
                                const char *program, const struct tap_ring *ring,
                                const struct tap_format *format,
                                const struct tap_sound_calls *calls, void *ctx)
{
    struct tap_sound *sound = weir_xalloc(sizeof(*sound));
    sound->loop = loop;
    sound->dying = dying;
    sound->engines.all[WEIR_XCODE_ENGINE_LIBAV] = (struct tap_engine){true, program, NULL};
    sound->ring = ring;
    sound->format = format;
    sound->calls = calls;
    sound->ctx = ctx;
    return sound;
}

void tap_sound_free(struct tap_sound **ptr)
{
    struct tap_sound *sound = *ptr;
    if (sound == NULL)
        return;
    *ptr = NULL;
    tap_xcode_free(&sound->xcode);
    free(sound);
}

static struct weir_xcode_sound spec_of(const struct tap_raw *raw)
{
    uint32_t codec = raw->codec == TAP_CODEC_PCMA   ? WEIR_XCODE_PCMA
                     : raw->codec == TAP_CODEC_PCMU ? WEIR_XCODE_PCMU
                     : raw->codec == TAP_CODEC_G726 ? WEIR_XCODE_G726
                                                    : WEIR_XCODE_G726_LOW_FIRST;
    return (struct weir_xcode_sound){.codec = codec,
                                     .rate_hz = (uint32_t)raw->rate,
                                     .channels = (uint32_t)raw->channels,
                                     .bits = (uint32_t)raw->bits};
}

void tap_sound_follow(struct tap_sound *sound)
{
    const struct tap_raw *raw = &sound->format->raw;
    if (tap_raw_is_same(&sound->raw, raw))
        return;
    sound->raw = *raw;
    if (!is_on(sound)) {
        tap_xcode_free(&sound->xcode);
        tap_sound_restart(sound);
        return;
    }
    struct weir_xcode_sound spec = spec_of(raw);
    if (sound->xcode == NULL)
        sound->xcode = tap_xcode_new(sound->loop, sound->dying, &sound->engines, sound->ring,
                                     sound->format, &xcode_calls, sound);
    tap_xcode_set_sound(sound->xcode, &spec);
}

void tap_sound_restart(struct tap_sound *sound)
{
    sound->line = (struct tap_sound_line){0};
}

void tap_sound_resume(struct tap_sound *sound, int64_t end_ts)
{
    tap_sound_line_resume(&sound->line, end_ts);
}

void tap_sound_take(struct tap_sound *sound, const struct tap_unit *unit)
{
    if (!is_on(sound) || unit->len > WEIR_XCODE_SOUND_MAX)
        return;
    tap_xcode_give_sound(sound->xcode, tap_sound_ticks(unit->ts, sound->raw.rate, TAP_VIDEO_RATE),
                         unit->bytes, unit->len);
}

void tap_sound_frame(struct tap_sound *sound, const struct tap_unit *unit)
{
    if (is_on(sound))
        tap_sound_line_frame(&sound->line, unit);
}
