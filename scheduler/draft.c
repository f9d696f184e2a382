/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "lib/base/str.h"
#include "scheduler/core_rules.h"

void draft_init(struct draft *draft, struct core *core, const struct weir_ledger *ledger,
                int64_t now_ms, struct weir_arena *arena, struct weir_ev_decision *ret)
{
    *draft = (struct draft){
        .core = core, .ledger = ledger, .now_ms = now_ms, .arena = arena, .decision = ret};
    *ret = (struct weir_ev_decision){.at_ms = now_ms};
    ret->effects = weir_arena_array(arena, WEIR_EV_DECISION_EFFECTS_MAX,
                                    sizeof(struct weir_ev_decision_effects));
}

bool draft_is_full(const struct draft *draft)
{
    return draft->decision->n_effects + DRAFT_ROOM > WEIR_EV_DECISION_EFFECTS_MAX;
}

bool draft_is_empty(const struct draft *draft)
{
    return draft->decision->n_effects == 0;
}

static bool conclude(struct draft *draft, enum weir_ev_decision_outcome outcome,
                     enum weir_reason reason)
{
    draft->decision->outcome = outcome;
    WEIR_STR_SET(draft->decision->reason, weir_reason_name(reason));
    return true;
}

bool draft_apply(struct draft *draft, enum weir_reason reason)
{
    return conclude(draft, WEIR_EV_DECISION_OUTCOME_APPLIED, reason);
}

bool draft_noop(struct draft *draft, enum weir_reason reason)
{
    return conclude(draft, WEIR_EV_DECISION_OUTCOME_NOOP, reason);
}

bool draft_refuse(struct draft *draft, enum weir_reason reason)
{
    return conclude(draft, WEIR_EV_DECISION_OUTCOME_REFUSED, reason);
}

void draft_cause(struct draft *draft, enum weir_ev_decision_kind kind, enum weir_reason reason)
{
    if (draft_is_empty(draft)) {
        draft->decision->kind = kind;
        draft_apply(draft, reason);
    }
}

static struct weir_ev_decision_effects *add(struct draft *draft,
                                            enum weir_ev_decision_effects_entity entity,
                                            const char *from, const char *to,
                                            enum weir_reason reason)
{
    struct weir_ev_decision *decision = draft->decision;
    assert(decision->n_effects < WEIR_EV_DECISION_EFFECTS_MAX);
    struct weir_ev_decision_effects *e = &decision->effects[decision->n_effects++];
    e->entity = entity;
    e->has_from = from != NULL;
    WEIR_STR_SET(e->from, from != NULL ? from : "");
    WEIR_STR_SET(e->to, to);
    WEIR_STR_SET(e->reason, weir_reason_name(reason));
    return e;
}

struct weir_ev_decision_effects *draft_stream(struct draft *draft,
                                              const struct weir_stream_row *row,
                                              enum weir_stream_state to, enum weir_reason reason)
{
    assert(weir_stream_state_is_legal(row->state, to));
    struct weir_ev_decision_effects *e =
        add(draft, WEIR_EV_DECISION_EFFECTS_ENTITY_STREAM, weir_stream_state_name(row->state),
            weir_stream_state_name(to), reason);
    e->has_tenant_id = e->has_stream_id = e->has_camera_id = true;
    e->tenant_id = row->tenant_id;
    e->stream_id = row->stream_id;
    e->camera_id = row->camera_id;
    if (row->generation != 0) {
        e->has_generation = true;
        e->generation = row->generation;
    }
    if (!weir_id_is_nil(&row->worker_id)) {
        /* For readers; a ledger drops it where the new state has no worker. */
        e->has_worker_id = e->has_incarnation = true;
        e->worker_id = row->worker_id;
        e->incarnation = row->incarnation;
    }
    return e;
}

struct weir_ev_decision_effects *draft_worker(struct draft *draft,
                                              const struct weir_worker_row *row,
                                              enum weir_worker_state to, enum weir_reason reason)
{
    struct weir_ev_decision_effects *e =
        add(draft, WEIR_EV_DECISION_EFFECTS_ENTITY_WORKER, weir_worker_state_name(row->state),
            weir_worker_state_name(to), reason);
    e->has_worker_id = e->has_incarnation = true;
    e->worker_id = row->worker_id;
    e->incarnation = row->incarnation;
    return e;
}

struct lease_view draft_lease_view(const struct draft *draft, const struct weir_id *camera_id)
{
    struct lease_view view = {.camera_id = *camera_id, .state = WEIR_LEASE_STATE_NONE};
    const struct weir_ev_decision *decision = draft->decision;
    for (size_t i = decision->n_effects; i-- > 0;) {
        const struct weir_ev_decision_effects *e = &decision->effects[i];
        if (e->entity != WEIR_EV_DECISION_EFFECTS_ENTITY_LEASE ||
            !weir_id_equal(&e->camera_id, camera_id)) {
            continue;
        }
        WEIR_IGNORE(weir_lease_state_get(e->to, &view.state), "our own text");
        if (view.state != WEIR_LEASE_STATE_NONE) {
            view.tenant_id = e->tenant_id;
            view.worker_id = e->worker_id;
            view.incarnation = e->incarnation;
            view.lease_generation = e->lease_generation;
            view.second = e->has_second ? e->second : (struct weir_place){.generation = 0};
        }
        return view;
    }
    const struct weir_lease_row *row = weir_ledger_lease(draft->ledger, camera_id);
    if (row != NULL) {
        view.tenant_id = row->tenant_id;
        view.worker_id = row->worker_id;
        view.incarnation = row->incarnation;
        view.lease_generation = row->lease_generation;
        view.second = row->second;
        view.state = row->state;
    }
    return view;
}

struct weir_ev_decision_effects *draft_lease(struct draft *draft, const struct lease_view *lease,
                                             enum weir_lease_state to, enum weir_reason reason)
{
    struct lease_view before = draft_lease_view(draft, &lease->camera_id);
    const char *from =
        before.state == WEIR_LEASE_STATE_NONE ? NULL : weir_lease_state_name(before.state);
    struct weir_ev_decision_effects *e =
        add(draft, WEIR_EV_DECISION_EFFECTS_ENTITY_LEASE, from, weir_lease_state_name(to), reason);
    e->has_tenant_id = e->has_camera_id = e->has_worker_id = true;
    e->has_incarnation = e->has_lease_generation = e->has_warm = true;
    e->tenant_id = lease->tenant_id;
    e->camera_id = lease->camera_id;
    e->worker_id = lease->worker_id;
    e->incarnation = lease->incarnation;
    e->lease_generation = lease->lease_generation;
    e->has_second = !weir_id_is_nil(&lease->second.worker_id);
    e->second = lease->second;
    const struct seen_camera *camera = observations_camera(draft->core->seen, &lease->camera_id);
    e->warm = camera != NULL && camera->is_warm;
    return e;
}

bool worker_is_at(const struct weir_place *place, const struct weir_id *worker_id,
                  int64_t incarnation)
{
    return !weir_id_is_nil(&place->worker_id) && place->incarnation == incarnation &&
           weir_id_equal(&place->worker_id, worker_id);
}

bool place_is_valid(const struct weir_ledger *ledger, const struct weir_place *place)
{
    return !weir_id_is_nil(&place->worker_id) &&
           incarnation_is_valid(ledger, &place->worker_id, place->incarnation);
}

bool incarnation_is_valid(const struct weir_ledger *ledger, const struct weir_id *worker_id,
                          int64_t incarnation)
{
    const struct weir_worker_row *worker = weir_ledger_worker(ledger, worker_id);
    return worker != NULL && worker->incarnation == incarnation &&
           worker->state != WEIR_WORKER_STATE_DEAD && worker->state != WEIR_WORKER_STATE_LEFT;
}

enum weir_reason incarnation_why_void(const struct weir_ledger *ledger,
                                      const struct weir_id *worker_id, int64_t incarnation)
{
    const struct weir_worker_row *worker = weir_ledger_worker(ledger, worker_id);
    if (worker == NULL || worker->incarnation != incarnation) {
        return WEIR_REASON_worker_restarted;
    }
    return worker->state == WEIR_WORKER_STATE_LEFT ? WEIR_REASON_worker_left
                                                   : WEIR_REASON_worker_dead;
}
