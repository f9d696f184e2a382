/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With how many of their frames renditions are made on a machine that lacks processor: fewer, step
 * by step, while things wait for it for too long, and again all of them when that is clearly over.
 * Fewer frames are better than a decoder that falls behind and leaves out seconds. Pure.
 *
 *     struct strain strain = {0};
 *     strain_judge(&strain, psi_ppm, at_ppm, now_ms)      each second; 1000000: all frames
 */
#ifndef WEIR_WORKER_STRAIN_H
#define WEIR_WORKER_STRAIN_H

#include <stdbool.h>
#include <stdint.h>

#define STRAIN_ALL_PPM 1000000
/* The kernel's figure is an average of ten seconds, so what a step did is seen that late. */
#define STRAIN_DOWN_MS 10000
#define STRAIN_UP_MS   30000

/* {0}: all frames. */
struct strain {
    int step;         /* 0: all frames */
    bool has_begun;   /* `since_ms` is set */
    bool is_high;     /* so since then: above the limit ... */
    bool is_low;      /* ... or below half of it */
    int64_t since_ms; /* or the last step, where that is newer */
};

/*
 * `psi_ppm`  share of the last ten seconds in which something waited for a processor
 *            (/proc/pressure/cpu, "some avg10")
 * `at_ppm`   from here on it is too much; 0: never
 * `now_ms`   monotonic
 *
 * Returns the share of their frames that renditions are made with, 250000..1000000.
 */
int64_t strain_judge(struct strain *strain, int64_t psi_ppm, int64_t at_ppm, int64_t now_ms);

#endif
