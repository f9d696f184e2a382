/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a transcoder still works, by what it was given and what it said. Pure: time is an
 * argument, ms on one clock.
 *
 *     tap_xcode_watch_begin(&watch, is_hard, now_ms);
 *     tap_xcode_watch_give(&watch, is_key, now_ms);                a unit
 *     tap_xcode_watch_take(&watch, TAP_XCODE_DONE, now_ms)         it said so
 *     tap_xcode_watch_is_hung(&watch, now_ms)                      looked at every now and then
 */
#ifndef WEIR_WORKER_TAP_XCODE_WATCH_H
#define WEIR_WORKER_TAP_XCODE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/tap/xcode_wire.h"

#define TAP_XCODE_HANG_MS    3000
#define TAP_XCODE_OPENING_MS 10000 /* that a driver may take for its device */

struct tap_xcode_watch {
    bool is_opening;      /* it did not say yet that it has its engine */
    bool is_inside;       /* what it does now is the engine's doing */
    bool has_done_key;    /* what it answered last is a keyframe */
    unsigned on_the_way;  /* units that it did not answer; at most 64 */
    uint64_t keys;        /* which of these are keyframes, a bit each, the newest lowest */
    int64_t sign_mono_ms; /* the newest sign of life while units were on the way */
};

/* It was started. `is_hard`: it opens an engine that encodes in hardware first. */
void tap_xcode_watch_begin(struct tap_xcode_watch *watch, bool is_hard, int64_t now_mono_ms);

/* A unit, of video or of sound. `is_key`: a keyframe. */
void tap_xcode_watch_give(struct tap_xcode_watch *watch, bool is_key, int64_t now_mono_ms);

/* False: it answers what it was not given. */
bool tap_xcode_watch_take(struct tap_xcode_watch *watch, enum tap_xcode_item item,
                          int64_t now_mono_ms);

/* More than TAP_XCODE_HANG_MS without a sign while units are on the way, or TAP_XCODE_OPENING_MS
 * while it opens its engine. */
bool tap_xcode_watch_is_hung(const struct tap_xcode_watch *watch, int64_t now_mono_ms);

#endif
