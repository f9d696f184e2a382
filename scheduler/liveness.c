/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which workers are silent, dead, or heard again. A hard time decides about death, never a guess; a
 * scheduler whose own inputs do not advance declares nobody silent, and many silent workers at once
 * are taken for a partition first (DESIGN section 4).
 */
#include "scheduler/core_rules.h"

#define HOLD_MIN_WORKERS 3
#define HOLD_PERCENT     30

static bool is_up(const struct weir_worker_row *row)
{
    return row->state == WEIR_WORKER_STATE_READY || row->state == WEIR_WORKER_STATE_SUSPECT ||
           row->state == WEIR_WORKER_STATE_DRAINING || row->state == WEIR_WORKER_STATE_DRAINED;
}

/* It takes nothing anyway: it is not suspected, only found dead. */
static bool is_emptied(const struct weir_worker_row *row)
{
    return row->state == WEIR_WORKER_STATE_DRAINING || row->state == WEIR_WORKER_STATE_DRAINED;
}

/* When the present incarnation was heard; 0: not since these observations began. */
static int64_t heard_at(const struct draft *draft, const struct weir_worker_row *row)
{
    const struct seen_worker *seen = observations_worker(draft->core->seen, &row->worker_id);
    return seen != NULL && seen->incarnation == row->incarnation ? seen->heard_ms : 0;
}

static int64_t silence(const struct draft *draft, const struct weir_worker_row *row)
{
    int64_t heard_ms = heard_at(draft, row);
    int64_t since_ms = observations_since(draft->core->seen);
    return draft->now_ms - (heard_ms > since_ms ? heard_ms : since_ms);
}

/* Whether death is held back since too many are silent at once. */
static bool is_held(struct draft *draft)
{
    struct core *core = draft->core;
    int64_t n_up = 0;
    int64_t n_silent = 0;
    const struct weir_worker_row *row;
    for (size_t at = 0; weir_ledger_next_worker(draft->ledger, &at, &row);) {
        n_up += is_up(row);
        n_silent += is_up(row) && silence(draft, row) >= core->config.suspect_ms;
    }
    if (n_silent < HOLD_MIN_WORKERS || n_silent * 100 <= n_up * HOLD_PERCENT) {
        core->hold_since_ms = 0;
        return false;
    }
    if (core->hold_since_ms == 0) {
        core->hold_since_ms = draft->now_ms;
    }
    return draft->now_ms - core->hold_since_ms < core->config.hold_ms;
}

static void judge(struct draft *draft, const struct weir_worker_row *row, bool is_death_held)
{
    const struct core_config *config = &draft->core->config;
    int64_t silent_ms = silence(draft, row);
    int64_t heard_ms = heard_at(draft, row);
    bool is_suspect = row->state == WEIR_WORKER_STATE_SUSPECT;
    if (is_suspect && heard_ms != 0 && draft->now_ms - heard_ms < config->suspect_ms) {
        draft_cause(draft, WEIR_EV_DECISION_KIND_HEARTBEAT, WEIR_REASON_worker_heard);
        draft_worker(draft, row, WEIR_WORKER_STATE_READY, WEIR_REASON_worker_heard);
    } else if (is_suspect || is_emptied(row)) {
        if (silent_ms >= config->dead_ms && !is_death_held) {
            draft_cause(draft, WEIR_EV_DECISION_KIND_TIMER, WEIR_REASON_worker_dead);
            draft_worker(draft, row, WEIR_WORKER_STATE_DEAD, WEIR_REASON_worker_dead);
            observations_flapped(draft->core->seen, &row->worker_id, config->flap_half_ms,
                                 draft->now_ms);
        }
    } else if (is_up(row) && silent_ms >= config->suspect_ms) {
        draft_cause(draft, WEIR_EV_DECISION_KIND_TIMER, WEIR_REASON_worker_silent);
        draft_worker(draft, row, WEIR_WORKER_STATE_SUSPECT, WEIR_REASON_worker_silent);
    }
}

void liveness_due(struct draft *draft)
{
    if (!observations_are_live(draft->core->seen, draft->now_ms)) {
        return;
    }
    bool is_death_held = is_held(draft);
    const struct weir_worker_row *row;
    for (size_t at = 0;
         !draft_is_full(draft) && weir_ledger_next_worker(draft->ledger, &at, &row);) {
        judge(draft, row, is_death_held);
    }
}
