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
    int64_t of[RESOURCE_N]; /* where software encodes */
    /* Of what is encoded; an engine in hardware spares the processor that, and takes so much: */
    int64_t encode_cpu;      /* of `of`, thousandths of a core */
    int64_t encode_kpx;      /* thousands of pixels a second; 0: nothing is encoded */
    int64_t encode_sessions; /* renditions */
};

/* Of engines in hardware, as of a resource. */
struct load_budget {
    int64_t capacity; /* 0: there is none, or none that is well */
    int64_t used;     /* observed */
    int64_t estimated;
    int64_t fresh;
};

/* What streams of each quality really take that run now, against costs.def; zeroed storage is
 * ready: nothing is known. */
struct cost_learnt {
    int64_t measured[WEIR_QUALITY_N]; /* sums, thousandths of a core */
    int64_t expected[WEIR_QUALITY_N];
};

struct worker_load {
    const struct weir_worker_row *worker;
    int64_t capacity[RESOURCE_N]; /* 0: the worker has none, or does not tell */
    int64_t used[RESOURCE_N];     /* observed */
    int64_t estimated[RESOURCE_N];
    int64_t fresh[RESOURCE_N];          /* estimates of what heartbeats cannot show yet */
    struct load_budget encode_kpx;      /* thousands of pixels a second */
    struct load_budget encode_sessions; /* renditions at once */
    int64_t n_streams;
    int64_t n_leases;
    int64_t flap_ppm; /* on top of the score: it died lately; outweighs any difference in load */
};

struct loads {
    struct worker_load *workers; /* those that are ready */
    size_t n;
    struct weir_map *by_id; /* worker_id -> struct worker_load */
    struct cost_learnt learnt;
};

/* In the draft's arena, except the map: loads_done. */
struct loads *loads_of(struct draft *draft);
void loads_done(struct draft *draft);

/* NULL when the worker is not ready. */
struct worker_load *loads_find(const struct loads *loads, const struct weir_id *worker_id);

/* What a worker can tell of in one heartbeat. */
#define LOAD_LEASES_MAX WEIR_EV_HEARTBEAT_LEASES_MAX

/* As cost_of_row, corrected by what such streams really take. */
struct cost loads_cost_of(const struct loads *loads, const struct weir_stream_row *row);

/* ---- cost.c ---- */

/* By what is asked for; `fps` 0: as the camera. */
struct cost cost_of_stream(enum weir_quality quality, int64_t fps);
/* Of one that is placed: by what it is, once the worker told that; what passes as it is, from the
 * camera or as its keyframes alone, costs no more than the source. */
struct cost cost_of_row(const struct weir_stream_row *row);
struct cost cost_of_tap(void);

/* The row's stream is encoded in software, and takes that much. */
void cost_learn(struct cost_learnt *learnt, const struct weir_stream_row *row, int64_t cpu_milli);
/*
 * What a stream of this cost will take: as much more or less of the processor than costs.def says
 * as those of its quality do that run, the more so the more of them there are, between an eighth
 * and four times. What passes as it is stays as it is.
 */
void cost_correct(const struct cost_learnt *learnt, enum weir_quality quality, struct cost *cost);
/* The row's quality, as costs are kept: by what it is, once the worker told that. */
enum weir_quality cost_quality(const struct weir_stream_row *row);
/* As SOURCE with a limit of frames is made. */
enum weir_quality cost_made_quality(enum weir_quality quality, int64_t fps);
void cost_add(struct cost *to, const struct cost *more);

/* ---- load.c ---- */

/* Shares with `extra` on top, encoded in hardware where the worker has room for that; false when
 * one is over the ceiling. `ret` may be NULL. */
bool load_fits(const struct core_config *config, const struct worker_load *load,
               const struct cost *extra, int64_t ret_share_ppm[RESOURCE_N]);

/* The score of DESIGN section 4 over those shares of the same `extra`; lower wins. `is_puller`: it
 * pulls the camera. */
int64_t load_score(const struct core_config *config, const struct worker_load *load,
                   const struct cost *extra, const int64_t share_ppm[RESOURCE_N], bool is_puller);

/* Counts what was placed in this draft. */
void load_reserve(struct worker_load *load, const struct cost *cost);

#endif
