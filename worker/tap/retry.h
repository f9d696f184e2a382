/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to try a camera again, and who may connect now. Pure: time and chance are arguments.
 */
#ifndef WEIR_WORKER_TAP_RETRY_H
#define WEIR_WORKER_TAP_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#define TAP_RETRY_FIRST_MS     500
#define TAP_RETRY_MOST_MS      30000
#define TAP_RETRY_PERMANENT_MS 300000 /* after what trying again does not cure */

/*
 * Delay before the next try: doubles from 0.5 s to 30 s, then somewhere between half and the whole
 * of it, so that cameras of one failed switch do not come back in step.
 *
 * `failures` >= 1 in a row; `chance` any number, equally likely all over.
 */
int64_t tap_retry_delay_ms(unsigned failures, uint32_t chance);

/* Connects to one host: at most `per_s` in any second, spaced evenly (an NVR has many cameras). */
struct tap_pace {
    int64_t next_mono_ms;
};

/* 0: connect now (and that is counted); else how long to wait, ms. `per_s` 1..1000. */
int64_t tap_pace_take(struct tap_pace *pace, int per_s, int64_t now_mono_ms);

#endif
