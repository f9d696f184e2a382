/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Emptying a worker that is to go (DESIGN sections 2 and 3). A draining worker takes nothing new;
 * its cameras leave one after the other, a few at a time:
 *
 *     a camera that plays      a second lease on another worker, its streams MIGRATING there
 *     an exclusive one         given up here first, then placed again: it is never pulled twice
 *     one without streams      released
 *
 * Without room elsewhere the streams play on and the worker's reason says so. A worker that holds
 * nothing any more is DRAINED. A drain ends with the life of the worker's process.
 */
#include <string.h>

#include "lib/base/str.h"
#include "scheduler/load.h"

/* ---- who asks ---- */

static bool is_emptied(const struct weir_worker_row *row)
{
    return row->state == WEIR_WORKER_STATE_DRAINING || row->state == WEIR_WORKER_STATE_DRAINED;
}

bool drain_decide(struct draft *draft, const struct weir_ev_command_drain *command)
{
    const struct weir_worker_row *row = weir_ledger_worker(draft->ledger, &command->worker_id);
    if (row == NULL || row->state == WEIR_WORKER_STATE_DEAD ||
        row->state == WEIR_WORKER_STATE_LEFT) {
        return draft_refuse(draft, WEIR_REASON_unknown_worker);
    }
    if (command->is_on == is_emptied(row)) {
        return draft_noop(draft,
                          command->is_on ? WEIR_REASON_already_draining : WEIR_REASON_not_draining);
    }
    enum weir_reason why = command->is_on ? WEIR_REASON_drain_asked : WEIR_REASON_undrain_asked;
    draft_worker(draft, row, command->is_on ? WEIR_WORKER_STATE_DRAINING : WEIR_WORKER_STATE_READY,
                 why);
    return draft_apply(draft, why);
}

bool drain_fact(struct draft *draft, const struct weir_ev_fact_draining *fact)
{
    const struct weir_worker_row *row = weir_ledger_worker(draft->ledger, &fact->worker_id);
    if (!incarnation_is_valid(draft->ledger, &fact->worker_id, fact->incarnation) ||
        is_emptied(row)) {
        return false;
    }
    draft_worker(draft, row, WEIR_WORKER_STATE_DRAINING, WEIR_REASON_shutdown);
    return draft_apply(draft, WEIR_REASON_shutdown);
}

/* ---- one camera ---- */

static bool is_on(const struct weir_stream_row *row, const struct weir_lease_row *lease)
{
    return weir_stream_state_is_placed(row->state) &&
           weir_id_equal(&row->camera_id, &lease->camera_id) &&
           weir_id_equal(&row->worker_id, &lease->worker_id) &&
           row->incarnation == lease->incarnation;
}

static bool can_leave(const struct weir_stream_row *row, const struct weir_lease_row *lease)
{
    return is_on(row, lease) && weir_stream_state_is_live(row->state) &&
           row->state != WEIR_STREAM_STATE_MIGRATING;
}

static bool is_playing(const struct weir_stream_row *row)
{
    return row->state == WEIR_STREAM_STATE_RUNNING || row->state == WEIR_STREAM_STATE_SUSPECT;
}

/* What the camera and all its streams take; false when none of them can leave now. */
static bool sum_costs(struct draft *draft, const struct weir_lease_row *lease, struct cost *ret)
{
    bool any = false;
    *ret = cost_of_tap();
    const struct weir_stream_row *row;
    for (size_t at = 0; weir_ledger_next_stream(draft->ledger, &at, &row);) {
        if (can_leave(row, lease)) {
            const struct cost cost = loads_cost_of(loads_of(draft), row);
            cost_add(ret, &cost);
            any = true;
        }
    }
    return any;
}

/* A stream that does not play yet has nothing to keep up: it is simply placed there. */
static void jump(struct draft *draft, const struct weir_stream_row *row,
                 const struct weir_worker_row *worker)
{
    const struct waiting waiting = {.stream_id = row->stream_id,
                                    .tenant_id = row->tenant_id,
                                    .camera_id = row->camera_id,
                                    .quality = row->quality,
                                    .generation = row->last_generation,
                                    .seq_base = row->seq_base,
                                    .placed_at_ms = row->placed_at_ms};
    const struct placement placement = {.lease = draft_lease_view(draft, &row->camera_id),
                                        .worker = worker};
    draft_stream(draft, row, WEIR_STREAM_STATE_QUEUED, WEIR_REASON_worker_draining);
    place_stream(draft, &waiting, &placement);
}

static void move_streams(struct draft *draft, const struct weir_lease_row *lease,
                         const struct weir_worker_row *worker, int64_t lease_generation)
{
    const struct weir_stream_row *row;
    for (size_t at = 0;
         !draft_is_full(draft) && weir_ledger_next_stream(draft->ledger, &at, &row);) {
        if (!can_leave(row, lease)) {
            continue;
        }
        draft_cause(draft, WEIR_EV_DECISION_KIND_CONTINUATION, WEIR_REASON_worker_draining);
        if (is_playing(row)) {
            move_begin(draft, row, worker, lease_generation);
        } else {
            jump(draft, row, worker);
        }
    }
}

/* Gives the camera up here before anybody else may have it; false while a stream is being stopped,
 * which needs it for a moment still. */
static bool break_first(struct draft *draft, const struct weir_lease_row *lease)
{
    const struct weir_stream_row *row;
    for (size_t at = 0; weir_ledger_next_stream(draft->ledger, &at, &row);) {
        if (is_on(row, lease) && row->state == WEIR_STREAM_STATE_STOPPING) {
            return false;
        }
    }
    draft_cause(draft, WEIR_EV_DECISION_KIND_CONTINUATION, WEIR_REASON_worker_draining);
    for (size_t at = 0;
         !draft_is_full(draft) && weir_ledger_next_stream(draft->ledger, &at, &row);) {
        if (is_on(row, lease) && weir_stream_state_is_live(row->state)) {
            draft_stream(draft, row, WEIR_STREAM_STATE_QUEUED, WEIR_REASON_worker_draining);
        }
    }
    struct lease_view view = draft_lease_view(draft, &lease->camera_id);
    draft_lease(draft, &view, WEIR_LEASE_STATE_RELEASING, WEIR_REASON_worker_draining);
    return true;
}

enum outcome { OUTCOME_NOTHING, OUTCOME_MOVING, OUTCOME_NO_ROOM };

static const struct weir_worker_row *find_target(struct draft *draft, const struct cost *cost,
                                                 const struct seen_move *failed)
{
    const struct weir_worker_row *worker =
        place_pick(draft, cost, failed != NULL ? &failed->worker_id : NULL);
    return worker == NULL && failed != NULL ? place_pick(draft, cost, NULL) : worker;
}

static enum outcome move_camera(struct draft *draft, const struct weir_lease_row *lease)
{
    const struct core_config *config = &draft->core->config;
    const struct seen_move *failed = observations_move(draft->core->seen, &lease->camera_id);
    struct lease_view view = draft_lease_view(draft, &lease->camera_id);
    struct cost cost;
    bool must_pause = failed != NULL && draft->now_ms - failed->failed_ms < config->move_pause_ms;
    if (must_pause || !sum_costs(draft, lease, &cost)) {
        return OUTCOME_NOTHING;
    }
    if (!weir_id_is_nil(&view.second.worker_id)) {
        /* Some of its streams are on their way already; one that faded must end first. */
        const struct weir_worker_row *target =
            weir_ledger_worker(draft->ledger, &view.second.worker_id);
        if (view.second.lease_generation > view.lease_generation &&
            place_is_valid(draft->ledger, &view.second)) {
            move_streams(draft, lease, target, view.second.lease_generation);
        }
        return OUTCOME_NOTHING;
    }
    const struct weir_worker_row *target = find_target(draft, &cost, failed);
    if (target == NULL) {
        return OUTCOME_NO_ROOM;
    }
    if (place_is_exclusive(draft, &lease->camera_id) || (failed != NULL && failed->is_busy)) {
        return break_first(draft, lease) ? OUTCOME_MOVING : OUTCOME_NOTHING;
    }
    view.second = (struct weir_place){.worker_id = target->worker_id,
                                      .incarnation = target->incarnation,
                                      .lease_generation = place_lease_generation(draft, &view),
                                      .placed_at_ms = draft->now_ms};
    draft_cause(draft, WEIR_EV_DECISION_KIND_CONTINUATION, WEIR_REASON_worker_draining);
    draft_lease(draft, &view, WEIR_LEASE_STATE_ACTIVE, WEIR_REASON_worker_draining);
    move_streams(draft, lease, target, view.second.lease_generation);
    return OUTCOME_MOVING;
}

/* ---- one worker ---- */

struct holdings {
    int64_t moving; /* cameras on their way out */
    bool any;       /* it holds something, or something is to come to it */
};

static struct holdings look(const struct draft *draft, const struct weir_worker_row *worker)
{
    struct holdings held = {0};
    const struct weir_id *id = &worker->worker_id;
    const struct weir_lease_row *lease;
    for (size_t at = 0; weir_ledger_next_lease(draft->ledger, &at, &lease);) {
        bool is_first = weir_id_equal(&lease->worker_id, id);
        held.any = held.any || is_first || weir_id_equal(&lease->second.worker_id, id);
        held.moving += is_first && lease->second.lease_generation > lease->lease_generation;
        held.moving += is_first && lease->state == WEIR_LEASE_STATE_RELEASING;
    }
    const struct weir_stream_row *row;
    for (size_t at = 0; !held.any && weir_ledger_next_stream(draft->ledger, &at, &row);) {
        held.any = weir_id_equal(&row->worker_id, id) || weir_id_equal(&row->second.worker_id, id);
    }
    return held;
}

static void release(struct draft *draft, const struct weir_lease_row *lease)
{
    struct lease_view view = draft_lease_view(draft, &lease->camera_id);
    view.second = (struct weir_place){.generation = 0};
    draft_cause(draft, WEIR_EV_DECISION_KIND_CONTINUATION, WEIR_REASON_worker_draining);
    draft_lease(draft, &view, WEIR_LEASE_STATE_RELEASING, WEIR_REASON_worker_draining);
}

/* Says once that the drain waits for room, and once that it goes on. */
static void say(struct draft *draft, const struct weir_worker_row *worker, bool is_stuck)
{
    const char *stuck = weir_reason_name(WEIR_REASON_no_capacity);
    bool was_stuck = strcmp(worker->reason, stuck) == 0;
    if (was_stuck != is_stuck && !draft_is_full(draft)) {
        enum weir_reason why = is_stuck ? WEIR_REASON_no_capacity : WEIR_REASON_worker_draining;
        draft_cause(draft, WEIR_EV_DECISION_KIND_TIMER, why);
        draft_worker(draft, worker, WEIR_WORKER_STATE_DRAINING, why);
    }
}

static void drain(struct draft *draft, const struct weir_worker_row *worker)
{
    struct holdings held = look(draft, worker);
    if (!held.any) {
        draft_cause(draft, WEIR_EV_DECISION_KIND_CONTINUATION, WEIR_REASON_worker_drained);
        draft_worker(draft, worker, WEIR_WORKER_STATE_DRAINED, WEIR_REASON_worker_drained);
        return;
    }
    bool is_stuck = false;
    const struct weir_lease_row *lease;
    for (size_t at = 0;
         !draft_is_full(draft) && weir_ledger_next_lease(draft->ledger, &at, &lease);) {
        if (!weir_id_equal(&lease->worker_id, &worker->worker_id)) {
            continue;
        }
        bool is_unused =
            lease->state == WEIR_LEASE_STATE_LINGERING || lease->state == WEIR_LEASE_STATE_WARM;
        bool may_begin = held.moving < draft->core->config.moves_max ||
                         !weir_id_is_nil(&lease->second.worker_id);
        if (is_unused) {
            release(draft, lease);
        } else if (lease->state == WEIR_LEASE_STATE_ACTIVE && may_begin) {
            enum outcome outcome = move_camera(draft, lease);
            held.moving += outcome == OUTCOME_MOVING;
            is_stuck = is_stuck || outcome == OUTCOME_NO_ROOM;
        }
    }
    say(draft, worker, is_stuck);
}

/* ---- moves whose reason is gone ---- */

static bool is_moving(const struct draft *draft, const struct weir_lease_row *lease)
{
    const struct weir_stream_row *row;
    for (size_t at = 0; weir_ledger_next_stream(draft->ledger, &at, &row);) {
        if (row->state == WEIR_STREAM_STATE_MIGRATING &&
            weir_id_equal(&row->camera_id, &lease->camera_id)) {
            return true;
        }
    }
    return false;
}

/* The streams that went ahead come back to the others: the worker they went to is drained now. */
static void turn_round(struct draft *draft, const struct weir_lease_row *lease)
{
    struct lease_view view = draft_lease_view(draft, &lease->camera_id);
    const struct weir_place first = {.worker_id = view.worker_id,
                                     .incarnation = view.incarnation,
                                     .lease_generation = place_lease_generation(draft, &view),
                                     .placed_at_ms = draft->now_ms};
    view.worker_id = view.second.worker_id;
    view.incarnation = view.second.incarnation;
    view.lease_generation = view.second.lease_generation;
    view.second = first;
    draft_cause(draft, WEIR_EV_DECISION_KIND_CONTINUATION, WEIR_REASON_worker_draining);
    draft_lease(draft, &view, WEIR_LEASE_STATE_ACTIVE, WEIR_REASON_worker_draining);
}

/* A drain was taken back when only some of a camera's streams had moved: they all go one way. */
static void reunite(struct draft *draft, const struct weir_lease_row *lease)
{
    const struct weir_worker_row *first = weir_ledger_worker(draft->ledger, &lease->worker_id);
    bool is_split = lease->state == WEIR_LEASE_STATE_ACTIVE &&
                    lease->second.lease_generation > lease->lease_generation &&
                    place_is_valid(draft->ledger, &lease->second);
    if (!is_split || first == NULL || first->state != WEIR_WORKER_STATE_READY) {
        return;
    }
    const struct weir_worker_row *second =
        weir_ledger_worker(draft->ledger, &lease->second.worker_id);
    if (second->state == WEIR_WORKER_STATE_READY) {
        move_camera(draft, lease);
    } else if (is_emptied(second) && !is_moving(draft, lease)) {
        turn_round(draft, lease);
    }
}

void drain_due(struct draft *draft)
{
    const struct weir_lease_row *lease;
    for (size_t at = 0;
         !draft_is_full(draft) && weir_ledger_next_lease(draft->ledger, &at, &lease);) {
        reunite(draft, lease);
    }
    const struct weir_worker_row *worker;
    for (size_t at = 0;
         !draft_is_full(draft) && weir_ledger_next_worker(draft->ledger, &at, &worker);) {
        if (worker->state == WEIR_WORKER_STATE_DRAINING) {
            drain(draft, worker);
        }
    }
}
