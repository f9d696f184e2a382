/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/pick.h"

#include <stdio.h>
#include <string.h>

#define FPS_SLACK_PPT 1100 /* a source has enough frames with a tenth less */
#define KEYS_FPS_MOST 2    /* no camera sends more keyframes a second */

/* What keeps an offer from meeting a request; "" where nothing does. */
static const char *short_text(enum tap_misfit misfit)
{
    switch (misfit) {
    case TAP_MISFIT_MJPEG:
    case TAP_MISFIT_CODEC:
        return "no H.264";
    case TAP_MISFIT_INTERLACED:
        return "interlaced";
    case TAP_MISFIT_DEEP:
        return "not 4:2:0 with 8 bit";
    case TAP_MISFIT_LARGE:
        return "too large";
    case TAP_MISFIT_FRAMES:
        return "too many frames";
    case TAP_MISFIT_BITS:
        return "too many bits";
    case TAP_MISFIT_KEYFRAMES:
        return "keyframes too rare";
    case TAP_FITS:
        break;
    }
    return "";
}

/* Smaller than what main would become. */
static bool is_too_small(const struct tap_facts *main, const struct tap_facts *facts,
                         const struct weir_profile *profile)
{
    enum weir_quality most = weir_quality_of_picture(main->width, main->height);
    enum weir_quality wanted = profile->quality < most ? profile->quality : most;
    return facts->width > 0 && facts->height > 0 &&
           weir_quality_of_picture(facts->width, facts->height) < wanted;
}

/* Fewer frames than main could give of those that were asked for. */
static bool has_too_few(const struct tap_facts *main, const struct tap_facts *facts,
                        const struct weir_profile *profile)
{
    int64_t wanted = profile->fps * 1000;
    if (main->fps_milli > 0 && main->fps_milli < wanted)
        wanted = main->fps_milli;
    return facts->fps_milli > 0 && facts->fps_milli * FPS_SLACK_PPT / 1000 < wanted;
}

static const char *why_not(const struct tap_facts *main, const struct tap_offer *offer,
                           const struct weir_profile *profile)
{
    if (offer->state == TAP_OFFER_BROKEN)
        return "cannot be read";
    enum tap_misfit misfit = tap_misfit(&offer->facts, profile);
    if (misfit != TAP_FITS)
        return short_text(misfit);
    if (is_too_small(main, &offer->facts, profile))
        return "too small";
    return has_too_few(main, &offer->facts, profile) ? "too few frames" : "";
}

/* Nothing speaks against it so far. Of one that sends more frames than were asked for, keyframes
 * may be enough; that is known when it was seen. */
static bool may_do(const struct tap_facts *main, const struct tap_offer *offer,
                   const struct weir_profile *profile)
{
    bool may_have_keyframes = offer->state == TAP_OFFER_UNKNOWN && offer->facts.gop_ms == 0 &&
                              profile->fps > 0 && profile->fps <= KEYS_FPS_MOST &&
                              tap_misfit(&offer->facts, profile) == TAP_MISFIT_FRAMES;
    return may_have_keyframes ? !is_too_small(main, &offer->facts, profile)
                              : why_not(main, offer, profile)[0] == '\0';
}

/* Only its rates speak against it, and these were measured over a second in which a camera that
 * has just begun may have sent anything. */
static bool may_do_yet(const struct tap_facts *main, const struct tap_offer *offer,
                       const struct weir_profile *profile)
{
    return offer->state == TAP_OFFER_KNOWN && offer->is_young &&
           tap_misfit_of_picture(&offer->facts, profile) == TAP_FITS &&
           !is_too_small(main, &offer->facts, profile);
}

/* What reading it costs, for a comparison; what is not known costs more than all that is. */
static int64_t cost_of(const struct tap_facts *facts)
{
    int64_t pixels = (int64_t)facts->width * facts->height;
    if (facts->bitrate_bps > 0)
        return facts->bitrate_bps;
    return pixels > 0 ? INT64_MAX / 4 + pixels : INT64_MAX;
}

/* The cheapest in this state that may do; 0: none. */
static int find(const struct tap_facts *main, const struct tap_offer *offers, size_t n,
                const struct weir_profile *profile, enum tap_offer_state state)
{
    int best = 0;
    for (size_t i = 0; i < n; i++) {
        const struct tap_offer *offer = &offers[i];
        if (offer->state != state || !may_do(main, offer, profile))
            continue;
        if (best == 0 || cost_of(&offer->facts) < cost_of(&offers[best - 1].facts))
            best = (int)i + 1;
    }
    return best;
}

/* One that is to be read on to know; 0: none. */
static int find_unsure(const struct tap_facts *main, const struct tap_offer *offers, size_t n,
                       const struct weir_profile *profile)
{
    int unseen = find(main, offers, n, profile, TAP_OFFER_UNKNOWN);
    for (size_t i = 0; i < n && unseen == 0; i++)
        unseen = may_do_yet(main, &offers[i], profile) ? (int)i + 1 : 0;
    return unseen;
}

/* One whose keyframes are enough; 0: none. */
static int find_keyframes(const struct tap_facts *main, const struct tap_offer *offers, size_t n,
                          const struct weir_profile *profile)
{
    for (size_t i = 0; i < n; i++) {
        const struct tap_offer *offer = &offers[i];
        if (offer->state == TAP_OFFER_KNOWN && !is_too_small(main, &offer->facts, profile) &&
            tap_facts_have_keyframes(&offer->facts, profile))
            return (int)i + 1;
    }
    return 0;
}

static void take_offer(struct tap_pick *ret, int source, const struct tap_offer *offer,
                       enum weir_rendition_how how, const struct weir_profile *profile)
{
    bool is_whole = how == WEIR_RENDITION_HOW_PROFILE;
    ret->is_made = true;
    ret->source = source;
    ret->choice = (struct tap_choice){.how = how, .fps_milli = is_whole ? 0 : profile->fps * 1000};
    snprintf(ret->why, sizeof(ret->why),
             is_whole ? "the camera's stream %s meets what was asked for"
                      : "keyframes of the camera's stream %s are as many frames as were asked for",
             offer->name);
}

/* Why it comes to this, and why none of the others would do. */
static void say_why(struct tap_pick *ret, const struct tap_facts *main,
                    const struct tap_offer *offers, size_t n, const struct weir_profile *profile)
{
    size_t len = (size_t)snprintf(ret->why, sizeof(ret->why), "%s", ret->choice.why);
    for (size_t i = 0; i < n && len < sizeof(ret->why); i++) {
        len += (size_t)snprintf(ret->why + len, sizeof(ret->why) - len, "; %s: %s", offers[i].name,
                                why_not(main, &offers[i], profile));
    }
}

static void pick_of_main(const struct tap_facts *main, const struct weir_profile *profile,
                         struct tap_pick *ret)
{
    ret->is_made = true;
    ret->source = TAP_PICK_MAIN;
    tap_choose(main, profile, &ret->choice);
    snprintf(ret->why, sizeof(ret->why), "%s", ret->choice.why);
}

static bool is_for_main(const struct weir_profile *profile)
{
    return profile->quality == WEIR_QUALITY_SOURCE || profile->quality == WEIR_QUALITY_ULTRA;
}

void tap_pick(const struct tap_facts *main, const struct tap_offer *offers, size_t n,
              const struct weir_profile *profile, struct tap_pick *ret)
{
    bool is_known = tap_facts_are_known(main);
    *ret = (struct tap_pick){.source = TAP_PICK_MAIN};
    if (is_known)
        pick_of_main(main, profile, ret);
    bool is_out = is_known ? ret->choice.how != WEIR_RENDITION_HOW_PASSTHROUGH
                           : main->width > 0 && tap_misfit_of_picture(main, profile) != TAP_FITS;
    if (!is_out || is_for_main(profile))
        return;
    int seen = find(main, offers, n, profile, TAP_OFFER_KNOWN);
    if (seen != 0) {
        take_offer(ret, seen, &offers[seen - 1], WEIR_RENDITION_HOW_PROFILE, profile);
        return;
    }
    int unsure = find_unsure(main, offers, n, profile);
    if (unsure != 0) {
        *ret = (struct tap_pick){.source = unsure};
        return;
    }
    if (!is_known || ret->choice.how == WEIR_RENDITION_HOW_KEYFRAMES)
        return;
    int keyed = find_keyframes(main, offers, n, profile);
    if (keyed != 0)
        take_offer(ret, keyed, &offers[keyed - 1], WEIR_RENDITION_HOW_KEYFRAMES, profile);
    else
        say_why(ret, main, offers, n, profile);
}
