/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/batch.h"

#include <stdlib.h>

void audit_batch_init(struct audit_batch *batch, size_t max)
{
    *batch = (struct audit_batch){.items = weir_xarray(max, sizeof(*batch->items)),
                                  .arena = weir_arena_new(0)};
}

void audit_batch_done(struct audit_batch *batch)
{
    weir_arena_free(batch->arena);
    free(batch->items);
}

void audit_batch_start(struct audit_batch *batch, const struct weir_audit_chain *chain)
{
    batch->before = *chain;
    batch->after = *chain;
    batch->n = 0;
    batch->n_taken = 0;
    batch->n_rows = 0;
    batch->bytes = 0;
    weir_arena_reset(batch->arena);
}

void audit_batch_stored(struct audit_batch *batch)
{
    struct weir_audit_chain chain = batch->after;
    audit_batch_start(batch, &chain);
}

enum weir_code audit_batch_take(struct audit_batch *batch, const struct weir_bus_message *message,
                                int64_t now_mono_ms, struct weir_err *err)
{
    struct audit_item *item = &batch->items[batch->n];
    *item = (struct audit_item){.len = message->value_len, .timestamp_ms = message->timestamp_ms};
    enum weir_code code = weir_audit_take(&batch->after, message->offset, message->value,
                                          message->value_len, batch->arena, &item->entry, err);
    if (code != WEIR_OK)
        return code;
    if (batch->n_taken == 0)
        batch->begun_mono_ms = now_mono_ms;
    batch->n_taken++;
    if (item->entry.is_passed_over)
        return WEIR_OK;
    if (message->value)
        item->raw = weir_arena_memdup(batch->arena, message->value, message->value_len);
    batch->n++;
    batch->n_rows += item->entry.n_rows;
    batch->bytes += message->value_len;
    return WEIR_OK;
}
