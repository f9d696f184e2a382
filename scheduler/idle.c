/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reaper proposes, this file decides (DESIGN section 3, Idle): a proposal is refused when newer
 * activity is known here. Idle time starts anew where the inputs had a gap.
 */
#include "scheduler/core_rules.h"

/* The reaper and the scheduler receive the same record at slightly different times. */
#define SLACK_MS 1000

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t idle_wanted_at(const struct draft *draft, const struct weir_stream_row *row)
{
    const struct seen_stream *seen = observations_stream(draft->core->seen, &row->stream_id);
    int64_t at_ms = observations_since(draft->core->seen);
    at_ms = max(at_ms, row->queued_at_ms);
    at_ms = max(at_ms, row->placed_at_ms);
    return seen == NULL ? at_ms : max(at_ms, seen->activity_ms);
}

bool idle_decide(struct draft *draft, const struct weir_ev_command_idle *command)
{
    const struct weir_stream_row *row = weir_ledger_stream(draft->ledger, &command->stream_id);
    if (row == NULL || !weir_id_equal(&row->tenant_id, &command->tenant_id)) {
        return draft_refuse(draft, WEIR_REASON_unknown_stream);
    }
    if (row->state == WEIR_STREAM_STATE_STOPPING) {
        return draft_noop(draft, WEIR_REASON_already_stopping);
    }
    if (!weir_stream_state_is_live(row->state)) {
        return draft_noop(draft, WEIR_REASON_already_stopped);
    }
    if (command->generation != row->generation) {
        return draft_refuse(draft, WEIR_REASON_stale_generation);
    }
    if (draft->now_ms - idle_wanted_at(draft, row) + SLACK_MS < command->timeout_ms) {
        return draft_refuse(draft, WEIR_REASON_watched);
    }
    draft_stream(draft, row,
                 row->state == WEIR_STREAM_STATE_QUEUED ? WEIR_STREAM_STATE_STOPPED
                                                        : WEIR_STREAM_STATE_STOPPING,
                 WEIR_REASON_idle);
    return draft_apply(draft, WEIR_REASON_idle);
}
