/* SPDX-License-Identifier: Apache-2.0 */
/* Stopping on request. */
#include <string.h>

#include "lib/base/str.h"
#include "scheduler/core_rules.h"

bool stop_decide(struct draft *draft, const struct weir_ev_command_stop *command)
{
    const struct weir_stream_row *row = weir_ledger_stream(draft->ledger, &command->stream_id);
    if (row == NULL || !weir_id_equal(&row->tenant_id, &command->tenant_id)) {
        return draft_refuse(draft, WEIR_REASON_unknown_stream);
    }
    if (weir_stream_state_is_final(row->state)) {
        return draft_noop(draft, WEIR_REASON_already_stopped);
    }
    bool is_idle_stop = strcmp(row->reason, weir_reason_name(WEIR_REASON_idle)) == 0;
    if (row->state == WEIR_STREAM_STATE_STOPPING && !is_idle_stop) {
        return draft_noop(draft, WEIR_REASON_already_stopping);
    }
    /* A stop for idleness becomes one on request: a late viewer no longer brings it back. */
    enum weir_stream_state to = row->state == WEIR_STREAM_STATE_QUEUED ? WEIR_STREAM_STATE_STOPPED
                                                                       : WEIR_STREAM_STATE_STOPPING;
    struct weir_ev_decision_effects *e = draft_stream(draft, row, to, WEIR_REASON_stop_asked);
    WEIR_STR_SET(e->reason, command->reason);
    draft_apply(draft, WEIR_REASON_stop_asked);
    WEIR_STR_SET(draft->decision->reason, command->reason);
    return true;
}
