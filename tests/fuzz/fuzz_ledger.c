/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decision log, and then a checkpoint, out of anybody's hands: one record a line. Whatever the
 * ledger takes must come out of its own checkpoint the same.
 */
#include <assert.h>
#include <string.h>

#include "lib/domain/ledger.h"

static void fold(struct weir_ledger *ledger, const struct weir_event *event, int64_t offset)
{
    if (event->type == WEIR_EV_DECISION) {
        uint64_t before = weir_ledger_hash(ledger);
        if (weir_ledger_apply(ledger, offset, &event->u.decision, NULL, NULL, NULL) != WEIR_OK) {
            assert(weir_ledger_hash(ledger) == before);
        }
    } else {
        WEIR_IGNORE(weir_ledger_restore(ledger, event, NULL), "most are refused");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_ledger *ledger = weir_ledger_new();
    int64_t offset = 0;
    for (const uint8_t *line = data; size > 0; offset++) {
        const uint8_t *end = memchr(line, '\n', size);
        size_t len = end != NULL ? (size_t)(end - line) : size;
        struct weir_event *event = weir_arena_alloc(arena, sizeof(*event));
        if (weir_ev_parse((const char *)line, len, arena, event, NULL) == WEIR_OK) {
            fold(ledger, event, offset);
        }
        size -= len + (end != NULL);
        line += len + (end != NULL);
    }
    struct weir_ledger *copy = weir_ledger_copy(ledger);
    assert(weir_ledger_hash(copy) == weir_ledger_hash(ledger));
    weir_ledger_free(copy);
    weir_ledger_free(ledger);
    weir_arena_free(arena);
    return 0;
}
