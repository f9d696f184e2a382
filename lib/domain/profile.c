/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/profile.h"

#include <inttypes.h>
#include <stdio.h>

static const struct weir_box boxes[WEIR_QUALITY_N] = {
    [WEIR_QUALITY_SOURCE] = {65535, 65535}, [WEIR_QUALITY_LOW] = {640, 360},
    [WEIR_QUALITY_MEDIUM] = {1280, 720},    [WEIR_QUALITY_HIGH] = {1920, 1080},
    [WEIR_QUALITY_ULTRA] = {3840, 2160},
};

/* The names' order but for the source, which may be anything. */
static bool is_above(enum weir_quality a, enum weir_quality b)
{
    return b != WEIR_QUALITY_SOURCE && (a == WEIR_QUALITY_SOURCE || a > b);
}

static bool is_faster(int64_t a, int64_t b)
{
    return b != 0 && (a == 0 || a > b);
}

struct weir_ceiling weir_ceiling_lower(const struct weir_ceiling *a, const struct weir_ceiling *b)
{
    return (struct weir_ceiling){
        .quality = is_above(a->quality, b->quality) ? b->quality : a->quality,
        .fps = is_faster(a->fps, b->fps) ? b->fps : a->fps,
    };
}

bool weir_ceiling_is_none(const struct weir_ceiling *ceiling)
{
    return ceiling->quality == WEIR_QUALITY_SOURCE && ceiling->fps == 0;
}

bool weir_ceiling_is_same(const struct weir_ceiling *a, const struct weir_ceiling *b)
{
    return a->quality == b->quality && a->fps == b->fps;
}

bool weir_profile_cap(struct weir_profile *profile, const struct weir_ceiling *ceiling)
{
    bool is_large = is_above(profile->quality, ceiling->quality);
    bool is_fast = is_faster(profile->fps, ceiling->fps);
    profile->quality = is_large ? ceiling->quality : profile->quality;
    profile->fps = is_fast ? ceiling->fps : profile->fps;
    return is_large || is_fast;
}

bool weir_profile_is_at(const struct weir_profile *profile, const struct weir_ceiling *ceiling)
{
    return (ceiling->quality != WEIR_QUALITY_SOURCE && profile->quality == ceiling->quality) ||
           (ceiling->fps != 0 && profile->fps == ceiling->fps);
}

const char *weir_ceiling_format(const struct weir_ceiling *ceiling,
                                char text[static WEIR_CEILING_TEXT_MAX])
{
    bool has_quality = ceiling->quality != WEIR_QUALITY_SOURCE;
    char fps[24] = "";
    text[0] = '\0';
    if (ceiling->fps != 0) {
        snprintf(fps, sizeof(fps), "%s%d fps", has_quality ? " at " : "", (int)ceiling->fps);
    }
    if (!weir_ceiling_is_none(ceiling)) {
        snprintf(text, WEIR_CEILING_TEXT_MAX, "the ceiling is %s%s",
                 has_quality ? weir_quality_name(ceiling->quality) : "", fps);
    }
    return text;
}

struct weir_box weir_quality_box(enum weir_quality quality)
{
    return boxes[quality];
}

enum weir_quality weir_quality_of_picture(int64_t width, int64_t height)
{
    int64_t long_side = width > height ? width : height;
    int64_t short_side = width > height ? height : width;
    int at = WEIR_QUALITY_LOW;
    while (at < WEIR_QUALITY_ULTRA &&
           (long_side > boxes[at].long_side || short_side > boxes[at].short_side)) {
        at++;
    }
    return (enum weir_quality)at;
}
