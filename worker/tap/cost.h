/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each camera takes of the process that reads them all.
 *
 * Its reader's CPU time is its own. What the process took beside the readers is shared by the bytes
 * that came; memory beside the rings is shared equally. So the cameras' costs add up to the
 * process's.
 *
 *     each second:  tap_cost_look(...) for each camera, then
 *                   tap_cost_share(...) for each, with what tap_cost_rest() says
 */
#ifndef WEIR_WORKER_TAP_COST_H
#define WEIR_WORKER_TAP_COST_H

#include "worker/tap/meter.h"

/* Of one camera; zeroed storage is ready. */
struct tap_cost {
    struct tap_meter meter;
    int64_t reader_us; /* of the present reader, as last seen */
    int64_t bytes;     /* as last seen */
    int64_t frames;
    int64_t cpu_us; /* all in all */
    int64_t mem_bytes;
    int64_t looked_us;    /* CPU of its reader between the last two looks */
    int64_t looked_bytes; /* that came in between */
};

/* Of the process; zeroed storage is ready. */
struct tap_cost_all {
    int64_t cpu_us; /* as last seen */
    int64_t rest_us;
    int64_t rest_bytes; /* of memory */
    int64_t looked_us;  /* sums over the cameras */
    int64_t looked_bytes;
    int64_t held_bytes;
    int64_t n;
};

/* Begins a round: forgets the sums. */
void tap_cost_begin(struct tap_cost_all *all);

/* `reader_us`: CPU of its reader since that began, 0 without one. `bytes` and `frames` rise.
 * `held_bytes`: its ring. */
void tap_cost_look(struct tap_cost *cost, struct tap_cost_all *all, int64_t reader_us,
                   int64_t bytes, int64_t frames, int64_t held_bytes);

/* After all looks: what the process took in all, and has (without what it maps from files). */
void tap_cost_rest(struct tap_cost_all *all, int64_t cpu_us, int64_t mem_bytes);

/* `own_bytes`: its ring and its files. */
void tap_cost_share(struct tap_cost *cost, const struct tap_cost_all *all, int64_t own_bytes,
                    int64_t now_us);

/* Of this process. 0 when it cannot be told. */
int64_t tap_cost_process_cpu_us(void);
int64_t tap_cost_process_mem_bytes(void);

#endif
