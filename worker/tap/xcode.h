/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tap's side of one weir-xcode (lib/domain/xcode.h): starts it, gives it the camera's units out
 * of the ring, takes what comes back, and starts it again when it ends or hangs (xcode_watch.h); or
 * the other engine (engines.h), which speaks the same.
 *
 * Few units are on the way at a time, so the ring is the queue here too. A process that begins anew
 * goes on right behind what was there; one that is too slow leaves out what it cannot do.
 */
#ifndef WEIR_WORKER_TAP_XCODE_H
#define WEIR_WORKER_TAP_XCODE_H

#include "lib/domain/events.h"
#include "lib/domain/xcode.h"
#include "lib/service/dying.h"
#include "lib/service/loop.h"
#include "worker/tap/engines.h"
#include "worker/tap/ring.h"

#define TAP_XCODE_ANY UINT32_MAX /* engine, or none */

struct tap_xcode;

struct tap_xcode_calls {
    /* A unit of a rendition, checked in its form only, with a rising `ts`. */
    void (*unit)(void *ctx, uint32_t rendition, int64_t ts, bool is_key, const uint8_t *bytes,
                 size_t len);
    /* Nothing comes of a rendition, as of barren.h; told once. Must not free the tap_xcode. */
    void (*barren)(void *ctx, uint32_t rendition);
    /* It ended, or could not be started; it will be tried again. Never from inside new or set. */
    void (*broke)(void *ctx, const char *why);
    /* Another engine makes them from now on; as broke. */
    void (*turned)(void *ctx);
    /* An access unit of sound, checked in its size only; its `ts` may be any. */
    void (*sound)(void *ctx, int64_t ts, const uint8_t *bytes, size_t len);
    /* It makes no such sound, and is not asked again. Must not free the tap_xcode. */
    void (*no_sound)(void *ctx);
    /* The engine that encoded a rendition failed; software does it from here on, in this process
     * or the next one. */
    void (*fell_back)(void *ctx, uint32_t rendition, enum weir_xcode_fault fault);
};

/* `ring` and `format` are the camera's and outlive this, as `engines` and `dying` do. */
struct tap_xcode *tap_xcode_new(struct weir_loop *loop, struct weir_dying *dying,
                                const struct tap_engines *engines, const struct tap_ring *ring,
                                const struct tap_format *format,
                                const struct tap_xcode_calls *calls, void *ctx);
void tap_xcode_free(struct tap_xcode **xcode); /* sets NULL; NULL is fine */

/* Begins rendition number `rendition` < WEIR_XCODE_RENDITIONS_MAX, or changes it; `after_ts` is
 * filled in here. */
void tap_xcode_set(struct tap_xcode *xcode, uint32_t rendition,
                   const struct weir_xcode_rendition *spec);
void tap_xcode_drop(struct tap_xcode *xcode, uint32_t rendition);

/* Why another engine than the one that was chosen makes them, for people; NULL: none does. */
const char *tap_xcode_why(const struct tap_xcode *xcode);

/* CPU time of the present process, us; 0: there is none. */
int64_t tap_xcode_cpu_us(const struct tap_xcode *xcode);

/* Has sound of that kind made from now on. */
void tap_xcode_set_sound(struct tap_xcode *xcode, const struct weir_xcode_sound *spec);
/* One packet of it, `len` <= WEIR_XCODE_SOUND_MAX; lost while the process is not there, or far
 * behind. */
void tap_xcode_give_sound(struct tap_xcode *xcode, int64_t ts, const uint8_t *bytes, size_t len);
/* The only engine, or WEIR_XCODE_SOFTWARE, that a further rendition can be encoded by: a process
 * has that which it was started with. TAP_XCODE_ANY: none is started yet, and the next one can have
 * any. */
uint32_t tap_xcode_engine(const struct tap_xcode *xcode);

/* The ring has new units. */
void tap_xcode_wake(struct tap_xcode *xcode);

#endif
