/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at cameras when weir-worker says so (still.look) and tells what was seen (still.scene): the
 * newest keyframe of each out of the tap's ring, by a decoder that no snapshot needs, as a small
 * grey picture that is judged (scene.h) and never leaves this process.
 *
 * One thread, one look at a time, so that looks take one decoder at most. Whatever comes between
 * (no decoder to spare, one that hangs or dies, a tap that does not answer, a picture with holes)
 * is no look: nothing is told. Of a keyframe that was seen already the same is told again. A camera
 * whose pictures break decoders is left alone for LOOKS_BROKEN_MS. What weir-worker heard of a
 * process before this one it says when it asks, so that a fault that stands goes on.
 *
 *     struct looks *looks = looks_new(&config);
 *     looks_ask(looks, &ask);
 *     looks_free(&looks);
 */
#ifndef WEIR_WORKER_STILL_LOOKS_H
#define WEIR_WORKER_STILL_LOOKS_H

#include "lib/domain/events.h"
#include "lib/service/loop.h"
#include "worker/still/decoders.h"

#define LOOKS_QUEUE_MAX   1024 /* what is asked beyond is dropped */
#define LOOKS_CAMERAS_MAX 2048 /* 66 KiB each */
#define LOOKS_BROKEN_MS   60000

struct looks;

/* On the loop's thread. `scene` lives during the call. */
typedef void looks_tell_fn(void *ctx, const struct weir_ctl_still_scene *scene);

struct looks_config {
    struct weir_loop *loop;
    const char *clip_socket; /* kept */
    struct decoders *decoders;
    looks_tell_fn *tell;
    void *ctx;
};

struct looks_counts {
    int64_t looked;
    int64_t failed; /* no decoder, no clip, no picture; none of an old keyframe */
};

/* Loop thread, as are all of these. */
struct looks *looks_new(const struct looks_config *config);
/* Waits for the look that is being made. Sets NULL; NULL is fine. */
void looks_free(struct looks **looks);

/* Never blocks. */
void looks_ask(struct looks *looks, const struct weir_ctl_still_look *ask);

struct looks_counts looks_counts(struct looks *looks);

#endif
