/* SPDX-License-Identifier: Apache-2.0 */
#include "api/expected.h"

#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/map.h"

struct entry {
    struct weir_stream_row row;
    int64_t offset;
    int64_t until_mono_ms;
};

struct api_expected {
    struct weir_map *entries; /* stream id -> struct entry */
    int64_t next_offset;      /* of the commands: those below are decided */
};

struct api_expected *api_expected_new(void)
{
    struct api_expected *expected = weir_xalloc(sizeof(*expected));
    expected->entries = weir_map_new(sizeof(struct weir_id));
    return expected;
}

void api_expected_free(struct api_expected *expected)
{
    if (!expected) {
        return;
    }
    void *entry;
    for (size_t at = 0; weir_map_next(expected->entries, &at, NULL, &entry);) {
        free(entry);
    }
    weir_map_free(expected->entries);
    free(expected);
}

bool api_expected_put(struct api_expected *expected, const struct weir_stream_row *row,
                      int64_t offset, int64_t until_mono_ms)
{
    const struct entry *known = weir_map_find(expected->entries, row->stream_id.b);
    if (offset < expected->next_offset || (known && known->offset > offset)) {
        return false;
    }
    struct entry *entry = weir_xalloc(sizeof(*entry));
    *entry = (struct entry){.row = *row, .offset = offset, .until_mono_ms = until_mono_ms};
    free(weir_map_put(expected->entries, row->stream_id.b, entry));
    return true;
}

/* Removes what `is_over` says; the map may be changed while it is walked. */
static void drop(struct api_expected *expected, bool (*is_over)(const struct entry *, int64_t),
                 int64_t limit, api_expected_dropped_fn *fn, void *ctx)
{
    void *value;
    for (size_t at = 0; weir_map_next(expected->entries, &at, NULL, &value);) {
        struct entry *entry = value;
        if (is_over(entry, limit)) {
            weir_map_remove(expected->entries, entry->row.stream_id.b);
            if (fn) {
                fn(ctx, &entry->row.stream_id);
            }
            free(entry);
        }
    }
}

static bool is_below(const struct entry *entry, int64_t next_offset)
{
    return entry->offset < next_offset;
}

static bool is_late(const struct entry *entry, int64_t now_mono_ms)
{
    return entry->until_mono_ms < now_mono_ms;
}

void api_expected_decided(struct api_expected *expected, int64_t next_offset,
                          api_expected_dropped_fn *fn, void *ctx)
{
    expected->next_offset = next_offset;
    drop(expected, is_below, next_offset, fn, ctx);
}

const struct weir_stream_row *api_expected_find(const struct api_expected *expected,
                                                const struct weir_id *stream_id,
                                                int64_t now_mono_ms)
{
    const struct entry *entry = weir_map_find(expected->entries, stream_id->b);
    return entry && !is_late(entry, now_mono_ms) ? &entry->row : NULL;
}

size_t api_expected_count(const struct api_expected *expected)
{
    return weir_map_count(expected->entries);
}

bool api_expected_next(const struct api_expected *expected, size_t *at,
                       const struct weir_stream_row **ret)
{
    void *value;
    if (!weir_map_next(expected->entries, at, NULL, &value)) {
        return false;
    }
    *ret = &((struct entry *)value)->row;
    return true;
}

void api_expected_drop_late(struct api_expected *expected, int64_t now_mono_ms)
{
    drop(expected, is_late, now_mono_ms, NULL, NULL);
}
