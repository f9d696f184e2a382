/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Camera leases that are due for a change: without streams they linger and end, warm cameras keep
 * or get one, and those of a void incarnation end at once (DESIGN section 3).
 */
#include "lib/base/map.h"
#include "scheduler/core_rules.h"

static bool is_warm(const struct draft *draft, const struct weir_id *camera_id)
{
    const struct observations *seen = draft->core->seen;
    const struct seen_camera *camera = observations_camera(seen, camera_id);
    if (camera == NULL || !camera->is_warm ||
        observations_is_gone(seen, &camera->tenant_id, camera_id)) {
        return false;
    }
    const struct seen_tenant *tenant = observations_tenant(seen, &camera->tenant_id);
    return tenant == NULL || !tenant->is_stopped;
}

static void change(struct draft *draft, const struct weir_lease_row *row, enum weir_lease_state to,
                   enum weir_reason why, enum weir_ev_decision_kind kind)
{
    struct lease_view lease = draft_lease_view(draft, &row->camera_id);
    lease.second = (struct weir_place){.generation = 0};
    draft_cause(draft, kind, why);
    draft_lease(draft, &lease, to, why);
}

/* Streams of a camera: placed ones by the worker of its lease that has them. */
struct use {
    struct weir_id camera_id;
    int64_t first;
    int64_t second; /* also those on their way there */
    int64_t queued;
};

static bool is_placed(const struct use *use)
{
    return use != NULL && use->first + use->second > 0;
}

/* The second worker becomes the one that pulls the camera; the one before stays beside it. */
static void swap(struct draft *draft, const struct weir_lease_row *row, enum weir_reason why,
                 bool is_first_valid)
{
    struct lease_view lease = draft_lease_view(draft, &row->camera_id);
    const struct weir_place first = {.worker_id = lease.worker_id,
                                     .incarnation = lease.incarnation,
                                     .lease_generation = lease.lease_generation,
                                     .placed_at_ms = draft->now_ms};
    lease.worker_id = lease.second.worker_id;
    lease.incarnation = lease.second.incarnation;
    lease.lease_generation = lease.second.lease_generation;
    lease.second = is_first_valid ? first : (struct weir_place){.generation = 0};
    draft_cause(draft, WEIR_EV_DECISION_KIND_CONTINUATION, why);
    draft_lease(draft, &lease, WEIR_LEASE_STATE_ACTIVE, why);
}

/* A lease that two workers have, in use. */
static void judge_double(struct draft *draft, const struct weir_lease_row *row,
                         const struct use *use)
{
    bool is_next = row->second.lease_generation > row->lease_generation;
    if (!place_is_valid(draft->ledger, &row->second)) {
        change(draft, row, row->state,
               incarnation_why_void(draft->ledger, &row->second.worker_id, row->second.incarnation),
               WEIR_EV_DECISION_KIND_CONTINUATION);
    } else if (is_next && use->first == 0) {
        swap(draft, row, WEIR_REASON_lease_moved, true);
    } else if (is_next && use->second == 0) {
        change(draft, row, row->state, WEIR_REASON_lease_unused,
               WEIR_EV_DECISION_KIND_CONTINUATION);
    } else if (!is_next &&
               draft->now_ms - row->second.placed_at_ms >= draft->core->config.fade_ms) {
        change(draft, row, row->state, WEIR_REASON_old_lease_over, WEIR_EV_DECISION_KIND_TIMER);
    }
}

static void judge_unused(struct draft *draft, const struct weir_lease_row *row)
{
    const struct core_config *config = &draft->core->config;
    bool is_gone = observations_is_gone(draft->core->seen, &row->tenant_id, &row->camera_id);
    if (row->state == WEIR_LEASE_STATE_RELEASING) {
        if (draft->now_ms - row->since_ms >= config->stop_ms) {
            change(draft, row, WEIR_LEASE_STATE_NONE, WEIR_REASON_no_answer,
                   WEIR_EV_DECISION_KIND_TIMER);
        }
    } else if (is_gone) {
        change(draft, row, WEIR_LEASE_STATE_RELEASING, WEIR_REASON_camera_deleted,
               WEIR_EV_DECISION_KIND_CONFIG);
    } else if (is_warm(draft, &row->camera_id)) {
        if (row->state != WEIR_LEASE_STATE_WARM) {
            change(draft, row, WEIR_LEASE_STATE_WARM, WEIR_REASON_camera_warm,
                   WEIR_EV_DECISION_KIND_CONTINUATION);
        }
    } else if (row->state == WEIR_LEASE_STATE_WARM) {
        change(draft, row, WEIR_LEASE_STATE_LINGERING, WEIR_REASON_camera_not_warm,
               WEIR_EV_DECISION_KIND_CONFIG);
    } else if (row->state == WEIR_LEASE_STATE_ACTIVE) {
        change(draft, row, WEIR_LEASE_STATE_LINGERING, WEIR_REASON_lease_unused,
               WEIR_EV_DECISION_KIND_CONTINUATION);
    } else if (draft->now_ms - row->since_ms >= config->tap_linger_ms) {
        change(draft, row, WEIR_LEASE_STATE_RELEASING, WEIR_REASON_linger_over,
               WEIR_EV_DECISION_KIND_TIMER);
    }
}

/* Cameras with a stream that is placed or waits -> struct use, in the draft's arena. The caller
 * frees the map. */
static struct weir_map *cameras_in_use(const struct draft *draft)
{
    struct weir_map *in_use = weir_map_new(sizeof(struct weir_id));
    const struct weir_stream_row *row;
    for (size_t at = 0; weir_ledger_next_stream(draft->ledger, &at, &row);) {
        bool is_queued = row->state == WEIR_STREAM_STATE_QUEUED;
        if (!is_queued && !weir_stream_state_is_placed(row->state)) {
            continue;
        }
        struct use *use = weir_map_find(in_use, row->camera_id.b);
        if (use == NULL) {
            use = weir_arena_alloc(draft->arena, sizeof(*use));
            use->camera_id = row->camera_id;
            weir_map_put(in_use, use->camera_id.b, use);
        }
        if (is_queued) {
            use->queued++;
            continue;
        }
        const struct weir_lease_row *lease = weir_ledger_lease(draft->ledger, &row->camera_id);
        bool is_second =
            lease != NULL && worker_is_at(&lease->second, &row->worker_id, row->incarnation);
        use->first += !is_second;
        use->second += is_second || !weir_id_is_nil(&row->second.worker_id);
    }
    return in_use;
}

static void judge_void(struct draft *draft, const struct weir_lease_row *row)
{
    enum weir_reason why = incarnation_why_void(draft->ledger, &row->worker_id, row->incarnation);
    struct lease_view view = draft_lease_view(draft, &row->camera_id);
    if (place_is_fenced(draft, &view)) {
        return;
    }
    if (place_is_valid(draft->ledger, &row->second)) {
        swap(draft, row, why, false);
    } else {
        change(draft, row, WEIR_LEASE_STATE_NONE, why, WEIR_EV_DECISION_KIND_CONTINUATION);
    }
}

/* What finds no room now is looked at again when anything changes. Where a stream waits, the lease
 * is its: one that was let go for it would come back to where the stream has no room. */
static void warm_up(struct draft *draft, const struct weir_map *in_use)
{
    const struct seen_camera *camera;
    for (size_t at = 0;
         !draft_is_full(draft) && observations_next_camera(draft->core->seen, &at, &camera);) {
        const struct use *use = weir_map_find(in_use, camera->camera_id.b);
        if (!is_warm(draft, &camera->camera_id) || (use != NULL && use->queued > 0)) {
            continue;
        }
        struct lease_view lease = draft_lease_view(draft, &camera->camera_id);
        const struct weir_worker_row *worker;
        if (lease.state != WEIR_LEASE_STATE_NONE) {
            continue;
        }
        if (!place_find_warm(draft, &worker)) {
            return; /* they all take the same, so there is no room for the others either */
        }
        lease.tenant_id = camera->tenant_id;
        lease.worker_id = worker->worker_id;
        lease.incarnation = worker->incarnation;
        lease.lease_generation = draft->now_ms / 1000;
        draft_cause(draft, WEIR_EV_DECISION_KIND_TIMER, WEIR_REASON_camera_warm);
        draft_lease(draft, &lease, WEIR_LEASE_STATE_WARM, WEIR_REASON_camera_warm);
    }
}

void leases_due(struct draft *draft)
{
    struct weir_map *in_use = cameras_in_use(draft);
    const struct weir_lease_row *row;
    for (size_t at = 0;
         !draft_is_full(draft) && weir_ledger_next_lease(draft->ledger, &at, &row);) {
        const struct use *use = weir_map_find(in_use, row->camera_id.b);
        if (!incarnation_is_valid(draft->ledger, &row->worker_id, row->incarnation)) {
            judge_void(draft, row);
        } else if (!is_placed(use)) {
            judge_unused(draft, row);
        } else if (!weir_id_is_nil(&row->second.worker_id)) {
            judge_double(draft, row, use);
        }
    }
    warm_up(draft, in_use);
    weir_map_free(in_use);
}
