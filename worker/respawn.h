/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a child that ended is started again. Viewers wait for it, so the first few times at once;
 * what ends again and again must not take the machine from the others, so then later and later. A
 * child that lived for a while is trusted like a new one. Pure: the clock is an argument.
 */
#ifndef WEIR_WORKER_RESPAWN_H
#define WEIR_WORKER_RESPAWN_H

#include <stdint.h>

#define RESPAWN_AT_ONCE  3 /* ends in a row */
#define RESPAWN_FIRST_MS 500
#define RESPAWN_MOST_MS  15000
#define RESPAWN_TRUST_MS 30000 /* of life */

struct respawn {
    int64_t started_ms;
    int n_ends; /* in a row */
};

void respawn_started(struct respawn *respawn, int64_t now_ms);

/* It ended. Milliseconds to wait: 0, 0, 0, then 500 doubling to 15,000. */
int64_t respawn_ended(struct respawn *respawn, int64_t now_ms);

#endif
