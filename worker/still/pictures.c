/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/pictures.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/list.h"
#include "lib/base/map.h"

struct entry {
    struct weir_list node; /* oldest first */
    struct picture_key key;
    struct picture *picture; /* NULL: being made */
};

struct pictures {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    struct weir_map *entries;
    struct weir_list kept; /* entries with a picture */
    size_t bytes;
    size_t max_bytes;
};

struct picture *picture_new(const struct weir_decode_answer *answer, const uint8_t *image)
{
    struct picture *picture = weir_xalloc(sizeof(*picture) + answer->bytes);
    atomic_init(&picture->refs, 1);
    picture->answer = *answer;
    memcpy(picture->bytes, image, answer->bytes);
    return picture;
}

void picture_unref(struct picture **ptr)
{
    struct picture *picture = *ptr;
    *ptr = NULL;
    if (picture && atomic_fetch_sub(&picture->refs, 1) == 1) {
        free(picture);
    }
}

static struct picture *ref(struct picture *picture)
{
    atomic_fetch_add(&picture->refs, 1);
    return picture;
}

struct pictures *pictures_new(size_t max_bytes)
{
    struct pictures *pictures = weir_xalloc(sizeof(*pictures));
    pthread_mutex_init(&pictures->mutex, NULL);
    pthread_cond_init(&pictures->ended, NULL);
    pictures->entries = weir_map_new(sizeof(struct picture_key));
    pictures->max_bytes = max_bytes;
    weir_list_init(&pictures->kept);
    return pictures;
}

/* Under the mutex, as all below that have no lock of their own. */
static void drop(struct pictures *pictures, struct entry *entry)
{
    weir_map_remove(pictures->entries, &entry->key);
    if (entry->picture) {
        pictures->bytes -= entry->picture->answer.bytes;
        weir_list_remove(&entry->node);
    }
    picture_unref(&entry->picture);
    free(entry);
}

static void trim(struct pictures *pictures)
{
    WEIR_LIST_FOR(pos, &pictures->kept)
    {
        if (pictures->bytes <= pictures->max_bytes) {
            break;
        }
        drop(pictures, WEIR_CONTAINER(pos, struct entry, node));
    }
}

void pictures_free(struct pictures *pictures)
{
    if (!pictures) {
        return;
    }
    pictures->max_bytes = 0;
    trim(pictures);
    weir_map_free(pictures->entries);
    pthread_cond_destroy(&pictures->ended);
    pthread_mutex_destroy(&pictures->mutex);
    free(pictures);
}

struct picture *pictures_find(struct pictures *pictures, const struct picture_key *key)
{
    pthread_mutex_lock(&pictures->mutex);
    struct entry *entry = weir_map_find(pictures->entries, key);
    struct picture *picture = entry && entry->picture ? ref(entry->picture) : NULL;
    pthread_mutex_unlock(&pictures->mutex);
    return picture;
}

enum pictures_verdict pictures_begin(struct pictures *pictures, const struct picture_key *key,
                                     int64_t deadline_mono_ms, struct picture **ret)
{
    enum pictures_verdict verdict = PICTURES_LATE;
    struct entry *entry;
    bool is_late = false;
    pthread_mutex_lock(&pictures->mutex);
    while ((entry = weir_map_find(pictures->entries, key)) && !entry->picture) {
        if (!weir_clock_wait(&pictures->ended, &pictures->mutex, deadline_mono_ms)) {
            /* It may have ended, and be freed, while this one came back for the mutex. */
            entry = weir_map_find(pictures->entries, key);
            is_late = !entry || !entry->picture;
            break;
        }
    }
    if (is_late) {
        /* Who makes it is not done, or failed. */
    } else if (!entry) {
        entry = weir_xalloc(sizeof(*entry));
        entry->key = *key;
        weir_map_put(pictures->entries, key, entry);
        verdict = PICTURES_MAKE;
    } else if (entry->picture) {
        *ret = ref(entry->picture);
        verdict = PICTURES_HERE;
    }
    pthread_mutex_unlock(&pictures->mutex);
    return verdict;
}

void pictures_end(struct pictures *pictures, const struct picture_key *key, struct picture *picture)
{
    pthread_mutex_lock(&pictures->mutex);
    struct entry *entry = weir_map_find(pictures->entries, key);
    if (picture) {
        entry->picture = ref(picture);
        pictures->bytes += picture->answer.bytes;
        weir_list_push_back(&pictures->kept, &entry->node);
        trim(pictures);
    } else {
        drop(pictures, entry);
    }
    pthread_cond_broadcast(&pictures->ended);
    pthread_mutex_unlock(&pictures->mutex);
}
