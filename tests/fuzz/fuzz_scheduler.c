/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inputs of the scheduler out of anybody's hands: one record a line, and time passes between them.
 * Whatever the core decides must fit the ledger and pass the codec.
 */
#include <assert.h>
#include <string.h>

#include "lib/base/str.h"
#include "scheduler/core.h"

struct cell {
    struct core *core;
    struct weir_ledger *ledger;
    int64_t now_ms;
    int64_t offset;
};

static void apply(struct cell *cell, const struct weir_ev_decision *decision,
                  struct weir_arena *arena)
{
    struct weir_err err;
    enum weir_code code = weir_ledger_apply(cell->ledger, weir_ledger_offset(cell->ledger) + 1,
                                            decision, NULL, NULL, &err);
    assert(code == WEIR_OK);
    struct weir_event *event = weir_arena_alloc(arena, sizeof(*event));
    event->type = WEIR_EV_DECISION;
    WEIR_STR_SET(event->source, "/weir/scheduler/0");
    WEIR_STR_SET(event->subject, "cell-0");
    event->u.decision = *decision;
    const char *bytes;
    size_t len;
    code = weir_ev_dump(event, arena, &bytes, &len, &err);
    assert(code == WEIR_OK);
}

static void settle(struct cell *cell)
{
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_ev_decision decision;
    core_inputs_live(cell->core, cell->now_ms);
    for (int i = 0; core_due(cell->core, cell->ledger, cell->now_ms, arena, &decision); i++) {
        assert(i < 100);
        apply(cell, &decision, arena);
        weir_arena_reset(arena);
    }
    weir_arena_free(arena);
}

static void give(struct cell *cell, const char *bytes, size_t len)
{
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_event *event = weir_arena_alloc(arena, sizeof(*event));
    if (weir_ev_parse(bytes, len, arena, event, NULL) == WEIR_OK) {
        struct weir_ev_decision decision;
        const struct core_input input = {.event = event, .offset = cell->offset++};
        core_observe(cell->core, event, cell->now_ms);
        const char *topic = weir_ev_topic(event->type);
        bool is_input =
            strcmp(topic, WEIR_TOPIC_COMMANDS) == 0 || strcmp(topic, WEIR_TOPIC_FACTS) == 0;
        if (is_input &&
            core_input(cell->core, cell->ledger, &input, cell->now_ms, arena, &decision)) {
            apply(cell, &decision, arena);
        }
    }
    weir_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cell cell = {.now_ms = 1750000000000, .ledger = weir_ledger_new()};
    cell.core = core_new(&core_defaults, cell.now_ms);
    for (const uint8_t *line = data; size > 0;) {
        const uint8_t *end = memchr(line, '\n', size);
        size_t len = end != NULL ? (size_t)(end - line) : size;
        give(&cell, (const char *)line, len);
        /* Time passes by the length of the line, so that the fuzzer can choose it. */
        cell.now_ms += (int64_t)(len % 64) * 100;
        settle(&cell);
        size -= len + (end != NULL);
        line += len + (end != NULL);
    }
    core_free(cell.core);
    weir_ledger_free(cell.ledger);
    return 0;
}
