/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tap's side of one weir-xcode (lib/domain/xcode.h): starts it, gives it the camera's units out
 * of the ring, takes what comes back, and starts it again when it ends or hangs.
 *
 * Few units are on the way at a time, so the ring is the queue here too. A process that begins anew
 * goes on right behind what was there; one that is too slow leaves out what it cannot do.
 */
#ifndef WEIR_WORKER_TAP_XCODE_H
#define WEIR_WORKER_TAP_XCODE_H

#include "lib/domain/xcode.h"
#include "lib/service/loop.h"
#include "worker/tap/ring.h"

#define TAP_XCODE_HANG_MS 3000

struct tap_xcode;

struct tap_xcode_calls {
    /* A unit of a rendition, checked in its form only, with a rising `ts`. */
    void (*unit)(void *ctx, uint32_t rendition, int64_t ts, bool is_key, const uint8_t *bytes,
                 size_t len);
    /* It ended, or could not be started; it will be tried again. Never from inside new or set. */
    void (*broke)(void *ctx, const char *why);
};

/* `program` absolute; `ring` and `format` are the camera's and outlive this. */
struct tap_xcode *tap_xcode_new(struct weir_loop *loop, const char *program,
                                const struct tap_ring *ring, const struct tap_format *format,
                                const struct tap_xcode_calls *calls, void *ctx);
void tap_xcode_free(struct tap_xcode **xcode); /* sets NULL; NULL is fine */

/* Begins rendition number `rendition` < WEIR_XCODE_RENDITIONS_MAX, or changes it; `after_ts` is
 * filled in here. */
void tap_xcode_set(struct tap_xcode *xcode, uint32_t rendition,
                   const struct weir_xcode_rendition *spec);
void tap_xcode_drop(struct tap_xcode *xcode, uint32_t rendition);

/* The ring has new units. */
void tap_xcode_wake(struct tap_xcode *xcode);

#endif
