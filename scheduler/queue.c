/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order in which waiting streams are tried: those that lost their worker while somebody
 * watched, then first come, first served. Classes, ageing and fair shares between tenants change
 * `compare`; parked shapes change what is skipped.
 */
#include <stdlib.h>
#include <string.h>

#include "scheduler/core_rules.h"

/* A viewer shows himself more often than this. */
#define WATCHED_MS 15000
#define FPS_MAX    60

struct entry {
    const struct weir_stream_row *row;
    bool is_cut; /* somebody watched it when it lost its worker */
};

static bool is_cut(const struct draft *draft, const struct weir_stream_row *row)
{
    const struct seen_stream *seen = observations_stream(draft->core->seen, &row->stream_id);
    bool was_placed = row->generation != 0 && row->placed_at_ms >= row->queued_at_ms;
    return was_placed && seen != NULL && draft->now_ms - seen->activity_ms < WATCHED_MS;
}

static int compare(const void *a, const void *b)
{
    const struct entry *first = a;
    const struct entry *second = b;
    const struct weir_stream_row *x = first->row;
    const struct weir_stream_row *y = second->row;
    if (first->is_cut != second->is_cut) {
        return first->is_cut ? -1 : 1;
    }
    if (x->queued_at_ms != y->queued_at_ms) {
        return x->queued_at_ms < y->queued_at_ms ? -1 : 1;
    }
    return weir_id_compare(&x->stream_id, &y->stream_id);
}

/* All that wait, in their order, in the draft's arena. */
static const struct entry *line_up(struct draft *draft, size_t *ret_n)
{
    size_t n = 0;
    const struct weir_stream_row *row;
    for (size_t at = 0; weir_ledger_next_stream(draft->ledger, &at, &row);) {
        n += row->state == WEIR_STREAM_STATE_QUEUED;
    }
    struct entry *line = weir_arena_array(draft->arena, n, sizeof(*line));
    *ret_n = 0;
    for (size_t at = 0; *ret_n < n && weir_ledger_next_stream(draft->ledger, &at, &row);) {
        if (row->state == WEIR_STREAM_STATE_QUEUED) {
            line[(*ret_n)++] = (struct entry){row, is_cut(draft, row)};
        }
    }
    qsort(line, n, sizeof(*line), compare);
    return line;
}

/* A stream that ends by itself again and again must not be placed again and again. */
static bool must_pause(const struct draft *draft, const struct weir_stream_row *row)
{
    bool ended_by_itself = strcmp(row->reason, weir_reason_name(WEIR_REASON_exited)) == 0 ||
                           strcmp(row->reason, weir_reason_name(WEIR_REASON_lost)) == 0;
    return ended_by_itself &&
           draft->now_ms - row->placed_at_ms < draft->core->config.replace_pause_ms;
}

/* A full worker that only keeps the camera warm must not keep its streams from playing, where
 * another one has room for them. */
static void let_go(struct draft *draft, const struct weir_stream_row *row)
{
    struct lease_view lease = draft_lease_view(draft, &row->camera_id);
    if ((lease.state == WEIR_LEASE_STATE_WARM || lease.state == WEIR_LEASE_STATE_LINGERING) &&
        place_has_room(draft, row->quality, row->fps)) {
        draft_cause(draft, WEIR_EV_DECISION_KIND_CONTINUATION, WEIR_REASON_lease_worker_full);
        draft_lease(draft, &lease, WEIR_LEASE_STATE_RELEASING, WEIR_REASON_lease_worker_full);
    }
}

static void try_row(struct draft *draft, const struct weir_stream_row *row, bool *parked)
{
    struct placement placement;
    enum weir_reason why;
    if (!place_find(draft, &row->camera_id, row->quality, row->fps, &placement, &why)) {
        if (why == WEIR_REASON_lease_worker_full) {
            let_go(draft, row);
        }
        /* No worker has room for this kind of stream; only a camera with a lease may have luck. */
        *parked = *parked || why == WEIR_REASON_no_capacity || why == WEIR_REASON_no_worker;
        return;
    }
    const struct waiting waiting = {.stream_id = row->stream_id,
                                    .tenant_id = row->tenant_id,
                                    .camera_id = row->camera_id,
                                    .quality = row->quality,
                                    .generation = row->last_generation,
                                    .seq_base = row->seq_base,
                                    .placed_at_ms = row->placed_at_ms};
    draft_cause(draft, WEIR_EV_DECISION_KIND_CONTINUATION, WEIR_REASON_placed);
    place_stream(draft, &waiting, &placement);
}

void queue_due(struct draft *draft)
{
    size_t n;
    const struct entry *line = line_up(draft, &n);
    bool parked[WEIR_QUALITY_N][FPS_MAX + 1] = {{false}};
    for (size_t i = 0; i < n && !draft_is_full(draft); i++) {
        const struct weir_stream_row *row = line[i].row;
        bool has_lease = draft_lease_view(draft, &row->camera_id).state != WEIR_LEASE_STATE_NONE;
        bool *is_parked = &parked[row->quality][row->fps < FPS_MAX ? row->fps : FPS_MAX];
        if (!must_pause(draft, row) && (!*is_parked || has_lease)) {
            try_row(draft, row, is_parked);
        }
    }
}
