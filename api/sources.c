/* SPDX-License-Identifier: Apache-2.0 */
#include "api/sources.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache.h"
#include "api/ceilings.h"
#include "api/config.h"
#include "api/flights.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/io/sign.h"

#define FLIGHT_MS    2500  /* longer than a statement may take */
#define CHANGED_MS   60000 /* longer than anybody may take to write what he read before */
#define VERSION_TEXT 24

/* What Redis had to say. */
enum found { HIT, MISS, OLD, FORGED, MOVED, AWAY, N_FOUND };

static const char *const found_names[] = {"hit", "miss", "old", "forged", "moved", "away"};

/* Where it came from in the end. */
enum origin { FROM_REDIS, FROM_MEMORY, FROM_POSTGRES, FROM_MEMORY_ALONE, N_ORIGINS };

static const char *const origin_names[] = {"redis", "memory", "postgres", "postgres_away"};

struct api_sources {
    bool has_key;
    struct weir_sign_key key;
    struct weir_sign_ring ring;
    struct weir_metric *found[N_FOUND];
    struct weir_metric *origins[N_ORIGINS];
    struct weir_metric *starts[2];
    struct flights *flights; /* what Postgres is being asked for */
};

enum weir_code api_sources_open(struct api *api, struct api_sources **ret, struct weir_err *err)
{
    struct api_sources *sources = weir_xalloc(sizeof(*sources));
    const char *key = api->settings->source_sign_key;
    enum weir_code code = *key ? weir_sign_parse_key(key, &sources->key, err) : WEIR_OK;
    if (code != WEIR_OK) {
        free(sources);
        return weir_fail_in(err, code, "WEIR_SOURCE_SIGN_KEY");
    }
    sources->has_key = *key != '\0';
    sources->ring = weir_sign_ring_of(&sources->key);
    for (int i = 0; i < N_FOUND; i++) {
        sources->found[i] = weir_metrics_counter(api->metrics, "weir_api_source_cache_total",
                                                 "Looks into Redis for a camera's source, by what "
                                                 "was found",
                                                 "found", found_names[i]);
    }
    for (int i = 0; i < N_ORIGINS; i++) {
        sources->origins[i] = weir_metrics_counter(api->metrics, "weir_api_sources_total",
                                                   "Cameras' sources given out, by where they came "
                                                   "from",
                                                   "from", origin_names[i]);
    }
    for (int i = 0; i < 2; i++) {
        sources->starts[i] = weir_metrics_counter(
            api->metrics, "weir_api_starts_total",
            "Starts, and tickets as starts, that were judged, by whether Postgres was asked",
            "postgres", i ? "asked" : "not_asked");
    }
    sources->flights = flights_new();
    *ret = sources;
    return WEIR_OK;
}

void api_sources_free(struct api_sources *sources)
{
    if (!sources) {
        return;
    }
    flights_free(sources->flights);
    explicit_bzero(sources, sizeof(*sources));
    free(sources);
}

void api_sources_count_start(struct api *api, bool has_asked)
{
    weir_metric_add(api->sources->starts[has_asked], 1);
}

/* ---- one search ---- */

struct search {
    struct api *api;
    struct api_source_wish wish; /* its versions rise with what is heard */
    struct weir_arena *arena;
    bool is_forged; /* what is in Redis must make way, whatever its version */
};

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool is_new_enough(const struct search *search, int64_t camera_version,
                          int64_t tenant_version)
{
    return camera_version >= search->wish.camera_version &&
           tenant_version >= search->wish.tenant_version;
}

/* A text for a key that is on its way out is not handed on: workers will soon not open it. */
static bool is_for_this_key(const struct search *search, const char *sealed)
{
    char id[WEIR_SEAL_ID_MAX];
    weir_seal_id_of(sealed, id);
    return strcmp(id, search->api->seal_key.id) == 0;
}

/* ---- Redis ---- */

/* What is there: its version, or false. Somebody may have put anything in its place. */
#define OF_VERSION                                                                                 \
    "local v = redis.pcall('HGET', KEYS[1], 'v') v = type(v) == 'string' and tonumber(v)"

/* As long as nothing newer is there, unless that is forged. */
static const char put_script[] =
    OF_VERSION " if v and ARGV[4] == '0' and v > tonumber(ARGV[1]) then return 0 end"
               " redis.call('DEL', KEYS[1])"
               " redis.call('HSET', KEYS[1], 'v', ARGV[1], 'e', ARGV[2])"
               " redis.call('PEXPIRE', KEYS[1], ARGV[3]) return 1";

/* An entry of this version or a newer one stays. */
static const char changed_script[] = OF_VERSION " if v and v >= tonumber(ARGV[1]) then return 0 end"
                                                " redis.call('DEL', KEYS[1])"
                                                " redis.call('HSET', KEYS[1], 'v', ARGV[1])"
                                                " redis.call('PEXPIRE', KEYS[1], ARGV[2]) return 1";

static const char *int_text(struct weir_arena *arena, int64_t value)
{
    return weir_arena_printf(arena, "%" PRId64, value);
}

/* The texts of a hash's fields; NULL where there is none. */
static enum weir_code read_hash(struct search *search, const char *key, const char **ret_v,
                                const char **ret_e)
{
    const char *args[] = {"HMGET", key, "v", "e"};
    struct weir_store_value value;
    enum weir_code code = api_cache_call(search->api->cache, args, 4, search->arena, &value, NULL);
    bool is_pair = code == WEIR_OK && value.type == WEIR_STORE_ARRAY && value.n_items == 2;
    *ret_v = is_pair && value.items[0].type == WEIR_STORE_TEXT ? value.items[0].text : NULL;
    *ret_e = is_pair && value.items[1].type == WEIR_STORE_TEXT ? value.items[1].text : NULL;
    return code;
}

static int64_t version_of(const char *text)
{
    int64_t version = 0;
    return text && weir_str_to_int(text, 0, INT64_MAX, &version, NULL) == WEIR_OK ? version : 0;
}

/* Whether the entry is one of an api, of this camera and tenant, and how things are now. */
static enum found judge(struct search *search, const char *v, const char *signed_text,
                        struct weir_source_entry *ret)
{
    const char *text = NULL;
    if (weir_sign_check(&search->api->sources->ring, WEIR_SOURCE_ENTRY_CONTEXT, signed_text,
                        search->arena, &text, NULL) != WEIR_OK ||
        weir_source_entry_parse(text, search->arena, ret, NULL) != WEIR_OK ||
        version_of(v) != ret->camera_version) {
        return FORGED;
    }
    if (!weir_id_equal(&ret->camera_id, &search->wish.camera_id)) {
        return MOVED;
    }
    /* Another tenant asks for a camera that is not his: that is nobody's forgery, and no hit. */
    if (!weir_id_equal(&ret->tenant_id, &search->wish.tenant_id)) {
        return MISS;
    }
    bool is_current = ret->expires_at_ms > weir_clock_wall_ms() &&
                      is_new_enough(search, ret->camera_version, ret->tenant_version);
    if (!is_current) {
        return OLD;
    }
    return is_for_this_key(search, ret->sealed) ? HIT : MISS;
}

static enum found look_in_redis(struct search *search, struct api_known_camera *ret)
{
    const struct api *api = search->api;
    int64_t cell = api->settings->cell;
    const char *v;
    const char *e;
    const char *tenant_v;
    const char *unused;
    if (!api->sources->has_key) {
        return AWAY;
    }
    enum weir_code code =
        read_hash(search, weir_source_tenant_key(cell, &search->wish.tenant_id, search->arena),
                  &tenant_v, &unused);
    if (code == WEIR_OK) {
        search->wish.tenant_version = larger(search->wish.tenant_version, version_of(tenant_v));
        code = read_hash(
            search, weir_source_entry_key(cell, &search->wish.camera_id, search->arena), &v, &e);
    }
    if (code != WEIR_OK) { /* WEIR_EINVAL: something else lies where a hash should be */
        return code == WEIR_EINVAL ? FORGED : AWAY;
    }
    if (!e) {
        search->wish.camera_version = larger(search->wish.camera_version, version_of(v));
        return MISS;
    }
    struct weir_source_entry entry;
    enum found found = judge(search, v, e, &entry);
    if (found == HIT) {
        *ret = (struct api_known_camera){.version = entry.camera_version,
                                         .tenant_version = entry.tenant_version,
                                         .max_streams = entry.max_streams,
                                         .is_stopped = entry.is_stopped,
                                         .source_version = entry.source_version,
                                         .sealed = entry.sealed,
                                         .is_exclusive = entry.is_exclusive,
                                         .encoder_delay_ms = entry.encoder_delay_ms,
                                         .otherwise = entry.otherwise,
                                         .ceiling = entry.ceiling,
                                         .has_audio = entry.has_audio,
                                         .networks = entry.networks};
    }
    return found;
}

struct weir_source_entry api_sources_entry(const struct api *api, const struct weir_id *tenant_id,
                                           const struct weir_id *camera_id,
                                           const struct api_known_camera *camera)
{
    return (struct weir_source_entry){
        .tenant_id = *tenant_id,
        .camera_id = *camera_id,
        .camera_version = camera->version,
        .tenant_version = camera->tenant_version,
        .source_version = camera->source_version,
        .sealed = camera->sealed,
        .networks = camera->networks ? camera->networks : api->settings->default_camera_networks,
        .is_exclusive = camera->is_exclusive,
        .encoder_delay_ms = camera->encoder_delay_ms,
        .is_stopped = camera->is_stopped,
        .max_streams = camera->max_streams,
        .otherwise = camera->otherwise,
        .ceiling = camera->ceiling,
        .has_audio = camera->has_audio,
        .expires_at_ms = weir_clock_wall_ms() + api->settings->source_cache_s * 1000,
    };
}

static void put_into_redis(struct search *search, const struct api_known_camera *camera)
{
    struct api *api = search->api;
    struct weir_arena *arena = search->arena;
    if (!api->sources->has_key || !is_for_this_key(search, camera->sealed)) {
        return;
    }
    struct weir_source_entry entry =
        api_sources_entry(api, &search->wish.tenant_id, &search->wish.camera_id, camera);
    const char *args[] = {
        "EVAL",
        put_script,
        "1",
        weir_source_entry_key(api->settings->cell, &entry.camera_id, arena),
        int_text(arena, camera->version),
        weir_sign(&api->sources->key, WEIR_SOURCE_ENTRY_CONTEXT,
                  weir_source_entry_write(&entry, arena), arena),
        int_text(arena, api->settings->source_cache_s * 1000),
        search->is_forged ? "1" : "0",
    };
    WEIR_IGNORE(api_cache_call(api->cache, args, 8, arena, NULL, NULL), "it is a cache");
}

/* ---- memory ---- */

static bool find_in_memory(struct search *search, struct api_known_camera *ret)
{
    return api_known_cameras_find(search->api->known_cameras, &search->wish.tenant_id,
                                  &search->wish.camera_id, search->arena, ret) &&
           is_new_enough(search, ret->version, ret->tenant_version);
}

/* ---- Postgres ---- */

enum { OF_CAMERA = 10, OF_TENANT = OF_CAMERA + CEILINGS_N }; /* where their columns begin */

/* The camera's default before its tenant's; of both ceilings the lower. */
static void read_profiles(const struct weir_db_rows *rows, struct api_known_camera *ret)
{
    struct ceiling_texts camera = ceilings_of_row(rows, 0, OF_CAMERA);
    struct ceiling_texts tenant = ceilings_of_row(rows, 0, OF_TENANT);
    struct weir_ceiling a = ceilings_top(&camera);
    struct weir_ceiling b = ceilings_top(&tenant);
    ret->ceiling = weir_ceiling_lower(&a, &b);
    for (int i = 0; i < CEILINGS_N; i++) {
        camera.text[i] = camera.text[i] ? camera.text[i] : tenant.text[i];
    }
    ret->otherwise = ceilings_default(&camera);
}

static enum weir_code read_row(struct search *search, struct api_known_camera *ret,
                               struct weir_err *err)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    char id[WEIR_ID_TEXT_MAX];
    const char *params[] = {weir_id_format(&search->wish.camera_id, id)};
    enum weir_code code = weir_db_begin(search->api->db, &search->wish.tenant_id, &tx, err);
    if (code == WEIR_OK) {
        code =
            weir_db_exec(tx,
                         "SELECT t.max_streams, c.source_version, convert_from(c.sealed, 'UTF8'),"
                         " t.camera_networks, c.exclusive, c.version, t.version, t.stopped,"
                         " c.encoder_delay_ms, t.audio = 'on' AND NOT c.muted,"
                         " c.default_quality, c.default_fps, c.max_quality, c.max_fps,"
                         " t.default_quality, t.default_fps, t.max_quality, t.max_fps"
                         " FROM camera c JOIN tenant t ON t.id = c.tenant_id WHERE c.id = $1",
                         params, 1, search->arena, &rows, err);
    }
    if (code == WEIR_OK && weir_db_count(rows) == 0) {
        code = weir_fail(err, WEIR_ENOTFOUND, "there is no such camera");
    }
    if (code == WEIR_OK) {
        ret->max_streams = weir_db_int(rows, 0, 0);
        ret->source_version = weir_db_int(rows, 0, 1);
        ret->sealed = weir_db_text(rows, 0, 2);
        ret->networks = weir_db_text(rows, 0, 3);
        ret->is_exclusive = weir_db_bool(rows, 0, 4);
        ret->version = weir_db_int(rows, 0, 5);
        ret->tenant_version = weir_db_int(rows, 0, 6);
        ret->is_stopped = weir_db_bool(rows, 0, 7);
        ret->encoder_delay_ms = weir_db_int(rows, 0, 8);
        ret->has_audio = weir_db_bool(rows, 0, 9);
        read_profiles(rows, ret);
    }
    return code;
}

/* What is read is known to this api and to Redis before the next one looks. */
static enum weir_code ask_postgres(struct search *search, struct api_known_camera *ret,
                                   struct weir_err *err)
{
    struct api_known_cameras *known = search->api->known_cameras;
    const struct api_source_wish *wish = &search->wish;
    enum weir_code code = read_row(search, ret, err);
    if (code == WEIR_OK) {
        api_known_cameras_put(known, &wish->tenant_id, &wish->camera_id, ret);
        put_into_redis(search, ret);
    } else if (code == WEIR_ENOTFOUND) {
        api_known_cameras_remove(known, &wish->tenant_id, &wish->camera_id);
    }
    return code;
}

/* ---- all of them ---- */

static enum weir_code done(const struct search *search, enum origin origin)
{
    weir_metric_add(search->api->sources->origins[origin], 1);
    return WEIR_OK;
}

/* Redis lacks it, or what is there cannot be believed: then whatever it said of changes is lost. */
static enum weir_code find_elsewhere(struct search *search, struct api_known_camera *ret,
                                     bool *ret_asked, struct weir_err *err)
{
    struct api *api = search->api;
    struct flights *flights = api->sources->flights;
    const struct api_source_wish *wish = &search->wish;
    if (!search->is_forged && api_config_is_current(api->config) && find_in_memory(search, ret) &&
        is_for_this_key(search, ret->sealed)) {
        put_into_redis(search, ret);
        return done(search, FROM_MEMORY);
    }
    enum flights_verdict verdict = flights_board(flights, &wish->tenant_id, &wish->camera_id,
                                                 weir_clock_mono_ms() + FLIGHT_MS);
    if (verdict == FLIGHTS_OVER && find_in_memory(search, ret)) {
        return done(search, FROM_MEMORY);
    }
    *ret_asked = true;
    enum weir_code code = ask_postgres(search, ret, err);
    if (verdict == FLIGHTS_FIRST) {
        flights_land(flights, &wish->tenant_id, &wish->camera_id);
    }
    return code == WEIR_OK ? done(search, FROM_POSTGRES) : code;
}

enum weir_code api_sources_find(struct api *api, const struct api_source_wish *wish,
                                struct weir_arena *arena, struct api_known_camera *ret,
                                bool *ret_asked, struct weir_err *err)
{
    struct search search = {.api = api, .wish = *wish, .arena = arena};
    struct api_known_cameras *known = api->known_cameras;
    search.wish.camera_version =
        larger(wish->camera_version, api_known_cameras_least(known, &wish->camera_id));
    search.wish.tenant_version =
        larger(wish->tenant_version, api_known_cameras_least(known, &wish->tenant_id));
    enum found found = look_in_redis(&search, ret);
    weir_metric_add(api->sources->found[found], 1);
    if (found == HIT) {
        api_known_cameras_put(known, &wish->tenant_id, &wish->camera_id, ret);
        return done(&search, FROM_REDIS);
    }
    search.is_forged = found == FORGED || found == MOVED;
    enum weir_code code = WEIR_OK;
    if (found == AWAY) {
        /* Nobody tells of changes at once, so the row itself is asked. */
        *ret_asked = true;
        code = ask_postgres(&search, ret, err);
        if (code == WEIR_OK) {
            return done(&search, FROM_POSTGRES);
        }
    } else {
        code = find_elsewhere(&search, ret, ret_asked, err);
    }
    bool is_away = code == WEIR_EUNAVAILABLE || code == WEIR_ETIMEOUT || code == WEIR_EUNKNOWN;
    return is_away && find_in_memory(&search, ret) ? done(&search, FROM_MEMORY_ALONE) : code;
}

/* ---- changes ---- */

static void tell_redis(struct api *api, struct weir_arena *arena, const char *key, int64_t version,
                       int64_t life_ms)
{
    const char *args[] = {"EVAL", changed_script,           "1",
                          key,    int_text(arena, version), int_text(arena, life_ms)};
    if (api->sources->has_key) {
        WEIR_IGNORE(api_cache_call(api->cache, args, 6, arena, NULL, NULL), "the log tells it too");
    }
}

void api_sources_camera_changed(struct api *api, const struct weir_id *camera_id, int64_t version,
                                bool is_new)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(2048);
    api_known_cameras_hear(api->known_cameras, camera_id, version);
    if (is_new) {
        tell_redis(api, arena, weir_source_entry_key(api->settings->cell, camera_id, arena),
                   version, CHANGED_MS);
    }
}

void api_sources_tenant_changed(struct api *api, const struct weir_id *tenant_id, int64_t version,
                                bool is_new)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(2048);
    api_known_cameras_hear(api->known_cameras, tenant_id, version);
    if (is_new) { /* longer than an entry of its cameras lives */
        tell_redis(api, arena, weir_source_tenant_key(api->settings->cell, tenant_id, arena),
                   version, api->settings->source_cache_s * 1000 + CHANGED_MS);
    }
}
