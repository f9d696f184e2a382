/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/follower.h"

#include <stdio.h>
#include <string.h>

struct weir_ceiling tap_follower_ceiling(const struct weir_ctl_tap_publish *spec)
{
    return (struct weir_ceiling){
        .quality = spec->has_max_quality ? spec->max_quality : WEIR_QUALITY_SOURCE,
        .fps = spec->has_max_fps ? spec->max_fps : 0,
    };
}

/* Behind what is said already, as far as it fits. */
static void add_why(struct weir_effective *effective, const char *text)
{
    size_t len = strlen(effective->why);
    snprintf(effective->why + len, sizeof(effective->why) - len, "; %s", text);
}

/* What lies at the ceiling may have been asked for as more. */
static void add_ceiling(const struct tap_follower *follower, struct weir_effective *effective)
{
    struct weir_ceiling ceiling = tap_follower_ceiling(&follower->spec);
    char text[WEIR_CEILING_TEXT_MAX];
    if (weir_profile_is_at(&follower->profile, &ceiling))
        add_why(effective, weir_ceiling_format(&ceiling, text));
}

void tap_follower_describe(struct tap_follower *follower, const struct tap_ring *source,
                           const struct tap_format *format, const char *more,
                           struct weir_effective *ret)
{
    tap_rendition_describe(follower->rendition, source, format, ret);
    if (more != NULL)
        add_why(ret, more);
    add_ceiling(follower, ret);
    follower->is_described = ret->bitrate_bps > 0; /* frames may be fewer than are told */
    follower->told_milli = 0;
}

bool tap_follower_is_late(const struct tap_follower *follower, const struct tap_ring *source,
                          const struct tap_format *format)
{
    const struct tap_rendition *rendition = follower->rendition;
    bool is_own = tap_rendition_is_own(rendition);
    struct tap_facts facts;
    if (follower->is_described)
        return false;
    tap_facts_measure(is_own ? &rendition->ring : source, is_own ? &rendition->format : format,
                      &facts);
    return tap_facts_are_known(&facts);
}

bool tap_follower_has_moved(struct tap_follower *follower, const struct tap_ring *source,
                            const struct tap_format *format, int64_t now_ms)
{
    struct tap_facts facts;
    if (!follower->is_described || tap_rendition_is_own(follower->rendition))
        return false;
    tap_facts_measure(source, format, &facts);
    if (!tap_facts_are_known(&facts))
        return false;
    if (follower->told_milli == 0)
        follower->told_milli = facts.fps_milli;
    return tap_steady_moved(&follower->fps, follower->told_milli, facts.fps_milli, now_ms);
}
