/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the core: the draft of a decision that the rules fill, and the rules, one file each.
 */
#ifndef SCHEDULER_CORE_RULES_H
#define SCHEDULER_CORE_RULES_H

#include "lib/domain/reason.h"
#include "lib/domain/stream_state.h"
#include "scheduler/core.h"
#include "scheduler/observe.h"

struct core {
    struct core_config config;
    struct observations *seen;
    uint64_t random;       /* state of the generator */
    int64_t hold_since_ms; /* many workers are silent at once; 0: no */
    int64_t swept_ms;      /* observations were last swept */
    bool is_changed;       /* something happened that more than time may follow from */
    int64_t looked_ms;     /* all rows were last looked at */
};

/* Everything a rule may look at, and the decision it writes. */
struct draft {
    struct core *core;
    const struct weir_ledger *ledger;
    int64_t now_ms;
    int64_t age_ms; /* of the input */
    struct weir_arena *arena;
    struct weir_ev_decision *decision;
    struct loads *loads; /* made when first needed; counts what this draft places */
};

/* An effect needs at most this many fellows in the same record: a placement with its lease. */
#define DRAFT_ROOM 4

void draft_init(struct draft *draft, struct core *core, const struct weir_ledger *ledger,
                int64_t now_ms, struct weir_arena *arena, struct weir_ev_decision *ret);
bool draft_is_full(const struct draft *draft);
bool draft_is_empty(const struct draft *draft);

/* What became of the input. Return true, for `return draft_refuse(...)`. */
bool draft_apply(struct draft *draft, enum weir_reason reason);
bool draft_noop(struct draft *draft, enum weir_reason reason);
bool draft_refuse(struct draft *draft, enum weir_reason reason);

/* The kind and reason of a decision without an input, set by the first rule that adds an effect. */
void draft_cause(struct draft *draft, enum weir_ev_decision_kind kind, enum weir_reason reason);

/* Adds an effect; the result may be filled further. `row` is the row before this draft. */
struct weir_ev_decision_effects *draft_stream(struct draft *draft,
                                              const struct weir_stream_row *row,
                                              enum weir_stream_state to, enum weir_reason reason);
struct weir_ev_decision_effects *draft_worker(struct draft *draft,
                                              const struct weir_worker_row *row,
                                              enum weir_worker_state to, enum weir_reason reason);

/* A camera's lease as it is after this draft; worker_id nil and state none when there is none. */
struct lease_view {
    struct weir_id camera_id;
    struct weir_id tenant_id;
    struct weir_id worker_id;
    int64_t incarnation;
    int64_t lease_generation;
    struct weir_place second; /* worker nil: none */
    enum weir_lease_state state;
};
struct lease_view draft_lease_view(const struct draft *draft, const struct weir_id *camera_id);
struct weir_ev_decision_effects *draft_lease(struct draft *draft, const struct lease_view *lease,
                                             enum weir_lease_state to, enum weir_reason reason);

/* Whether there is a place, and it is on that incarnation of that worker. */
bool worker_is_at(const struct weir_place *place, const struct weir_id *worker_id,
                  int64_t incarnation);
/* Whether there is a place, and what runs there is not void. */
bool place_is_valid(const struct weir_ledger *ledger, const struct weir_place *place);

/* Whether (worker, incarnation) is the present incarnation of a worker that is not dead or gone. */
bool incarnation_is_valid(const struct weir_ledger *ledger, const struct weir_id *worker_id,
                          int64_t incarnation);
/* Why it is not. */
enum weir_reason incarnation_why_void(const struct weir_ledger *ledger,
                                      const struct weir_id *worker_id, int64_t incarnation);

/* ---- place.c: where ---- */

struct placement {
    struct lease_view lease;
    const struct weir_worker_row *worker;
};

/* Finds a worker for one more stream of the camera; the reason why not otherwise. */
bool place_find(struct draft *draft, const struct weir_id *camera_id, enum weir_quality quality,
                int64_t fps, struct placement *ret, enum weir_reason *ret_why);
/* Whether any worker has room for such a stream and for its camera besides. */
bool place_has_room(struct draft *draft, enum weir_quality quality, int64_t fps);
/* Finds a worker for the bare lease of a warm camera: one that keeps room for what is watched. */
bool place_find_warm(struct draft *draft, const struct weir_worker_row **ret);

/* A stream that stands in the queue after this draft's effects, as far as placing needs it. */
struct waiting {
    struct weir_id stream_id;
    struct weir_id tenant_id;
    struct weir_id camera_id;
    enum weir_quality quality;
    int64_t generation;   /* the newest ever given, 0: never placed */
    int64_t seq_base;     /* of the last placement */
    int64_t placed_at_ms; /* of the last placement */
};
/* Adds the effects that put it there. */
void place_stream(struct draft *draft, const struct waiting *waiting,
                  const struct placement *placement);

/* The place of a stream that has `waiting`'s past on a worker and its lease. */
struct weir_place place_next(const struct draft *draft, const struct waiting *waiting,
                             const struct weir_worker_row *worker, int64_t lease_generation);
/* A newer lease generation than all that the camera's lease had. */
int64_t place_lease_generation(const struct draft *draft, const struct lease_view *lease);
/* Room for so much more than the estimates say already; reserves it. NULL: nowhere. */
struct cost;
const struct weir_worker_row *place_pick(struct draft *draft, const struct cost *cost,
                                         const struct weir_id *avoid);
/* The lease of a dead worker on a camera that is never pulled twice: the worker may still do it, it
 * stops by itself after a while (DESIGN section 4). */
bool place_is_fenced(const struct draft *draft, const struct lease_view *lease);
bool place_is_exclusive(const struct draft *draft, const struct weir_id *camera_id);

/* ---- move.c: a stream on two workers for a moment ---- */

/* Starts the next generation beside the one that plays. */
void move_begin(struct draft *draft, const struct weir_stream_row *row,
                const struct weir_worker_row *worker, int64_t lease_generation);
/* The second place becomes the only one: the stream is `to` there. */
void move_switch(struct draft *draft, const struct weir_stream_row *row, enum weir_stream_state to,
                 enum weir_reason reason);
/* The second place is given up; the stream plays on where it was. */
void move_give_up(struct draft *draft, const struct weir_stream_row *row, enum weir_reason reason);

/* ---- inputs ---- */

bool admit_start(struct draft *draft, const struct weir_ev_command_start *command);
bool stop_decide(struct draft *draft, const struct weir_ev_command_stop *command);
bool drain_decide(struct draft *draft, const struct weir_ev_command_drain *command);
/* When somebody last wanted the stream, as far as is known here. */
int64_t idle_wanted_at(const struct draft *draft, const struct weir_stream_row *row);
bool idle_decide(struct draft *draft, const struct weir_ev_command_idle *command);
bool drain_fact(struct draft *draft, const struct weir_ev_fact_draining *fact);
bool facts_decide(struct draft *draft, const struct weir_event *event, int64_t offset);

/* ---- what is due; each adds effects to an empty draft until it is full ---- */

void liveness_due(struct draft *draft);
void streams_due(struct draft *draft);
void drain_due(struct draft *draft);
void leases_due(struct draft *draft);
void queue_due(struct draft *draft);

#endif
