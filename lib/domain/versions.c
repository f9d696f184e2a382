/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/versions.h"

#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/list.h"
#include "lib/base/map.h"

struct entry {
    struct weir_list node;
    struct weir_id id;
    int64_t version;
};

struct weir_versions {
    struct weir_map *entries;
    struct weir_list order; /* heard of longest ago first */
    size_t max;
};

struct weir_versions *weir_versions_new(size_t max)
{
    struct weir_versions *versions = weir_xalloc(sizeof(*versions));
    versions->entries = weir_map_new(sizeof(struct weir_id));
    weir_list_init(&versions->order);
    versions->max = max;
    return versions;
}

void weir_versions_free(struct weir_versions *versions)
{
    if (!versions) {
        return;
    }
    void *entry;
    for (size_t at = 0; weir_map_next(versions->entries, &at, NULL, &entry);) {
        free(entry);
    }
    weir_map_free(versions->entries);
    free(versions);
}

static void drop_oldest(struct weir_versions *versions)
{
    struct entry *oldest = WEIR_CONTAINER(versions->order.next, struct entry, node);
    weir_list_remove(&oldest->node);
    weir_map_remove(versions->entries, oldest->id.b);
    free(oldest);
}

void weir_versions_hear(struct weir_versions *versions, const struct weir_id *id, int64_t version)
{
    struct entry *entry = weir_map_find(versions->entries, id->b);
    if (entry) {
        weir_list_remove(&entry->node);
    } else {
        if (weir_map_count(versions->entries) >= versions->max) {
            drop_oldest(versions);
        }
        entry = weir_xalloc(sizeof(*entry));
        *entry = (struct entry){.id = *id, .version = version};
        weir_map_put(versions->entries, id->b, entry);
    }
    weir_list_push_back(&versions->order, &entry->node);
    entry->version = version > entry->version ? version : entry->version;
}

int64_t weir_versions_least(const struct weir_versions *versions, const struct weir_id *id)
{
    const struct entry *entry = weir_map_find(versions->entries, id->b);
    return entry ? entry->version : 0;
}
