/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/choice.h"

#include <math.h>
#include <stdio.h>

#include "lib/domain/xcode.h"

#define GOP_MOST_MS     4000
#define FPS_SLACK_PPT   1100 /* over what was asked for */
#define RATE_SLACK_PPT  1500
#define OUTGROWN_PPT    1200 /* of all that is let pass at first */
#define RATE_FPS        30   /* that a tier's bit rate is for */
#define RATE_POWER      0.6
#define SOFTWARE_LONG   1920 /* no larger picture is encoded in software */
#define SOFTWARE_SHORT  1080
#define RATE_MIN_BPS    50000
#define FPS_MIN_MILLI   500 /* what an encoder reckons with at least */
#define FPS_MOST_MILLI  60000
#define PACE_MOST_MILLI 75000 /* of a camera of 60 whose clock is not even, each frame is kept */
#define SEGMENT_MS      1000
#define SLOW_FPS_MILLI  3000 /* up to here a segment is longer */
#define SLOW_SEGMENT_MS 2000

/* Bit rates at 30 frames a second; docs/adr/0034. The source, and what is encoded, have no more
 * than those of the tier that the picture fits into. */
static const int64_t tier_bps[WEIR_QUALITY_N] = {
    [WEIR_QUALITY_SOURCE] = 0,     [WEIR_QUALITY_LOW] = 400000,     [WEIR_QUALITY_MEDIUM] = 1800000,
    [WEIR_QUALITY_HIGH] = 4000000, [WEIR_QUALITY_ULTRA] = 12000000,
};

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool fits(const struct tap_facts *facts, enum weir_quality quality)
{
    struct weir_box box = weir_quality_box(quality);
    int long_side = facts->width > facts->height ? facts->width : facts->height;
    int short_side = facts->width > facts->height ? facts->height : facts->width;
    return long_side <= box.long_side && short_side <= box.short_side;
}

/* Of what is encoded: what was asked for, or what the picture is, which is not enlarged. It is no
 * larger than what is encoded in software. */
static enum weir_quality made_tier(const struct tap_facts *facts, enum weir_quality quality)
{
    enum weir_quality is = weir_quality_of_picture(facts->width, facts->height);
    is = is > WEIR_QUALITY_HIGH ? WEIR_QUALITY_HIGH : is;
    return quality != WEIR_QUALITY_SOURCE && quality < is ? quality : is;
}

static int64_t rate_of(enum weir_quality tier, int64_t fps_milli)
{
    double fps = fps_milli > 1000 ? (double)fps_milli / 1000 : 1;
    double share = pow(fps / RATE_FPS, RATE_POWER);
    return (int64_t)((double)tier_bps[tier] * share);
}

static int64_t capped_fps(const struct tap_facts *facts, int64_t fps)
{
    return min(fps == 0 ? FPS_MOST_MILLI : fps * 1000, facts->fps_milli);
}

/* What a camera sends was measured, and is no limit: frames are left out by a limit alone. */
static int64_t pace_of(const struct tap_facts *facts, int64_t fps)
{
    if (fps > 0)
        return fps * 1000;
    return facts->fps_milli > FPS_MOST_MILLI * FPS_SLACK_PPT / 1000 ? FPS_MOST_MILLI
                                                                    : PACE_MOST_MILLI;
}

/* What keeps a picture from being published as it is, whatever was asked for. */
static enum tap_misfit bar(enum tap_codec codec, enum tap_picture picture)
{
    if (codec == TAP_CODEC_MJPEG)
        return TAP_MISFIT_MJPEG;
    if (codec != TAP_CODEC_H264 && codec != TAP_CODEC_H265)
        return TAP_FITS;
    if (picture == TAP_PICTURE_INTERLACED)
        return TAP_MISFIT_INTERLACED;
    return picture == TAP_PICTURE_DEEP ? TAP_MISFIT_DEEP : TAP_FITS;
}

const char *tap_choice_bar(const struct tap_format *format)
{
    return tap_misfit_text(bar(format->video, tap_nal_picture(format->video, &format->params.sps)));
}

enum tap_misfit tap_misfit_of_picture(const struct tap_facts *facts,
                                      const struct weir_profile *profile)
{
    enum tap_misfit barred = bar(facts->codec, facts->picture);
    if (barred != TAP_FITS)
        return barred;
    if (profile->quality != WEIR_QUALITY_SOURCE && facts->codec != TAP_CODEC_H264)
        return TAP_MISFIT_CODEC;
    return fits(facts, profile->quality) ? TAP_FITS : TAP_MISFIT_LARGE;
}

/* `ppt` of the usual limits, in thousandths. */
static enum tap_misfit misfit_within(const struct tap_facts *facts,
                                     const struct weir_profile *profile, int64_t ppt)
{
    enum tap_misfit misfit = tap_misfit_of_picture(facts, profile);
    if (misfit != TAP_FITS)
        return misfit;
    if (profile->fps > 0 && facts->fps_milli > profile->fps * FPS_SLACK_PPT * ppt / 1000)
        return TAP_MISFIT_FRAMES;
    if (profile->quality == WEIR_QUALITY_SOURCE)
        return TAP_FITS;
    int64_t most = rate_of(profile->quality, facts->fps_milli) * RATE_SLACK_PPT / 1000;
    if (facts->bitrate_bps > most * ppt / 1000)
        return TAP_MISFIT_BITS;
    return facts->gop_ms > GOP_MOST_MS * ppt / 1000 ? TAP_MISFIT_KEYFRAMES : TAP_FITS;
}

enum tap_misfit tap_misfit(const struct tap_facts *facts, const struct weir_profile *profile)
{
    return misfit_within(facts, profile, 1000);
}

const char *tap_misfit_text(enum tap_misfit misfit)
{
    switch (misfit) {
    case TAP_MISFIT_MJPEG:
        return "the camera sends MJPEG";
    case TAP_MISFIT_INTERLACED:
        return "the camera's picture is interlaced";
    case TAP_MISFIT_DEEP:
        return "the camera's pixel format is not 4:2:0 with 8 bit";
    case TAP_MISFIT_CODEC:
        return "the camera does not send H.264";
    case TAP_MISFIT_LARGE:
        return "the camera's picture is larger";
    case TAP_MISFIT_FRAMES:
        return "the camera sends more frames";
    case TAP_MISFIT_BITS:
        return "the camera sends more bits";
    case TAP_MISFIT_KEYFRAMES:
        return "the camera's keyframes are too rare";
    case TAP_FITS:
        break;
    }
    return NULL;
}

bool tap_facts_have_keyframes(const struct tap_facts *facts, const struct weir_profile *profile)
{
    return tap_misfit_of_picture(facts, profile) == TAP_FITS && profile->fps > 0 &&
           facts->gop_ms > 0 && profile->fps * facts->gop_ms <= FPS_SLACK_PPT;
}

static void set_transcode(const struct tap_facts *facts, const struct weir_profile *profile,
                          struct tap_choice *ret)
{
    struct weir_box box = weir_quality_box(profile->quality);
    ret->how = WEIR_RENDITION_HOW_TRANSCODE;
    ret->long_side = (int)min(box.long_side, SOFTWARE_LONG);
    ret->short_side = (int)min(box.short_side, SOFTWARE_SHORT);
    ret->fps_milli = max(capped_fps(facts, profile->fps), FPS_MIN_MILLI);
    ret->pace_milli = pace_of(facts, profile->fps);
    /* Not by the camera's own, which is next to nothing while nothing moves. */
    ret->bitrate_bps = rate_of(made_tier(facts, profile->quality), ret->fps_milli);
    ret->segment_ms = ret->fps_milli <= SLOW_FPS_MILLI ? SLOW_SEGMENT_MS : SEGMENT_MS;
    ret->is_main = profile->quality == WEIR_QUALITY_LOW;
}

void tap_choose(const struct tap_facts *facts, const struct weir_profile *profile,
                struct tap_choice *ret)
{
    *ret = (struct tap_choice){.how = WEIR_RENDITION_HOW_PASSTHROUGH,
                               .why = "the camera's stream meets what was asked for"};
    enum tap_misfit misfit = tap_misfit(facts, profile);
    if (misfit == TAP_FITS)
        return;
    if (tap_facts_have_keyframes(facts, profile)) {
        ret->how = WEIR_RENDITION_HOW_KEYFRAMES;
        ret->why = "the camera's keyframes are as many frames as were asked for";
        ret->fps_milli = profile->fps * 1000;
        return;
    }
    ret->why = tap_misfit_text(misfit);
    set_transcode(facts, profile, ret);
}

bool tap_choice_is_outgrown(const struct tap_choice *choice, const struct tap_facts *facts,
                            const struct weir_profile *profile)
{
    if (choice->how == WEIR_RENDITION_HOW_TRANSCODE)
        return false;
    if (choice->how == WEIR_RENDITION_HOW_KEYFRAMES)
        return profile->fps * facts->gop_ms > FPS_SLACK_PPT * OUTGROWN_PPT / 1000;
    return misfit_within(facts, profile, OUTGROWN_PPT) != TAP_FITS;
}

struct tap_choice tap_choice_follow(const struct tap_choice *choice, const struct tap_facts *facts,
                                    const struct weir_profile *profile)
{
    struct tap_choice now = *choice;
    struct tap_choice made;
    set_transcode(facts, profile, &made);
    now.fps_milli = made.fps_milli;
    now.pace_milli = made.pace_milli;
    now.bitrate_bps = made.bitrate_bps;
    return now;
}

bool tap_choice_is_barred(const struct tap_facts *facts, char ret[static TAP_TROUBLE_MAX])
{
    const int side_max = WEIR_XCODE_SIDE_MAX;
    if (facts->width <= side_max && facts->height <= side_max &&
        (int64_t)facts->width * facts->height <= WEIR_XCODE_PIXELS_MAX)
        return false;
    snprintf(ret, TAP_TROUBLE_MAX,
             "the camera's picture, %dx%d, is too large to be decoded: %d pixels a side and %d in "
             "all are the most",
             facts->width, facts->height, side_max, WEIR_XCODE_PIXELS_MAX);
    return true;
}

struct tap_choice tap_choice_thin(const struct tap_choice *choice, int64_t fps_ppm)
{
    struct tap_choice thin = *choice;
    int64_t least = min(choice->fps_milli, TAP_THIN_LEAST_MILLI);
    thin.fps_milli = max(choice->fps_milli * fps_ppm / 1000000, least);
    if (thin.fps_milli < choice->fps_milli)
        thin.pace_milli = min(choice->pace_milli, thin.fps_milli);
    /* As between the frame rates of a tier. */
    double share = pow((double)thin.fps_milli / (double)choice->fps_milli, RATE_POWER);
    int64_t bps = (int64_t)((double)choice->bitrate_bps * share);
    thin.bitrate_bps = max(bps, min(choice->bitrate_bps, RATE_MIN_BPS));
    return thin;
}
