/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order in which waiting streams are tried: first come, first served. Classes, ageing and fair
 * shares between tenants change `compare`; parked shapes change what is skipped.
 */
#include <stdlib.h>
#include <string.h>

#include "scheduler/core_rules.h"

static int compare(const void *a, const void *b)
{
    const struct weir_stream_row *x = *(const struct weir_stream_row *const *)a;
    const struct weir_stream_row *y = *(const struct weir_stream_row *const *)b;
    if (x->queued_at_ms != y->queued_at_ms) {
        return x->queued_at_ms < y->queued_at_ms ? -1 : 1;
    }
    return weir_id_compare(&x->stream_id, &y->stream_id);
}

/* All that wait, oldest first, in the draft's arena. */
static const struct weir_stream_row **line_up(struct draft *draft, size_t *ret_n)
{
    size_t n = 0;
    const struct weir_stream_row *row;
    for (size_t at = 0; weir_ledger_next_stream(draft->ledger, &at, &row);) {
        n += row->state == WEIR_STREAM_STATE_QUEUED;
    }
    const struct weir_stream_row **line = weir_arena_array(draft->arena, n, sizeof(*line));
    *ret_n = 0;
    for (size_t at = 0; *ret_n < n && weir_ledger_next_stream(draft->ledger, &at, &row);) {
        if (row->state == WEIR_STREAM_STATE_QUEUED) {
            line[(*ret_n)++] = row;
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

static void try_row(struct draft *draft, const struct weir_stream_row *row, bool *parked)
{
    struct placement placement;
    enum weir_reason why;
    if (!place_find(draft, &row->camera_id, row->quality, &placement, &why)) {
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
    const struct weir_stream_row **line = line_up(draft, &n);
    bool parked[WEIR_QUALITY_N] = {false};
    for (size_t i = 0; i < n && !draft_is_full(draft); i++) {
        bool has_lease =
            draft_lease_view(draft, &line[i]->camera_id).state != WEIR_LEASE_STATE_NONE;
        if (must_pause(draft, line[i]) || (parked[line[i]->quality] && !has_lease)) {
            continue;
        }
        try_row(draft, line[i], &parked[line[i]->quality]);
    }
}
