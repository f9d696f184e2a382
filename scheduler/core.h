/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler's core: rules without I/O, clock, randomness of the machine or floating point
 * (DESIGN sections 2 to 4). The same ledger, observations, input and time give the same decision.
 *
 * Two kinds of state come in, and neither is changed by deciding:
 *   ledger         the fold of the decision log; the caller applies each decision to it at once
 *   observations   what heartbeats, viewers and configuration told (scheduler/observe.h); rebuilt
 *                  from live input by each leader, kept in `core`
 *
 *     core_observe(core, event, now_ms);                     every record of every input topic
 *     if (core_input(core, ledger, &input, now_ms, arena, &decision)) append(&decision);
 *     while (core_due(core, ledger, now_ms, arena, &decision)) append(&decision);
 *
 * The caller fills instance, epoch, cell and ledger_hash. `now_ms` is cell time.
 *
 * Where later rules go: classes and fair shares into the order of queue.c, preemption beside it;
 * the record's shape already carries what they need.
 */
#ifndef SCHEDULER_CORE_H
#define SCHEDULER_CORE_H

#include "lib/base/arena.h"
#include "lib/domain/ledger.h"

struct core_config {
    uint64_t seed;
    int64_t ceiling_ppm;      /* of each resource of a worker, all in all */
    int64_t warm_ceiling_ppm; /* the same, for cameras that nobody watches; at most ceiling_ppm */
    int64_t weight_cpu;       /* of the shares in the score, any scale */
    int64_t weight_mem;       /* - */
    int64_t weight_net;       /* - */
    int64_t weight_gpu;       /* - */
    int64_t queue_max;        /* streams that may wait */
    int64_t renditions_max;   /* of a camera at once, beside itself */
    int64_t tap_linger_ms;    /* a lease without streams ends after this */
    int64_t suspect_ms;       /* silence of a worker */
    int64_t dead_ms;          /* silence after which its incarnation is void; > suspect_ms */
    int64_t hold_ms;          /* how long many silent workers at once are taken for a partition */
    int64_t stop_ms;          /* a stop not confirmed for this long counts as done */
    int64_t lost_ms;          /* a placed stream missing from heartbeats for this long is lost */
    int64_t replace_pause_ms; /* least time between placements of a stream that ended by itself */
    int64_t exclusive_ms;     /* as dead_ms, for giving away a camera that is never pulled twice */
    int64_t queue_ms;         /* a stream that nobody asked for so long leaves the queue */
    int64_t start_ms;         /* a placed stream that does not start so long is placed again */
    int64_t flap_half_ms;     /* half-life of the penalty for a death */
    int64_t moves_max;        /* cameras that leave a draining worker at the same time */
    int64_t move_ms;          /* a move that takes longer is given up; below the 60 s of DESIGN 5 */
    int64_t move_pause_ms;    /* before a camera whose move failed is moved again */
    int64_t fade_ms;          /* how long the old worker still serves its last segments */
};

/* What DESIGN and notes name; settings may change it. */
extern const struct core_config core_defaults;

struct core;

/* `now_ms`: observations begin here; every worker gets its full time to be heard. */
struct core *core_new(const struct core_config *config, int64_t now_ms);
void core_free(struct core *core); /* NULL is fine */

/* Notes what a record tells; any type, others are ignored. */
void core_observe(struct core *core, const struct weir_event *event, int64_t now_ms);

/*
 * Heartbeats were read to the end of their topic at `now_ms`. Without this nobody is judged silent:
 * a deaf scheduler declares nobody dead. After a gap idle times and silences start anew.
 */
void core_inputs_live(struct core *core, int64_t now_ms);

struct core_input {
    const struct weir_event *event; /* a command or a fact */
    int64_t offset;
    int64_t age_ms; /* how long it lay in its topic, see scheduler/cell_clock.h */
};

/*
 * Decides about a command or a fact. A command always gives a decision, refusals and no-ops
 * included; a fact that changes nothing gives none. `ret` and its effects live in `arena`.
 */
bool core_input(struct core *core, const struct weir_ledger *ledger, const struct core_input *input,
                int64_t now_ms, struct weir_arena *arena, struct weir_ev_decision *ret);

/* The next decision that is due by time or follows from earlier ones; false when nothing is. */
bool core_due(struct core *core, const struct weir_ledger *ledger, int64_t now_ms,
              struct weir_arena *arena, struct weir_ev_decision *ret);

/* What the worker's newest heartbeat told of its encoders in hardware, as of
 * weir_encoders_format, into `text` of WEIR_ENCODERS_TEXT_MAX; "": it has none. */
const char *core_encoders(const struct core *core, const struct weir_id *worker_id, char *text);

/* Placement score of a worker without a new stream, in ppm; lower is better. -1: takes nothing. */
int64_t core_score(struct core *core, const struct weir_ledger *ledger,
                   const struct weir_id *worker_id, struct weir_arena *arena);

#endif
