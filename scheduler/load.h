/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load of the workers that may take something, and what one more stream would make of it.
 *
 * Per resource: max(observed, half of the estimates) + estimates of streams too young to show in
 * heartbeats (notes: reserve first, measure later; without reservation the emptiest worker is
 * overrun between two heartbeats). Integers, ppm of the worker's capacity.
 */
#ifndef SCHEDULER_LOAD_H
#define SCHEDULER_LOAD_H

#include "scheduler/core_rules.h"

enum resource { RESOURCE_CPU, RESOURCE_MEM, RESOURCE_NET, RESOURCE_GPU, RESOURCE_N };

struct cost {
    int64_t of[RESOURCE_N];
};

struct worker_load {
    const struct weir_worker_row *worker;
    int64_t capacity[RESOURCE_N]; /* 0: the worker has none, or does not tell */
    int64_t used[RESOURCE_N];     /* observed */
    int64_t estimated[RESOURCE_N];
    int64_t fresh[RESOURCE_N]; /* estimates of what heartbeats cannot show yet */
    int64_t n_streams;
    int64_t n_leases;
    int64_t flap_ppm; /* on top of the score: it died lately; outweighs any difference in load */
};

struct loads {
    struct worker_load *workers; /* those that are ready */
    size_t n;
    struct weir_map *by_id; /* worker_id -> struct worker_load */
};

/* In the draft's arena, except the map: loads_done. */
struct loads *loads_of(struct draft *draft);
void loads_done(struct draft *draft);

/* NULL when the worker is not ready. */
struct worker_load *loads_find(const struct loads *loads, const struct weir_id *worker_id);

/* What a worker can tell of in one heartbeat. */
#define LOAD_LEASES_MAX WEIR_EV_HEARTBEAT_LEASES_MAX

/* `fps` 0: as the camera. */
struct cost cost_of_stream(enum weir_quality quality, int64_t fps);
struct cost cost_of_tap(void);

/* Shares with `extra` on top; false when one is over the ceiling. `ret` may be NULL. */
bool load_fits(const struct core_config *config, const struct worker_load *load,
               const struct cost *extra, int64_t ret_share_ppm[RESOURCE_N]);

/* The score of DESIGN section 4 over those shares; lower wins. `is_puller`: it pulls the camera. */
int64_t load_score(const struct core_config *config, const struct worker_load *load,
                   const int64_t share_ppm[RESOURCE_N], bool is_puller);

/* Counts what was placed in this draft. */
void load_reserve(struct worker_load *load, const struct cost *cost);

#endif
