/* SPDX-License-Identifier: Apache-2.0 */
#include "api/used_keys.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/list.h"
#include "lib/base/map.h"

struct entry {
    struct weir_list node;
    struct weir_id command_id;
    struct weir_id stream_id;
    enum used_for what;
};

struct used_keys {
    pthread_mutex_t mutex;
    struct weir_map *entries;
    struct weir_list order; /* oldest first */
    size_t max;
};

struct used_keys *used_keys_new(size_t max)
{
    struct used_keys *keys = weir_xalloc(sizeof(*keys));
    pthread_mutex_init(&keys->mutex, NULL);
    keys->entries = weir_map_new(sizeof(struct weir_id));
    weir_list_init(&keys->order);
    keys->max = max;
    return keys;
}

void used_keys_free(struct used_keys *keys)
{
    if (!keys) {
        return;
    }
    void *entry;
    for (size_t at = 0; weir_map_next(keys->entries, &at, NULL, &entry);) {
        free(entry);
    }
    weir_map_free(keys->entries);
    pthread_mutex_destroy(&keys->mutex);
    free(keys);
}

/* With the mutex held. */
static void drop_oldest(struct used_keys *keys)
{
    struct entry *oldest = WEIR_CONTAINER(keys->order.next, struct entry, node);
    weir_list_remove(&oldest->node);
    weir_map_remove(keys->entries, oldest->command_id.b);
    free(oldest);
}

void used_keys_note(struct used_keys *keys, const struct weir_id *command_id, enum used_for what,
                    const struct weir_id *stream_id)
{
    pthread_mutex_lock(&keys->mutex);
    /* The first wish of an id is the one that counts. */
    if (!weir_map_find(keys->entries, command_id->b)) {
        if (weir_map_count(keys->entries) >= keys->max) {
            drop_oldest(keys);
        }
        struct entry *entry = weir_xalloc(sizeof(*entry));
        *entry = (struct entry){.command_id = *command_id, .stream_id = *stream_id, .what = what};
        weir_map_put(keys->entries, command_id->b, entry);
        weir_list_push_back(&keys->order, &entry->node);
    }
    pthread_mutex_unlock(&keys->mutex);
}

bool used_keys_is_other(struct used_keys *keys, const struct weir_id *command_id,
                        enum used_for what, const struct weir_id *stream_id)
{
    pthread_mutex_lock(&keys->mutex);
    const struct entry *entry = weir_map_find(keys->entries, command_id->b);
    bool is_other = entry && (entry->what != what || !weir_id_equal(&entry->stream_id, stream_id));
    pthread_mutex_unlock(&keys->mutex);
    return is_other;
}
