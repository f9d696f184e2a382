/* SPDX-License-Identifier: Apache-2.0 */
#include "api/known_cameras.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/map.h"

struct key {
    struct weir_id tenant_id;
    struct weir_id camera_id;
};

struct entry {
    struct key key;
    struct api_known_camera camera; /* its texts stand in `texts` */
    char texts[];
};

struct api_known_cameras {
    pthread_mutex_t mutex;
    struct weir_map *entries; /* oldest first */
    size_t max;
};

struct api_known_cameras *api_known_cameras_new(size_t max)
{
    struct api_known_cameras *known = weir_xalloc(sizeof(*known));
    pthread_mutex_init(&known->mutex, NULL);
    known->entries = weir_map_new(sizeof(struct key));
    known->max = max;
    return known;
}

void api_known_cameras_free(struct api_known_cameras *known)
{
    if (!known) {
        return;
    }
    void *entry;
    for (size_t at = 0; weir_map_next(known->entries, &at, NULL, &entry);) {
        free(entry);
    }
    weir_map_free(known->entries);
    pthread_mutex_destroy(&known->mutex);
    free(known);
}

/* With the mutex held. */
static void drop(struct api_known_cameras *known, const struct key *key)
{
    free(weir_map_remove(known->entries, key));
}

static void drop_oldest(struct api_known_cameras *known)
{
    void *oldest;
    size_t at = 0;
    if (weir_map_next(known->entries, &at, NULL, &oldest)) {
        struct key key = ((struct entry *)oldest)->key;
        drop(known, &key);
    }
}

void api_known_cameras_put(struct api_known_cameras *known, const struct weir_id *tenant_id,
                           const struct weir_id *camera_id, const struct api_known_camera *camera)
{
    size_t size = strlen(camera->sealed) + 1;
    size_t networks_size = camera->networks ? strlen(camera->networks) + 1 : 0;
    struct entry *entry = weir_xalloc(sizeof(*entry) + size + networks_size);
    entry->key = (struct key){*tenant_id, *camera_id};
    entry->camera = *camera;
    memcpy(entry->texts, camera->sealed, size);
    entry->camera.sealed = entry->texts;
    if (camera->networks) {
        memcpy(entry->texts + size, camera->networks, networks_size);
        entry->camera.networks = entry->texts + size;
    }
    pthread_mutex_lock(&known->mutex);
    drop(known, &entry->key);
    if (weir_map_count(known->entries) >= known->max) {
        drop_oldest(known);
    }
    weir_map_put(known->entries, &entry->key, entry);
    pthread_mutex_unlock(&known->mutex);
}

void api_known_cameras_remove(struct api_known_cameras *known, const struct weir_id *tenant_id,
                              const struct weir_id *camera_id)
{
    struct key key = {*tenant_id, *camera_id};
    pthread_mutex_lock(&known->mutex);
    drop(known, &key);
    pthread_mutex_unlock(&known->mutex);
}

bool api_known_cameras_find(struct api_known_cameras *known, const struct weir_id *tenant_id,
                            const struct weir_id *camera_id, struct weir_arena *arena,
                            struct api_known_camera *ret)
{
    struct key key = {*tenant_id, *camera_id};
    pthread_mutex_lock(&known->mutex);
    const struct entry *entry = weir_map_find(known->entries, &key);
    if (entry) {
        *ret = entry->camera;
        ret->sealed = weir_arena_strdup(arena, entry->camera.sealed);
        ret->networks =
            entry->camera.networks ? weir_arena_strdup(arena, entry->camera.networks) : NULL;
    }
    pthread_mutex_unlock(&known->mutex);
    return entry != NULL;
}
