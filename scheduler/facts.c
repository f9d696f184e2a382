/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What workers report. A fact counts only for the incarnation and the generation it names; one that
 * changes nothing gives no decision and may be read again after a restart.
 */
#include <string.h>

#include "lib/base/str.h"
#include "scheduler/core_rules.h"

/* ---- workers ---- */

static void fill_worker(struct weir_ev_decision_effects *e, const struct weir_ev_fact_joined *fact,
                        int64_t offset)
{
    e->incarnation = offset;
    e->has_boot_id = e->has_origin_url = e->has_site = e->has_capacity = e->has_streams_max = true;
    e->boot_id = fact->boot_id;
    WEIR_STR_SET(e->origin_url, fact->origin_url);
    WEIR_STR_SET(e->site, fact->site);
    e->capacity = fact->capacity;
    e->streams_max = fact->streams_max;
}

static bool joined(struct draft *draft, const struct weir_ev_fact_joined *fact, int64_t offset)
{
    const struct weir_worker_row *row = weir_ledger_worker(draft->ledger, &fact->worker_id);
    if (row != NULL && offset <= row->incarnation) {
        return false; /* read before */
    }
    if (row != NULL && weir_id_equal(&row->boot_id, &fact->boot_id)) {
        return false; /* the same life says it again; one that is over comes with a new boot id */
    }
    bool has_left = row == NULL || row->state == WEIR_WORKER_STATE_LEFT;
    enum weir_reason reason = has_left ? WEIR_REASON_worker_joined : WEIR_REASON_worker_restarted;
    if (!has_left && row->state != WEIR_WORKER_STATE_DEAD) {
        observations_flapped(draft->core->seen, &row->worker_id, draft->core->config.flap_half_ms,
                             draft->now_ms);
    }
    const struct weir_worker_row fresh = {.worker_id = fact->worker_id};
    struct weir_ev_decision_effects *e =
        draft_worker(draft, row != NULL ? row : &fresh, WEIR_WORKER_STATE_READY, reason);
    e->has_from = row != NULL;
    fill_worker(e, fact, offset);
    observations_heard(draft->core->seen, &fact->worker_id, offset, draft->now_ms);
    return draft_apply(draft, reason);
}

static bool left(struct draft *draft, const struct weir_ev_fact_left *fact)
{
    if (!incarnation_is_valid(draft->ledger, &fact->worker_id, fact->incarnation)) {
        return false;
    }
    const struct weir_worker_row *row = weir_ledger_worker(draft->ledger, &fact->worker_id);
    draft_worker(draft, row, WEIR_WORKER_STATE_LEFT, WEIR_REASON_worker_left);
    return draft_apply(draft, WEIR_REASON_worker_left);
}

/* ---- streams ---- */

struct about {
    const struct weir_id *worker_id;
    int64_t incarnation;
    const struct weir_id *stream_id;
    int64_t generation;
};

/* The row that the fact is about; NULL when it speaks of an older life. */
static const struct weir_stream_row *row_of(const struct draft *draft, struct about about)
{
    const struct weir_stream_row *row = weir_ledger_stream(draft->ledger, about.stream_id);
    bool is_current = row != NULL && weir_stream_state_is_placed(row->state) &&
                      row->generation == about.generation &&
                      row->incarnation == about.incarnation &&
                      weir_id_equal(&row->worker_id, about.worker_id) &&
                      incarnation_is_valid(draft->ledger, &row->worker_id, row->incarnation);
    return is_current ? row : NULL;
}

#define ABOUT(fact)                                                                                \
    ((struct about){&(fact)->worker_id, (fact)->incarnation, &(fact)->stream_id,                   \
                    (fact)->generation})

/* The row that moves to the place that the fact is about; NULL when there is none. */
static const struct weir_stream_row *moving_to(const struct draft *draft, struct about about)
{
    const struct weir_stream_row *row = weir_ledger_stream(draft->ledger, about.stream_id);
    bool is_there = row != NULL && row->state == WEIR_STREAM_STATE_MIGRATING &&
                    row->second.generation == about.generation &&
                    worker_is_at(&row->second, about.worker_id, about.incarnation) &&
                    place_is_valid(draft->ledger, &row->second);
    return is_there ? row : NULL;
}

static bool starting(struct draft *draft, const struct weir_ev_fact_starting *fact)
{
    const struct weir_stream_row *row = row_of(draft, ABOUT(fact));
    if (row == NULL ||
        (row->state != WEIR_STREAM_STATE_PLACED && row->state != WEIR_STREAM_STATE_BACKOFF)) {
        return false;
    }
    draft_stream(draft, row, WEIR_STREAM_STATE_STARTING, WEIR_REASON_starting);
    return draft_apply(draft, WEIR_REASON_starting);
}

/* On the effect that was drafted first. */
static void set_effective(struct draft *draft, const struct weir_ev_fact_started *fact)
{
    struct weir_ev_decision_effects *e = &draft->decision->effects[0];
    e->has_effective = fact->has_effective;
    e->effective = fact->effective;
}

static bool started(struct draft *draft, const struct weir_ev_fact_started *fact)
{
    const struct weir_stream_row *moving = moving_to(draft, ABOUT(fact));
    if (moving != NULL) {
        move_switch(draft, moving, WEIR_STREAM_STATE_RUNNING, WEIR_REASON_migrated);
        set_effective(draft, fact);
        return draft_apply(draft, WEIR_REASON_migrated);
    }
    const struct weir_stream_row *row = row_of(draft, ABOUT(fact));
    if (row != NULL && row->state == WEIR_STREAM_STATE_RUNNING && fact->has_effective &&
        !weir_effective_is_same(&row->effective, &fact->effective)) {
        draft_stream(draft, row, WEIR_STREAM_STATE_RUNNING, WEIR_REASON_effective_changed);
        set_effective(draft, fact);
        return draft_apply(draft, WEIR_REASON_effective_changed);
    }
    if (row == NULL ||
        (row->state != WEIR_STREAM_STATE_PLACED && row->state != WEIR_STREAM_STATE_STARTING &&
         row->state != WEIR_STREAM_STATE_BACKOFF)) {
        return false;
    }
    draft_stream(draft, row, WEIR_STREAM_STATE_RUNNING, WEIR_REASON_started);
    set_effective(draft, fact);
    return draft_apply(draft, WEIR_REASON_started);
}

static bool move_failed(struct draft *draft, const struct weir_stream_row *row, const char *why)
{
    move_give_up(draft, row, WEIR_REASON_migration_failed);
    if (strcmp(why, weir_reason_name(WEIR_REASON_source_busy)) == 0) {
        observations_move_busy(draft->core->seen, &row->camera_id);
    }
    struct weir_ev_decision_effects *e = &draft->decision->effects[0];
    e->has_detail = true;
    WEIR_STR_SET(e->detail, why);
    return draft_apply(draft, WEIR_REASON_migration_failed);
}

static bool failing(struct draft *draft, const struct weir_ev_fact_failing *fact)
{
    const struct weir_stream_row *moving = moving_to(draft, ABOUT(fact));
    if (moving != NULL) {
        return move_failed(draft, moving, fact->reason);
    }
    const struct weir_stream_row *row = row_of(draft, ABOUT(fact));
    if (row == NULL || !weir_stream_state_is_live(row->state)) {
        return false;
    }
    if (row->state == WEIR_STREAM_STATE_MIGRATING && !fact->permanent) {
        return false; /* the new place decides: it plays, or the worker says this again */
    }
    bool is_known = row->state == WEIR_STREAM_STATE_BACKOFF && !fact->permanent &&
                    strcmp(row->reason, fact->reason) == 0;
    if (is_known) {
        return false;
    }
    struct weir_ev_decision_effects *e = draft_stream(
        draft, row, fact->permanent ? WEIR_STREAM_STATE_FAILED : WEIR_STREAM_STATE_BACKOFF,
        WEIR_REASON_internal_error);
    WEIR_STR_SET(e->reason, fact->reason);
    e->has_detail = fact->has_detail;
    WEIR_STR_SET(e->detail, fact->detail);
    draft_apply(draft, WEIR_REASON_internal_error);
    WEIR_STR_SET(draft->decision->reason, fact->reason);
    return true;
}

static bool exited(struct draft *draft, const struct weir_ev_fact_exited *fact)
{
    const struct weir_stream_row *moving = moving_to(draft, ABOUT(fact));
    if (moving != NULL) {
        return move_failed(draft, moving, fact->reason);
    }
    const struct weir_stream_row *row = row_of(draft, ABOUT(fact));
    if (row == NULL) {
        return false;
    }
    if (row->state == WEIR_STREAM_STATE_MIGRATING && place_is_valid(draft->ledger, &row->second)) {
        move_switch(draft, row, WEIR_STREAM_STATE_STARTING, WEIR_REASON_exited);
        return draft_apply(draft, WEIR_REASON_exited);
    }
    if (row->state != WEIR_STREAM_STATE_STOPPING) {
        /* It ended by itself: placed again, by queue.c. */
        draft_stream(draft, row, WEIR_STREAM_STATE_QUEUED, WEIR_REASON_exited);
        return draft_apply(draft, WEIR_REASON_exited);
    }
    struct weir_ev_decision_effects *e =
        draft_stream(draft, row, WEIR_STREAM_STATE_STOPPED, WEIR_REASON_stopped);
    WEIR_STR_SET(e->reason, row->reason); /* why it was stopped, not that it was */
    return draft_apply(draft, WEIR_REASON_stopped);
}

static bool still_watched(struct draft *draft, const struct weir_ev_fact_still_watched *fact)
{
    const struct weir_stream_row *row = row_of(draft, ABOUT(fact));
    bool was_idle = row != NULL && row->state == WEIR_STREAM_STATE_STOPPING &&
                    strcmp(row->reason, weir_reason_name(WEIR_REASON_idle)) == 0;
    if (!was_idle) {
        return false;
    }
    observations_activity(draft->core->seen, &fact->stream_id,
                          draft->now_ms - fact->last_request_age_ms);
    draft_stream(draft, row, WEIR_STREAM_STATE_RUNNING, WEIR_REASON_still_watched);
    return draft_apply(draft, WEIR_REASON_still_watched);
}

static bool lease_released(struct draft *draft, const struct weir_ev_fact_lease_released *fact)
{
    struct lease_view lease = draft_lease_view(draft, &fact->camera_id);
    bool is_ours = lease.state == WEIR_LEASE_STATE_RELEASING &&
                   lease.incarnation == fact->incarnation &&
                   lease.lease_generation == fact->lease_generation &&
                   weir_id_equal(&lease.worker_id, &fact->worker_id);
    if (!is_ours) {
        return false;
    }
    draft_lease(draft, &lease, WEIR_LEASE_STATE_NONE, WEIR_REASON_lease_released);
    return draft_apply(draft, WEIR_REASON_lease_released);
}

bool facts_decide(struct draft *draft, const struct weir_event *event, int64_t offset)
{
    if (event->type == WEIR_EV_FACT_JOINED) {
        return joined(draft, &event->u.fact_joined, offset);
    }
    if (event->type == WEIR_EV_FACT_LEFT) {
        return left(draft, &event->u.fact_left);
    }
    if (event->type == WEIR_EV_FACT_DRAINING) {
        return drain_fact(draft, &event->u.fact_draining);
    }
    if (event->type == WEIR_EV_FACT_STARTING) {
        return starting(draft, &event->u.fact_starting);
    }
    if (event->type == WEIR_EV_FACT_STARTED) {
        return started(draft, &event->u.fact_started);
    }
    if (event->type == WEIR_EV_FACT_FAILING) {
        return failing(draft, &event->u.fact_failing);
    }
    if (event->type == WEIR_EV_FACT_EXITED) {
        return exited(draft, &event->u.fact_exited);
    }
    if (event->type == WEIR_EV_FACT_STILL_WATCHED) {
        return still_watched(draft, &event->u.fact_still_watched);
    }
    if (event->type == WEIR_EV_FACT_LEASE_RELEASED) {
        return lease_released(draft, &event->u.fact_lease_released);
    }
    return false;
}
