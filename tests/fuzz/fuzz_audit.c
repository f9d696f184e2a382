/* SPDX-License-Identifier: Apache-2.0 */
/* Records of a log, one a line: whatever they hold, each is taken into the chain, and doing it
 * again gives the same. */
#include "lib/domain/audit.h"

#include <stdlib.h>
#include <string.h>

#include "lib/domain/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct weir_audit_entry *entry)
{
    bool is_unreadable = entry->verdict == WEIR_AUDIT_UNREADABLE;
    if (entry->is_passed_over && (is_unreadable || entry->n_rows > 0))
        abort();
    if (is_unreadable != (entry->parse_error != NULL) || (is_unreadable && entry->n_rows > 0))
        abort();
    for (size_t i = 0; i < entry->n_rows; i++) {
        if (!entry->rows[i].text[WEIR_AUDIT_tenant_id] || !entry->rows[i].text[WEIR_AUDIT_type])
            abort();
    }
}

static struct weir_audit_chain take_all(const char *topic, const uint8_t *data, size_t size)
{
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_audit_chain chain;
    weir_audit_chain_init(&chain, topic, 0, 0);
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end ? (size_t)(end - data) : size;
        struct weir_audit_entry entry;
        if (weir_audit_take(&chain, chain.next, data, len, arena, &entry, NULL) != WEIR_OK)
            abort();
        check(&entry);
        size_t used = end ? len + 1 : len;
        data += used;
        size -= used;
        weir_arena_reset(arena);
    }
    weir_arena_free(arena);
    return chain;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const topics[] = {WEIR_TOPIC_DECISIONS, WEIR_TOPIC_AUDIT, WEIR_TOPIC_FACTS};
    for (size_t i = 0; i < 3; i++) {
        struct weir_audit_chain once = take_all(topics[i], data, size);
        struct weir_audit_chain again = take_all(topics[i], data, size);
        if (memcmp(once.head, again.head, sizeof(once.head)) != 0 || once.next != again.next ||
            once.epoch != again.epoch)
            abort();
    }
    return 0;
}
