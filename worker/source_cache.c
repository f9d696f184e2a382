/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/source_cache.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/io/store.h"

#define ANSWER_MS 200 /* then an api is asked */

enum found { HIT, OLD, FORGED, MOVED, MISS, AWAY, UNUSABLE, N_FOUND };

static const char *const found_names[] = {"hit",  "old",  "forged",  "moved",
                                          "miss", "away", "unusable"};

struct source_cache {
    struct weir_store *store;
    struct weir_sign_ring ring;
    int64_t cell;
    struct weir_metric *found[N_FOUND];
};

enum weir_code source_cache_open(const char *redis, const char *keys, int64_t cell,
                                 struct weir_metrics *metrics, struct source_cache **ret,
                                 struct weir_err *err)
{
    *ret = NULL;
    if (!*redis || !*keys) {
        return WEIR_OK;
    }
    struct source_cache *cache = weir_xalloc(sizeof(*cache));
    struct weir_store_config config = {
        .url = redis, .connect_ms = ANSWER_MS, .command_ms = ANSWER_MS};
    cache->cell = cell;
    enum weir_code code = weir_sign_parse_ring(keys, &cache->ring, err);
    if (code == WEIR_OK) {
        code = weir_store_open(&config, &cache->store, err);
    }
    if (code != WEIR_OK) {
        source_cache_close(&cache);
        return code;
    }
    for (int i = 0; i < N_FOUND; i++) {
        cache->found[i] = weir_metrics_counter(metrics, "weir_worker_source_cache_total",
                                               "Looks into Redis for a camera's source, by what "
                                               "was found",
                                               "found", found_names[i]);
    }
    *ret = cache;
    return WEIR_OK;
}

void source_cache_close(struct source_cache **cache_ptr)
{
    struct source_cache *cache = WEIR_TAKE(*cache_ptr);
    if (cache) {
        weir_store_close(&cache->store);
        free(cache);
    }
}

void source_cache_count_unusable(struct source_cache *cache)
{
    weir_metric_add(cache->found[UNUSABLE], 1);
}

enum source_cache_verdict source_cache_judge(const struct weir_sign_ring *ring,
                                             const struct call *call, const char *signed_text,
                                             int64_t wall_ms, struct weir_arena *arena,
                                             const char **ret_text)
{
    struct weir_source_entry entry;
    const char *text = NULL;
    if (weir_sign_check(ring, WEIR_SOURCE_ENTRY_CONTEXT, signed_text, arena, &text, NULL) !=
            WEIR_OK ||
        weir_source_entry_parse(text, arena, &entry, NULL) != WEIR_OK) {
        return SOURCE_CACHE_FORGED;
    }
    if (!weir_id_equal(&entry.camera_id, &call->id) ||
        !weir_id_equal(&entry.tenant_id, &call->tenant_id)) {
        return SOURCE_CACHE_MOVED;
    }
    if (entry.expires_at_ms <= wall_ms || entry.camera_version < call->camera_version ||
        entry.tenant_version < call->tenant_version) {
        return SOURCE_CACHE_OLD;
    }
    *ret_text = text;
    return SOURCE_CACHE_HIT;
}

/* WEIR_OK with NULL: there is no such field. */
static enum weir_code read_field(struct source_cache *cache, const char *key, const char *field,
                                 struct weir_arena *arena, const char **ret)
{
    const char *args[] = {"HGET", key, field};
    struct weir_store_value value = {0};
    enum weir_code code = weir_store_call(cache->store, args, NULL, 3, arena, &value, NULL);
    *ret = code == WEIR_OK && value.type == WEIR_STORE_TEXT ? value.text : NULL;
    return code;
}

/* A tenant that changed a moment ago, of which this worker may not have heard yet. */
static int64_t tenant_version(const char *text, int64_t heard)
{
    int64_t version = 0;
    bool is_newer =
        text && weir_str_to_int(text, 0, INT64_MAX, &version, NULL) == WEIR_OK && version > heard;
    return is_newer ? version : heard;
}

static enum found look(struct source_cache *cache, const struct call *call,
                       struct weir_arena *arena, const char **ret_text)
{
    const char *version = NULL;
    const char *signed_text = NULL;
    struct call wanted = {
        .id = call->id, .tenant_id = call->tenant_id, .camera_version = call->camera_version};
    enum weir_code code = read_field(
        cache, weir_source_tenant_key(cache->cell, &call->tenant_id, arena), "v", arena, &version);
    if (code == WEIR_OK) {
        code = read_field(cache, weir_source_entry_key(cache->cell, &call->id, arena), "e", arena,
                          &signed_text);
    }
    if (code != WEIR_OK) { /* WEIR_EINVAL: something else lies where a hash should be */
        return code == WEIR_EINVAL ? FORGED : AWAY;
    }
    if (!signed_text) {
        return MISS;
    }
    wanted.tenant_version = tenant_version(version, call->tenant_version);
    return (enum found)source_cache_judge(&cache->ring, &wanted, signed_text, weir_clock_wall_ms(),
                                          arena, ret_text);
}

bool source_cache_look(void *ctx, const struct call *call, struct weir_arena *arena,
                       struct weir_http_answer *ret)
{
    struct source_cache *cache = ctx;
    const char *text = NULL;
    enum found found = look(cache, call, arena, &text);
    weir_metric_add(cache->found[found], 1);
    if (found != HIT) {
        return false;
    }
    *ret = (struct weir_http_answer){.status = 200, .body = text, .body_len = strlen(text)};
    return true;
}
