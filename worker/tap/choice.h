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
#include "worker/tap/ring.h"

/* What a camera sends, measured. */
struct tap_facts {
    enum tap_codec codec;
    int width; /* 0: not known */
    int height;
    bool is_plain;       /* tap_nal_is_plain */
    int64_t fps_milli;   /* 0: not known */
    int64_t bitrate_bps; /* video alone; 0: not known */
    int64_t gop_ms;      /* longest distance of keyframes; 0: not known */
    int64_t span_ms;     /* that was looked at */
    int keyframes;       /* in it */
};

/* Looks at all that the ring holds. */
void tap_facts_measure(const struct tap_ring *ring, const struct tap_format *format,
                       struct tap_facts *ret);

/* Enough was seen to choose by. */
bool tap_facts_are_known(const struct tap_facts *facts);

/* What keeps a stream from being shown as it is where a profile was asked for. */
enum tap_misfit {
    TAP_FITS,
    TAP_MISFIT_CODEC,
    TAP_MISFIT_NOT_PLAIN,
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
    int64_t fps_milli;
    int64_t bitrate_bps;
    int64_t segment_ms;
    bool is_main;
};

/* `facts` are known. */
void tap_choose(const struct tap_facts *facts, const struct weir_profile *profile,
                struct tap_choice *ret);

#endif
