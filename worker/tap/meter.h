/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rates over the last seconds, from counters that only rise: what a camera sends, and what reading
 * it takes. Pure: no clock is read.
 *
 *     tap_meter_add(&meter, &(struct tap_count){.at_us = now, .bytes = ..., ...});   each second
 *     if (tap_meter_rates(&meter, &rates)) ...
 */
#ifndef WEIR_WORKER_TAP_METER_H
#define WEIR_WORKER_TAP_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAP_METER_SAMPLES 11 /* ten seconds between the first and the last */

struct tap_count {
    int64_t at_us;  /* monotonic */
    int64_t bytes;  /* from the camera */
    int64_t frames; /* of video */
    int64_t cpu_us; /* that were spent */
};

/* Zeroed storage is ready. */
struct tap_meter {
    struct tap_count samples[TAP_METER_SAMPLES];
    size_t n;    /* <= TAP_METER_SAMPLES */
    size_t next; /* where the next one goes */
};

struct tap_rates {
    int64_t bitrate_bps;
    int64_t fps_milli;
    int64_t cpu_ppm; /* of a core */
};

void tap_meter_add(struct tap_meter *meter, const struct tap_count *count);

/* False before two samples. A counter that went back counts as standing still. */
bool tap_meter_rates(const struct tap_meter *meter, struct tap_rates *ret);

#endif
