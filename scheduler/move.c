/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream that moves: make before break (DESIGN section 3, MIGRATING). While it moves, the row's
 * own worker and generation are what viewers get; `second` is where the next generation comes up.
 * When that one plays, the stream is there, and the old worker fades out with the camera's old
 * lease (leases.c).
 */
#include "scheduler/core_rules.h"

void move_begin(struct draft *draft, const struct weir_stream_row *row,
                const struct weir_worker_row *worker, int64_t lease_generation)
{
    const struct waiting past = {.generation = row->last_generation,
                                 .seq_base = row->seq_base,
                                 .placed_at_ms = row->placed_at_ms};
    struct weir_ev_decision_effects *e =
        draft_stream(draft, row, WEIR_STREAM_STATE_MIGRATING, WEIR_REASON_worker_draining);
    e->has_second = true;
    e->second = place_next(draft, &past, worker, lease_generation);
}

void move_switch(struct draft *draft, const struct weir_stream_row *row, enum weir_stream_state to,
                 enum weir_reason reason)
{
    const struct weir_place *second = &row->second;
    struct weir_ev_decision_effects *e = draft_stream(draft, row, to, reason);
    e->has_worker_id = e->has_incarnation = e->has_generation = e->has_lease_generation = true;
    e->worker_id = second->worker_id;
    e->incarnation = second->incarnation;
    e->generation = second->generation;
    e->lease_generation = second->lease_generation;
    e->has_seq_base = e->has_placed_at_ms = true;
    e->seq_base = second->seq_base;
    e->placed_at_ms = second->placed_at_ms;
}

void move_give_up(struct draft *draft, const struct weir_stream_row *row, enum weir_reason reason)
{
    observations_move_failed(draft->core->seen, &row->camera_id, &row->second.worker_id,
                             draft->now_ms);
    draft_stream(draft, row, WEIR_STREAM_STATE_RUNNING, reason);
}
