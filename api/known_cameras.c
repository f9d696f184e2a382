/* SPDX-License-Identifier: Apache-2.0 */
#include "api/known_cameras.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/list.h"
#include "lib/base/map.h"
#include "lib/domain/versions.h"

struct key {
    struct weir_id tenant_id;
    struct weir_id camera_id;
};

struct entry {
    struct weir_list node;
    struct key key;
    struct api_known_camera camera; /* its texts stand in `texts` */
    char texts[];
};

struct api_known_cameras {
    pthread_mutex_t mutex;
    struct weir_map *entries;
    struct weir_list order; /* oldest first */
    size_t max;
    struct weir_versions *heard; /* of cameras and tenants */
};

struct api_known_cameras *api_known_cameras_new(size_t max, size_t heard_max)
{
    struct api_known_cameras *known = weir_xalloc(sizeof(*known));
    pthread_mutex_init(&known->mutex, NULL);
    known->entries = weir_map_new(sizeof(struct key));
    weir_list_init(&known->order);
    known->max = max;
    known->heard = weir_versions_new(heard_max);
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
    weir_versions_free(known->heard);
    pthread_mutex_destroy(&known->mutex);
    free(known);
}

/* With the mutex held. */
static void drop(struct api_known_cameras *known, const struct key *key)
{
    struct entry *entry = weir_map_remove(known->entries, key);
    if (entry) {
        weir_list_remove(&entry->node);
        free(entry);
    }
}

static void drop_oldest(struct api_known_cameras *known)
{
    struct key key = WEIR_CONTAINER(known->order.next, struct entry, node)->key;
    drop(known, &key);
}

/* With the mutex held. */
static bool is_current(const struct api_known_cameras *known, const struct key *key,
                       const struct api_known_camera *camera)
{
    return camera->version >= weir_versions_least(known->heard, &key->camera_id) &&
           camera->tenant_version >= weir_versions_least(known->heard, &key->tenant_id);
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
    if (!is_current(known, &entry->key, camera)) { /* it was read before the change */
        pthread_mutex_unlock(&known->mutex);
        free(entry);
        return;
    }
    drop(known, &entry->key);
    if (weir_map_count(known->entries) >= known->max) {
        drop_oldest(known);
    }
    weir_map_put(known->entries, &entry->key, entry);
    weir_list_push_back(&known->order, &entry->node);
    pthread_mutex_unlock(&known->mutex);
}

void api_known_cameras_hear(struct api_known_cameras *known, const struct weir_id *id,
                            int64_t version)
{
    pthread_mutex_lock(&known->mutex);
    weir_versions_hear(known->heard, id, version);
    pthread_mutex_unlock(&known->mutex);
}

int64_t api_known_cameras_least(struct api_known_cameras *known, const struct weir_id *id)
{
    pthread_mutex_lock(&known->mutex);
    int64_t version = weir_versions_least(known->heard, id);
    pthread_mutex_unlock(&known->mutex);
    return version;
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
    bool is_known = entry && is_current(known, &key, &entry->camera);
    if (is_known) {
        *ret = entry->camera;
        ret->sealed = weir_arena_strdup(arena, entry->camera.sealed);
        ret->networks =
            entry->camera.networks ? weir_arena_strdup(arena, entry->camera.networks) : NULL;
    }
    pthread_mutex_unlock(&known->mutex);
    return is_known;
}
