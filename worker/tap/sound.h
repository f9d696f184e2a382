/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sound that HLS cannot carry (G.711, G.726) becomes AAC: one weir-xcode for one source of a camera
 * decodes and encodes it (lib/domain/xcode.h), never this process. While that one is not there, or
 * hangs, nothing comes, and sessions fill in silence (outlet.h); frames never wait for it.
 *
 * It is not the process that makes the camera's pictures: sound must not wait for pictures that are
 * behind, nor end with them, nor depend on who encodes them. Source: docs/adr/0046-sound.md.
 */
#ifndef WEIR_WORKER_TAP_SOUND_H
#define WEIR_WORKER_TAP_SOUND_H

#include "lib/service/dying.h"
#include "lib/service/loop.h"
#include "worker/tap/ring.h"

struct tap_sound;

struct tap_sound_calls {
    /* An access unit for the ring, in order; the callee owns it. */
    void (*unit)(void *ctx, struct tap_unit *unit);
    /* This sound cannot be made; nothing comes any more. Must not free the sound. */
    void (*none)(void *ctx);
};

/* `program`: weir-xcode, absolute; `ring` and `format` are the camera's and outlive this, as
 * `dying` does. */
struct tap_sound *tap_sound_new(struct weir_loop *loop, struct weir_dying *dying,
                                const char *program, const struct tap_ring *ring,
                                const struct tap_format *format,
                                const struct tap_sound_calls *calls, void *ctx);
void tap_sound_free(struct tap_sound **sound); /* sets NULL; NULL is fine */

/* The camera's format was set: begins, goes on or ends, as its `raw` says. */
void tap_sound_follow(struct tap_sound *sound);

/* The line of time begins anew. */
void tap_sound_restart(struct tap_sound *sound);

/* Another process kept sound up to here, in ticks of what is made. */
void tap_sound_resume(struct tap_sound *sound, int64_t end_ts);

/* A packet of the camera's, mapped on its line at raw.rate; stays the caller's. */
void tap_sound_take(struct tap_sound *sound, const struct tap_unit *unit);

/* A frame of its pictures. */
void tap_sound_frame(struct tap_sound *sound, const struct tap_unit *unit);

#endif
