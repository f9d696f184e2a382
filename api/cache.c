/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/clock.h"

#define CONNECTIONS_MAX 160
#define ANSWER_MS       100 /* a start waits for it; then it goes on without */
#define AGAIN_MS        500

struct api_cache {
    pthread_mutex_t mutex;
    struct weir_store *stores[CONNECTIONS_MAX];
    bool is_taken[CONNECTIONS_MAX];
    size_t n;
    bool has_failed; /* the last time; then one caller after the other tries */
    int64_t away_until_mono_ms;
};

enum weir_code api_cache_open(const char *url, size_t connections, struct api_cache **ret,
                              struct weir_err *err)
{
    struct api_cache *cache = weir_xalloc(sizeof(*cache));
    enum weir_code code = WEIR_OK;
    /* The pause after a failure is that of all. */
    struct weir_store_config config = {
        .url = url, .connect_ms = ANSWER_MS, .command_ms = ANSWER_MS, .retry_ms = -1};
    size_t wanted = connections < CONNECTIONS_MAX ? connections : CONNECTIONS_MAX;
    pthread_mutex_init(&cache->mutex, NULL);
    while (*url && code == WEIR_OK && cache->n < wanted) {
        code = weir_store_open(&config, &cache->stores[cache->n], err);
        cache->n += code == WEIR_OK;
    }
    if (code != WEIR_OK) {
        api_cache_close(&cache);
        return code;
    }
    *ret = cache;
    return WEIR_OK;
}

void api_cache_close(struct api_cache **cache_ptr)
{
    struct api_cache *cache = WEIR_TAKE(*cache_ptr);
    if (!cache) {
        return;
    }
    for (size_t i = 0; i < cache->n; i++) {
        weir_store_close(&cache->stores[i]);
    }
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

/* The place of a free connection; `n` when Redis is away or all are taken. */
static size_t take(struct api_cache *cache)
{
    size_t i = cache->n;
    int64_t now_ms = weir_clock_mono_ms();
    pthread_mutex_lock(&cache->mutex);
    if (now_ms >= cache->away_until_mono_ms) {
        cache->away_until_mono_ms = cache->has_failed ? now_ms + AGAIN_MS : 0;
        for (i = 0; i < cache->n && cache->is_taken[i]; i++) {
        }
        if (i < cache->n) {
            cache->is_taken[i] = true;
        }
    }
    pthread_mutex_unlock(&cache->mutex);
    return i;
}

static void give_back(struct api_cache *cache, size_t i, enum weir_code code)
{
    pthread_mutex_lock(&cache->mutex);
    cache->is_taken[i] = false;
    cache->has_failed = code != WEIR_OK && code != WEIR_EINVAL;
    cache->away_until_mono_ms = cache->has_failed ? weir_clock_mono_ms() + AGAIN_MS : 0;
    pthread_mutex_unlock(&cache->mutex);
}

enum weir_code api_cache_call(struct api_cache *cache, const char *const *args, size_t n,
                              struct weir_arena *arena, struct weir_store_value *ret,
                              struct weir_err *err)
{
    size_t i = take(cache);
    if (i == cache->n) {
        return weir_fail(err, WEIR_EUNAVAILABLE, "redis: away");
    }
    struct weir_store *store = cache->stores[i];
    enum weir_code code = weir_store_call(store, args, NULL, n, arena, ret, err);
    if (code == WEIR_EUNAVAILABLE) { /* maybe only this connection is, since Redis began anew */
        code = weir_store_call(store, args, NULL, n, arena, ret, err);
    }
    give_back(cache, i, code);
    return code;
}
