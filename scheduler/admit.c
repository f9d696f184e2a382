/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may have a stream at all: the door of the queue. Classes are carried, but the order here is
 * first come; fair shares and classes belong into the order of queue.c.
 */
#include "lib/base/str.h"
#include "scheduler/core_rules.h"

struct census {
    int64_t queued;      /* in the cell */
    int64_t tenant_live; /* streams of the tenant that count against its quota */
    int64_t renditions;  /* of them, those that are made of the camera */
};

static bool is_rendition_of(const struct weir_stream_row *row, const struct weir_id *camera_id)
{
    return weir_id_equal(&row->camera_id, camera_id) &&
           weir_stream_is_rendition(row->quality, row->fps);
}

static struct census count(const struct draft *draft, const struct weir_id *tenant_id,
                           const struct weir_id *camera_id)
{
    struct census census = {0};
    const struct weir_stream_row *row;
    for (size_t at = 0; weir_ledger_next_stream(draft->ledger, &at, &row);) {
        census.queued += row->state == WEIR_STREAM_STATE_QUEUED;
        if (weir_stream_state_is_live(row->state) && weir_id_equal(&row->tenant_id, tenant_id)) {
            census.tenant_live++;
            census.renditions += is_rendition_of(row, camera_id);
        }
    }
    return census;
}

static bool is_over_quota(const struct draft *draft, const struct weir_id *tenant_id,
                          int64_t tenant_live)
{
    const struct seen_tenant *tenant = observations_tenant(draft->core->seen, tenant_id);
    return tenant != NULL && tenant_live >= tenant->max_streams;
}

/* The refusal of what the configuration says is gone, or of what is too much. */
static bool is_refused(const struct draft *draft, const struct weir_ev_command_start *command,
                       const struct census *census, enum weir_reason *ret_why)
{
    const struct seen_tenant *tenant = observations_tenant(draft->core->seen, &command->tenant_id);
    const struct seen_camera *camera = observations_camera(draft->core->seen, &command->camera_id);
    if (tenant != NULL && tenant->is_deleted) {
        *ret_why = WEIR_REASON_tenant_deleted;
    } else if (camera != NULL && camera->is_deleted) {
        *ret_why = WEIR_REASON_camera_deleted;
    } else if (camera != NULL && !weir_id_equal(&camera->tenant_id, &command->tenant_id)) {
        *ret_why = WEIR_REASON_wrong_tenant;
    } else if (is_over_quota(draft, &command->tenant_id, census->tenant_live)) {
        *ret_why = WEIR_REASON_quota_streams;
    } else if (weir_stream_is_rendition(command->quality, command->fps) &&
               census->renditions >= draft->core->config.renditions_max) {
        *ret_why = WEIR_REASON_quota_renditions;
    } else if (census->queued >= draft->core->config.queue_max) {
        *ret_why = WEIR_REASON_queue_full;
    } else {
        return false;
    }
    return true;
}

static void enqueue(struct draft *draft, const struct weir_stream_row *row,
                    const struct weir_ev_command_start *command, enum weir_reason reason)
{
    const struct weir_stream_row fresh = {.stream_id = command->stream_id,
                                          .tenant_id = command->tenant_id,
                                          .camera_id = command->camera_id,
                                          .state = WEIR_STREAM_STATE_STOPPED};
    struct weir_ev_decision_effects *e =
        draft_stream(draft, row != NULL ? row : &fresh, WEIR_STREAM_STATE_QUEUED, reason);
    e->has_from = row != NULL;
    e->has_worker_id = e->has_incarnation = false;
    e->has_quality = e->has_fps = e->has_class = true;
    e->quality = command->quality;
    e->fps = command->fps;
    e->class = command->class;
}

static struct waiting waiting_of(const struct weir_stream_row *row,
                                 const struct weir_ev_command_start *command)
{
    struct waiting waiting = {.stream_id = command->stream_id,
                              .tenant_id = command->tenant_id,
                              .camera_id = command->camera_id,
                              .quality = command->quality};
    if (row != NULL) {
        waiting.generation = row->last_generation;
        waiting.seq_base = row->seq_base;
        waiting.placed_at_ms = row->placed_at_ms;
    }
    return waiting;
}

bool admit_start(struct draft *draft, const struct weir_ev_command_start *command)
{
    const struct weir_stream_row *row = weir_ledger_stream(draft->ledger, &command->stream_id);
    if (row != NULL && !weir_id_equal(&row->tenant_id, &command->tenant_id)) {
        return draft_refuse(draft, WEIR_REASON_wrong_tenant);
    }
    if (row != NULL && weir_stream_state_is_live(row->state)) {
        return draft_noop(draft, WEIR_REASON_already_live);
    }
    struct census census = count(draft, &command->tenant_id, &command->camera_id);
    enum weir_reason why;
    if (is_refused(draft, command, &census, &why)) {
        return draft_refuse(draft, why);
    }
    /* Nobody overtakes those who wait already. */
    struct placement placement;
    why = WEIR_REASON_no_capacity;
    bool is_found = census.queued == 0 && place_find(draft, &command->camera_id, command->quality,
                                                     command->fps, &placement, &why);
    enqueue(draft, row, command, is_found ? WEIR_REASON_start_asked : why);
    if (is_found) {
        struct waiting waiting = waiting_of(row, command);
        place_stream(draft, &waiting, &placement);
    }
    return draft_apply(draft, WEIR_REASON_start_asked);
}
