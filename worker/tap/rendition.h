/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One profile of one camera: how it is made, and the ring of what was made, which publishers follow
 * as they follow the camera's own.
 */
#ifndef WEIR_WORKER_TAP_RENDITION_H
#define WEIR_WORKER_TAP_RENDITION_H

#include "lib/base/list.h"
#include "worker/tap/pick.h"
#include "worker/tap/steady.h"
#include "worker/tap/xcode.h"

#define TAP_RENDITION_ALL 1000000 /* of its frames */

struct tap_rendition {
    struct weir_list node; /* in the camera's list */
    uint32_t number;       /* of lib/domain/xcode.h */
    struct weir_profile profile;
    int n_users; /* publishers */
    int source;  /* of the camera's, that is used or waited for; see pick.h */
    bool is_chosen;
    struct tap_choice choice; /* once chosen */
    struct tap_steady review; /* of that choice */
    int64_t fps_ppm;          /* of its frames that are made, 1..1000000 */
    uint32_t encoder;         /* as of weir_xcode_rendition; see encoders.h */
    int64_t encoder_kpx;      /* of it, that this one has */
    bool has_fallen;          /* an engine failed it */
    enum weir_encoder fallen; /* that one */
    char why[TAP_PICK_WHY_MAX];
    char trouble[TAP_TROUBLE_MAX]; /* why nothing comes of it, for people; "": something may */
    /* Not of what passes as it is: */
    struct tap_ring ring;
    struct tap_format format;
    uint64_t cursor; /* in the source's ring, of keyframes */
    uint64_t sound;  /* ... of sound: what comes next */
    int64_t due_ts;  /* the next keyframe is taken from here on */
};

struct tap_rendition *tap_rendition_new(uint32_t number, const struct weir_profile *profile);
void tap_rendition_free(struct tap_rendition *rendition);

/* It is made as `pick` says, from `ring`, that of its source, whose sound it takes along as it is:
 * each unit ahead of the next frame that is shown later, so that both stay together. */
void tap_rendition_begin(struct tap_rendition *rendition, const struct tap_pick *pick,
                         const struct tap_ring *ring, const struct tap_format *format);

enum tap_review {
    TAP_REVIEW_SAME,
    TAP_REVIEW_OTHER,    /* frames and bits of its choice are others; it goes on */
    TAP_REVIEW_OUTGROWN, /* what it is made of is no more what was asked for: to be chosen anew */
};

/* Each second or so, once chosen: whether what its source sends, `facts`, is still what it was
 * chosen by. `now_ms` is monotonic. */
enum tap_review tap_rendition_review(struct tap_rendition *rendition, const struct tap_facts *facts,
                                     int64_t now_ms);

/* Nothing came of what `format` says. */
void tap_rendition_fail(struct tap_rendition *rendition, const struct tap_format *format);

/* Whether it has a ring of its own; what passes as it is has none. NULL has none. */
bool tap_rendition_is_own(const struct tap_rendition *rendition);

/* What its source sent is of another kind: all is chosen anew. */
void tap_rendition_restart(struct tap_rendition *rendition);

/* Its source, `ring`, has the sound that `format` says from now on. */
void tap_rendition_change_sound(struct tap_rendition *rendition, const struct tap_ring *ring,
                                const struct tap_format *format);

/* For weir-xcode. */
struct weir_xcode_rendition tap_rendition_spec(const struct tap_rendition *rendition);

/* Takes new keyframes of its source; true when there were any. */
bool tap_rendition_take_keys(struct tap_rendition *rendition, const struct tap_ring *source,
                             const struct tap_format *format);

/*
 * Takes a unit that weir-xcode made; its times are those of the camera's frame. True when the
 * picture is of another kind than before: nothing older is in the ring, and publishers need a
 * session of their own.
 */
bool tap_rendition_take(struct tap_rendition *rendition, const struct tap_ring *camera, int64_t ts,
                        bool is_key, const uint8_t *bytes, size_t len);

/* What is published; `rendition` NULL: the camera as it is. `source` and `format` are those of
 * its source. */
void tap_rendition_describe(const struct tap_rendition *rendition, const struct tap_ring *source,
                            const struct tap_format *format, struct weir_effective *ret);

#endif
