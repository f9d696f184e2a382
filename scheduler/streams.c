/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams that no longer fit what else is true: their worker died or fell silent, their camera is
 * gone, a stop was not confirmed, or the worker does not report them. Level-triggered: looks at
 * what is, not at what happened, so nothing can be missed.
 */
#include "scheduler/core_rules.h"

/* What the worker ran is void: back to the queue, or gone where it was to stop anyway. */
static void take_back(struct draft *draft, const struct weir_stream_row *row)
{
    enum weir_reason why = incarnation_why_void(draft->ledger, &row->worker_id, row->incarnation);
    draft_cause(draft, WEIR_EV_DECISION_KIND_CONTINUATION, why);
    draft_stream(draft, row,
                 row->state == WEIR_STREAM_STATE_STOPPING ? WEIR_STREAM_STATE_STOPPED
                                                          : WEIR_STREAM_STATE_QUEUED,
                 why);
}

/* One of the two places is void: what is left of the move is the other one. */
static void take_back_half(struct draft *draft, const struct weir_stream_row *row)
{
    bool is_first_void = !incarnation_is_valid(draft->ledger, &row->worker_id, row->incarnation);
    const struct weir_id *gone = is_first_void ? &row->worker_id : &row->second.worker_id;
    enum weir_reason why = incarnation_why_void(
        draft->ledger, gone, is_first_void ? row->incarnation : row->second.incarnation);
    draft_cause(draft, WEIR_EV_DECISION_KIND_CONTINUATION, why);
    if (is_first_void) {
        move_switch(draft, row, WEIR_STREAM_STATE_STARTING, why);
    } else {
        move_give_up(draft, row, why);
    }
}

static void judge_moving(struct draft *draft, const struct weir_stream_row *row)
{
    bool is_first_valid = incarnation_is_valid(draft->ledger, &row->worker_id, row->incarnation);
    bool is_second_valid = place_is_valid(draft->ledger, &row->second);
    if (!is_first_valid && !is_second_valid) {
        take_back(draft, row);
    } else if (!is_first_valid || !is_second_valid) {
        take_back_half(draft, row);
    } else if (draft->now_ms - row->second.placed_at_ms >= draft->core->config.move_ms) {
        draft_cause(draft, WEIR_EV_DECISION_KIND_TIMER, WEIR_REASON_migration_late);
        move_give_up(draft, row, WEIR_REASON_migration_late);
    }
}

static void follow_worker(struct draft *draft, const struct weir_stream_row *row)
{
    const struct weir_worker_row *worker = weir_ledger_worker(draft->ledger, &row->worker_id);
    bool is_silent = worker->state == WEIR_WORKER_STATE_SUSPECT;
    if (is_silent && row->state == WEIR_STREAM_STATE_RUNNING) {
        draft_cause(draft, WEIR_EV_DECISION_KIND_CONTINUATION, WEIR_REASON_worker_silent);
        draft_stream(draft, row, WEIR_STREAM_STATE_SUSPECT, WEIR_REASON_worker_silent);
    } else if (!is_silent && row->state == WEIR_STREAM_STATE_SUSPECT) {
        draft_cause(draft, WEIR_EV_DECISION_KIND_CONTINUATION, WEIR_REASON_worker_heard);
        draft_stream(draft, row, WEIR_STREAM_STATE_RUNNING, WEIR_REASON_worker_heard);
    }
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The worker is heard, but does not speak of a stream that it should have. */
static bool is_lost(const struct draft *draft, const struct weir_stream_row *row)
{
    const struct observations *seen = draft->core->seen;
    const struct weir_worker_row *worker = weir_ledger_worker(draft->ledger, &row->worker_id);
    const struct seen_worker *heard = observations_worker(seen, &row->worker_id);
    bool is_heard = observations_are_live(seen, draft->now_ms) && heard != NULL &&
                    heard->has_load && heard->incarnation == row->incarnation &&
                    draft->now_ms - heard->heard_ms < draft->core->config.suspect_ms;
    if (!is_heard || worker->state == WEIR_WORKER_STATE_SUSPECT) {
        return false;
    }
    const struct seen_run *run = observations_run(seen, &row->stream_id, row->generation);
    int64_t listed_ms = run != NULL ? run->listed_ms : 0;
    int64_t from_ms = max(max(listed_ms, row->placed_at_ms), observations_since(seen));
    return draft->now_ms - from_ms >= draft->core->config.lost_ms;
}

static bool is_starting(const struct weir_stream_row *row)
{
    return row->state == WEIR_STREAM_STATE_PLACED || row->state == WEIR_STREAM_STATE_STARTING;
}

/* Nobody waits for ever: a stream that nobody asks for any more leaves the queue with a record, as
 * one that never came to play, or as one that nobody watches. */
static void judge_queued(struct draft *draft, const struct weir_stream_row *row)
{
    if (draft->now_ms - idle_wanted_at(draft, row) < draft->core->config.queue_ms) {
        return;
    }
    bool was_never_placed = row->placed_at_ms < row->queued_at_ms || row->generation == 0;
    enum weir_reason why = was_never_placed ? WEIR_REASON_start_expired : WEIR_REASON_idle;
    draft_cause(draft, WEIR_EV_DECISION_KIND_TIMER, why);
    draft_stream(draft, row,
                 was_never_placed ? WEIR_STREAM_STATE_EXPIRED : WEIR_STREAM_STATE_STOPPED, why);
}

static void judge_placed(struct draft *draft, const struct weir_stream_row *row)
{
    if (row->state == WEIR_STREAM_STATE_MIGRATING) {
        judge_moving(draft, row);
    } else if (!incarnation_is_valid(draft->ledger, &row->worker_id, row->incarnation)) {
        take_back(draft, row);
    } else if (row->state == WEIR_STREAM_STATE_STOPPING) {
        if (draft->now_ms - row->changed_at_ms >= draft->core->config.stop_ms) {
            draft_cause(draft, WEIR_EV_DECISION_KIND_TIMER, WEIR_REASON_no_answer);
            draft_stream(draft, row, WEIR_STREAM_STATE_STOPPED, WEIR_REASON_no_answer);
        }
    } else if (is_starting(row) &&
               draft->now_ms - row->changed_at_ms >= draft->core->config.start_ms) {
        draft_cause(draft, WEIR_EV_DECISION_KIND_TIMER, WEIR_REASON_start_late);
        draft_stream(draft, row, WEIR_STREAM_STATE_QUEUED, WEIR_REASON_start_late);
    } else if (is_lost(draft, row)) {
        draft_cause(draft, WEIR_EV_DECISION_KIND_HEARTBEAT, WEIR_REASON_lost);
        draft_stream(draft, row, WEIR_STREAM_STATE_QUEUED, WEIR_REASON_lost);
    } else {
        follow_worker(draft, row);
    }
}

static void end_gone(struct draft *draft, const struct weir_stream_row *row)
{
    const struct seen_tenant *tenant = observations_tenant(draft->core->seen, &row->tenant_id);
    enum weir_reason why = tenant != NULL && tenant->is_deleted ? WEIR_REASON_tenant_deleted
                                                                : WEIR_REASON_camera_deleted;
    draft_cause(draft, WEIR_EV_DECISION_KIND_CONFIG, why);
    draft_stream(draft, row,
                 row->state == WEIR_STREAM_STATE_QUEUED ? WEIR_STREAM_STATE_STOPPED
                                                        : WEIR_STREAM_STATE_STOPPING,
                 why);
}

void streams_due(struct draft *draft)
{
    const struct weir_stream_row *row;
    for (size_t at = 0;
         !draft_is_full(draft) && weir_ledger_next_stream(draft->ledger, &at, &row);) {
        if (weir_stream_state_is_live(row->state) &&
            observations_is_gone(draft->core->seen, &row->tenant_id, &row->camera_id)) {
            end_gone(draft, row);
        } else if (row->state == WEIR_STREAM_STATE_QUEUED) {
            judge_queued(draft, row);
        } else if (weir_stream_state_is_placed(row->state)) {
            judge_placed(draft, row);
        }
    }
}
