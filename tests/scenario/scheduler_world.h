/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world of a scheduler scenario: a core, its ledger, a log of what it decided, and a clock that
 * only the script moves. Every decision goes through the codec and is printed.
 */
#ifndef TESTS_SCENARIO_SCHEDULER_WORLD_H
#define TESTS_SCENARIO_SCHEDULER_WORLD_H

#include <stdio.h>

#include "lib/base/map.h"
#include "scheduler/core.h"

#define WORLD_T0 ((int64_t)1750000000000)

struct world_record {
    char *bytes;
    size_t len;
};

#define WORLD_ENGINES_MAX 8

/* What a worker's heartbeats tell of its encoder in hardware. */
struct world_engine {
    struct weir_id worker_id;
    struct weir_ev_heartbeat_encoding_encoders told;
};

struct world {
    FILE *out;
    struct world_engine engines[WORLD_ENGINES_MAX];
    size_t n_engines;
    struct weir_map *takes; /* stream_id -> int64_t, thousandths of a core that heartbeats tell */
    struct core_config config;
    struct core *core;
    struct weir_ledger *ledger;
    struct weir_map *names; /* id -> its name in the script */
    struct world_record *log;
    size_t n_log;
    struct weir_event *configs; /* compacted configuration, given again to a new leader */
    size_t n_configs;
    int64_t now_ms;
    int64_t commands_next;
    int64_t facts_next;
    int64_t heartbeat_seq;
    int64_t age_ms; /* of the next input, which sets it back to 0 */
    bool is_deaf;   /* inputs do not advance */
};

struct world *world_new(FILE *out);
void world_free(struct world *world);

/* The id that a script's name stands for; the same name is the same id. */
struct weir_id world_id(struct world *world, const char *name);
const char *world_name(const struct world *world, const struct weir_id *id);

/* Hands an event to the core and prints what it decides; commands and facts get the next offset. */
void world_input(struct world *world, const struct weir_event *event);
/* Heartbeat with what the ledger places on the worker, except `without` (may be NULL). */
void world_beat(struct world *world, const struct weir_id *worker_id, const struct weir_id *without,
                int64_t cpu_used);
/* Everything due now. */
void world_due(struct world *world);
/* A new leader: observations are gone, the ledger is folded from the log. */
void world_takeover(struct world *world);
void world_show(struct world *world);
/* Whether a checkpoint of the ledger and the fold of the whole log equal it; prints it. */
bool world_check(struct world *world);

#endif
