/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Engines that encode in hardware, and how much of them this tap's renditions have: thousands of
 * pixels a second and sessions, as lib/domain/encoder.h reckons. Pure.
 *
 *     tap_encoders_assign(encoders, TAP_XCODE_ANY, 1920, 1080, rendition)     or software
 *     ...
 *     tap_encoders_release(encoders, rendition)
 */
#ifndef WEIR_WORKER_TAP_ENCODERS_H
#define WEIR_WORKER_TAP_ENCODERS_H

#include "worker/tap/rendition.h"

struct tap_encoder {
    bool is_there;  /* the worker named it */
    bool is_failed; /* and named ever since */
    int64_t kpx;    /* a second, all in all */
    int64_t sessions;
    int64_t kpx_used;
    int64_t sessions_used;
};

struct tap_encoders {
    struct tap_encoder of[WEIR_ENCODER_N];
};

/* What the worker names may be used, the others not any more; one that failed when it is named
 * again, after it was not once. Renditions that have one keep it. */
void tap_encoders_set(struct tap_encoders *encoders, const struct weir_ctl_tap_encoders *told);

/*
 * Gives the rendition, a transcode that was chosen a moment ago, an engine that has room for it;
 * else software encodes it. `only`: TAP_XCODE_ANY, or what its process can use. The camera's
 * picture is `width` x `height`, 0: not known.
 */
void tap_encoders_assign(struct tap_encoders *encoders, uint32_t only, int width, int height,
                         struct tap_rendition *rendition);

/* Its frame rate is another one: it keeps its engine, and has more or less of it. */
void tap_encoders_follow(struct tap_encoders *encoders, int width, int height,
                         struct tap_rendition *rendition);

/* What it has is free again; software from now on. */
void tap_encoders_release(struct tap_encoders *encoders, struct tap_rendition *rendition);

/* The rendition's engine failed: it gets nothing more, and the rendition is software's. */
enum weir_encoder tap_encoders_fail(struct tap_encoders *encoders, struct tap_rendition *rendition);

/* Those that are there or are used; how many. */
size_t tap_encoders_used(const struct tap_encoders *encoders,
                         struct weir_ctl_tap_encoding_encoders ret[static WEIR_ENCODER_N]);

/* For people: "it hung". Static. */
const char *tap_encoders_fault_text(enum weir_xcode_fault fault);

#endif
