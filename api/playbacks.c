/* SPDX-License-Identifier: Apache-2.0 */
#include "api/playbacks.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/map.h"

#define SWEEP_MS 1000

struct key {
    struct weir_id login_id;
    struct weir_id stream_id;
};

struct entry {
    struct playback who;
    int64_t seen_mono_ms;
    bool is_in;
};

/* Playbacks of a viewer, or a tenant, that are in. */
struct tally {
    int64_t n;
};

struct playbacks {
    struct playbacks_config config;
    pthread_mutex_t mutex;
    struct weir_map *entries; /* key -> struct entry */
    struct weir_map *viewers; /* id -> struct tally */
    struct weir_map *tenants;
    int64_t swept_mono_ms;
};

struct playbacks *playbacks_new(const struct playbacks_config *config)
{
    struct playbacks *playbacks = weir_xalloc(sizeof(*playbacks));
    playbacks->config = *config;
    playbacks->entries = weir_map_new(sizeof(struct key));
    playbacks->viewers = weir_map_new(sizeof(struct weir_id));
    playbacks->tenants = weir_map_new(sizeof(struct weir_id));
    pthread_mutex_init(&playbacks->mutex, NULL);
    return playbacks;
}

static void free_values(struct weir_map *map)
{
    void *value;
    for (size_t at = 0; weir_map_next(map, &at, NULL, &value);) {
        free(value);
    }
    weir_map_free(map);
}

void playbacks_free(struct playbacks *playbacks)
{
    if (!playbacks) {
        return;
    }
    free_values(playbacks->entries);
    free_values(playbacks->viewers);
    free_values(playbacks->tenants);
    pthread_mutex_destroy(&playbacks->mutex);
    free(playbacks);
}

/* ---- with the mutex held ---- */

static int64_t count_of(const struct weir_map *map, const struct weir_id *id)
{
    const struct tally *tally = weir_map_find(map, id->b);
    return tally ? tally->n : 0;
}

static void add_one(struct weir_map *map, const struct weir_id *id)
{
    struct tally *tally = weir_map_find(map, id->b);
    if (!tally) {
        tally = weir_xalloc(sizeof(*tally));
        weir_map_put(map, id->b, tally);
    }
    tally->n++;
}

static void take_one(struct weir_map *map, const struct weir_id *id)
{
    struct tally *tally = weir_map_find(map, id->b);
    if (tally && --tally->n == 0) {
        weir_map_remove(map, id->b);
        free(tally);
    }
}

static struct key key_of(const struct playback *who)
{
    return (struct key){who->login_id, who->stream_id};
}

static void sweep(struct playbacks *playbacks, int64_t mono_ms)
{
    void *value;
    if (mono_ms - playbacks->swept_mono_ms < SWEEP_MS) {
        return;
    }
    playbacks->swept_mono_ms = mono_ms;
    for (size_t at = 0; weir_map_next(playbacks->entries, &at, NULL, &value);) {
        struct entry *entry = value;
        if (mono_ms - entry->seen_mono_ms < PLAYBACKS_LIVE_MS) {
            continue;
        }
        if (entry->is_in) {
            take_one(playbacks->viewers, &entry->who.viewer_id);
            take_one(playbacks->tenants, &entry->who.tenant_id);
        }
        struct key key = key_of(&entry->who);
        weir_map_remove(playbacks->entries, &key);
        free(entry);
    }
}

static enum playbacks_verdict judge(const struct playbacks *playbacks, const struct playback *asked,
                                    bool is_playing, int64_t mono_ms)
{
    if (is_playing || mono_ms - playbacks->config.born_mono_ms < PLAYBACKS_LIVE_MS) {
        return PLAYBACKS_OK;
    }
    if (count_of(playbacks->viewers, &asked->viewer_id) >= playbacks->config.viewer_max) {
        return PLAYBACKS_VIEWER;
    }
    return count_of(playbacks->tenants, &asked->tenant_id) >= playbacks->config.tenant_max
               ? PLAYBACKS_TENANT
               : PLAYBACKS_OK;
}

static struct entry *get(struct playbacks *playbacks, const struct playback *asked)
{
    struct key key = key_of(asked);
    struct entry *entry = weir_map_find(playbacks->entries, &key);
    if (!entry && weir_map_count(playbacks->entries) < playbacks->config.max) {
        entry = weir_xalloc(sizeof(*entry));
        *entry = (struct entry){.who = *asked};
        weir_map_put(playbacks->entries, &key, entry);
    }
    return entry;
}

enum playbacks_verdict playbacks_take(struct playbacks *playbacks, const struct playback *asked,
                                      bool is_playing, int64_t mono_ms)
{
    enum playbacks_verdict verdict = PLAYBACKS_OK;
    pthread_mutex_lock(&playbacks->mutex);
    sweep(playbacks, mono_ms);
    struct entry *entry = get(playbacks, asked);
    if (entry) {
        entry->seen_mono_ms = mono_ms;
    }
    if (entry && !entry->is_in) {
        verdict = judge(playbacks, asked, is_playing, mono_ms);
        entry->is_in = verdict == PLAYBACKS_OK;
        if (entry->is_in) {
            add_one(playbacks->viewers, &entry->who.viewer_id);
            add_one(playbacks->tenants, &entry->who.tenant_id);
        }
    }
    pthread_mutex_unlock(&playbacks->mutex);
    return verdict;
}

size_t playbacks_count(struct playbacks *playbacks)
{
    pthread_mutex_lock(&playbacks->mutex);
    size_t n = weir_map_count(playbacks->entries);
    pthread_mutex_unlock(&playbacks->mutex);
    return n;
}

size_t playbacks_refused(struct playbacks *playbacks, int64_t mono_ms, size_t max,
                         struct playback *ret)
{
    size_t n = 0;
    void *value;
    pthread_mutex_lock(&playbacks->mutex);
    sweep(playbacks, mono_ms);
    for (size_t at = 0; n < max && weir_map_next(playbacks->entries, &at, NULL, &value);) {
        const struct entry *entry = value;
        if (!entry->is_in) {
            ret[n++] = entry->who;
        }
    }
    pthread_mutex_unlock(&playbacks->mutex);
    return n;
}
