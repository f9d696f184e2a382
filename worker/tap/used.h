/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each rendition of a camera took of the process that makes them all: its CPU time since the
 * last look, shared by the pixels that are made. What is taken of decoding belongs to all of them;
 * a rendition that more than one stream publishes is theirs in equal parts. Pure.
 */
#ifndef WEIR_WORKER_TAP_USED_H
#define WEIR_WORKER_TAP_USED_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed storage is ready: the first look begins. */
struct tap_used {
    int64_t cpu_us; /* of the process, as last seen */
    int64_t at_us;
};

/*
 * Thousandths of a core since the last look; `cpu_us` rises, and begins anew with each process.
 * -1 at the first look, and where no time has passed.
 */
int64_t tap_used_look(struct tap_used *used, int64_t cpu_us, int64_t now_us);

/* One of the `n` streams' part of `cpu_milli`; `weights` > 0: pixels a second. */
int64_t tap_used_part(int64_t cpu_milli, const int64_t *weights, size_t n, size_t which);

#endif
