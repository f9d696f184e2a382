/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a stream is made from what a camera sends: the cheapest way that meets what was asked for.
 * Pure. Source: docs/adr/0034-renditions-come-back-to-the-tap.md.
 *
 *     as it is        H.264 that every player shows, small, slow and lean enough, keyframes often
 *     keyframes       the same, and its keyframes alone are as many frames as were asked for
 *     transcode       everything else
 */
#ifndef WEIR_WORKER_TAP_CHOICE_H
#define WEIR_WORKER_TAP_CHOICE_H

#include "lib/domain/profile.h"
#include "worker/tap/facts.h"

/* What keeps a stream from being shown as it is: the first three whatever was asked for, since no
 * player shows it, the others where a profile was. */
enum tap_misfit {
    TAP_FITS,
    TAP_MISFIT_MJPEG,
    TAP_MISFIT_INTERLACED,
    TAP_MISFIT_DEEP,
    TAP_MISFIT_CODEC,
    TAP_MISFIT_LARGE,
    TAP_MISFIT_FRAMES,
    TAP_MISFIT_BITS,
    TAP_MISFIT_KEYFRAMES,
};

/* The first thing; of the picture alone, which is known before anything was measured. What is not
 * known (0) is no misfit. */
enum tap_misfit tap_misfit_of_picture(const struct tap_facts *facts,
                                      const struct weir_profile *profile);
enum tap_misfit tap_misfit(const struct tap_facts *facts, const struct weir_profile *profile);

/* For people: "the camera's picture is larger". Static; NULL of TAP_FITS. */
const char *tap_misfit_text(enum tap_misfit misfit);

/* Its keyframes alone are as many frames as were asked for. */
bool tap_facts_have_keyframes(const struct tap_facts *facts, const struct weir_profile *profile);

struct tap_choice {
    enum weir_rendition_how how;
    const char *why; /* for people */
    /* Of a transcode: */
    int long_side; /* the box it is made to fit into */
    int short_side;
    int64_t fps_milli;  /* that it has, as far as is known; of keyframes: the most */
    int64_t pace_milli; /* at most so many are made */
    int64_t bitrate_bps;
    int64_t segment_ms;
    bool is_main;
};

/*
 * Why what the camera sends cannot be published as it is, whatever was asked for; NULL where it
 * can, or nobody knows yet.
 */
const char *tap_choice_bar(const struct tap_format *format);

/* Whether the camera sends by now clearly more than was asked for of what passes as it is, or too
 * few keyframes for what is made of these alone: by a fifth more than is let pass at first, so that
 * nothing goes to and fro. `facts` are of the source that it is made of, and known. A transcode
 * does for all that comes. */
bool tap_choice_is_outgrown(const struct tap_choice *choice, const struct tap_facts *facts,
                            const struct weir_profile *profile);

/* What the same transcode would have of these facts: frames, and bits for them. */
struct tap_choice tap_choice_follow(const struct tap_choice *choice, const struct tap_facts *facts,
                                    const struct weir_profile *profile);

#define TAP_TROUBLE_MAX 129 /* bytes of a text with the end */

/* Whether the camera's picture is larger than any that is decoded, so that nothing but what it
 * sends can be made of it. `ret` is for people, and set then only. */
bool tap_choice_is_barred(const struct tap_facts *facts, char ret[static TAP_TROUBLE_MAX]);

/*
 * The same transcode with fewer frames and bits: a share of both, while there is not enough
 * processor for all. Never below TAP_THIN_LEAST_MILLI, or what it had where that was less.
 *
 * `fps_ppm`  1..1000000 of the frames.
 */
struct tap_choice tap_choice_thin(const struct tap_choice *choice, int64_t fps_ppm);

#define TAP_THIN_LEAST_MILLI 5000 /* frames in 1000 s */

/* `facts` are known. */
void tap_choose(const struct tap_facts *facts, const struct weir_profile *profile,
                struct tap_choice *ret);

#endif
