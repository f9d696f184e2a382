/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes of one source of a camera, whoever reads it: each unit gets its place on the line of
 * time and its time of capture, goes into the ring, and into files where somebody follows it; its
 * health is watched, its sound is made where it must be. Attempts to read are made elsewhere
 * (camera.h).
 */
#ifndef WEIR_WORKER_TAP_INTAKE_H
#define WEIR_WORKER_TAP_INTAKE_H

#include "worker/tap/clock.h"
#include "worker/tap/control.h"
#include "worker/tap/health.h"
#include "worker/tap/kind.h"
#include "worker/tap/ring.h"
#include "worker/tap/sound.h"
#include "worker/tap/spool.h"
#include "worker/tap/timeline.h"

struct tap_intake_calls {
    void (*wake)(void *ctx);    /* the ring has new units */
    void (*restart)(void *ctx); /* it was emptied */
    void (*hear)(void *ctx);    /* there is sound from now on, and nothing else is new */
    void (*changed)(void *ctx); /* the picture has another size, or the sound is given up */
};

/* Where it comes from; all of it outlives the intake. */
struct tap_intake_from {
    struct weir_loop *loop;
    struct weir_dying *dying;
    const char *xcode;     /* the program that makes sound */
    const char *spool_dir; /* or "" */
    const struct weir_id *camera_id;
    const char *name; /* of the source, for the log */
    bool can_hear;    /* `hear` is of use; else all begins anew */
    bool has_audio;   /* what an earlier process heard may be kept */
};

struct tap_intake {
    struct tap_intake_from from;
    const struct tap_intake_calls *calls;
    void *ctx;
    struct tap_format format;
    int width; /* of the picture, pixels; 0: not known */
    int height;
    struct tap_ring ring;
    struct tap_timeline line;
    struct tap_clock clock;
    struct tap_health health;
    struct tap_sound *sound;
    struct tap_raw unmade; /* cannot be made into AAC here; TAP_CODEC_NONE: nothing was so far */
    struct tap_spool *spool;
    bool is_spooled;                         /* what comes is left for the next process too */
    struct tap_kind kind;                    /* of the pictures in the ring */
    struct weir_ctl_tap_stats_cameras stats; /* counters only */
    int64_t frames;                          /* of video */
    int64_t last_unit_mono_ms;               /* 0: none yet */
    int64_t last_key_capture_us;
};

/* With what an earlier process left. `calls` is kept. */
void tap_intake_init(struct tap_intake *in, const struct tap_intake_from *from, int64_t ring_ms,
                     size_t ring_bytes, const struct tap_intake_calls *calls, void *ctx);
void tap_intake_done(struct tap_intake *in);

/* It plays, as `format` says; it does not any more. */
void tap_intake_up(struct tap_intake *in, const struct tap_format *format);
void tap_intake_down(struct tap_intake *in);

/* Takes the next unit, in decoding order. */
void tap_intake_take(struct tap_intake *in, struct tap_unit *unit);

/* Whether what comes is left for the next process; what the ring has is, at once. */
void tap_intake_spool(struct tap_intake *in, bool is_spooled);

/* Nothing that was heard is kept, here or in files. */
void tap_intake_silence(struct tap_intake *in);

/* Fills what is known here. */
void tap_intake_stats(const struct tap_intake *in, struct weir_ctl_tap_stats_cameras *ret);

#endif
