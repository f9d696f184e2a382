/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/auth.h"

#include <errno.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/io/auth_jwt.h"
#include "lib/io/http_client.h"

#define REFRESH_MS        600000
#define RETRY_MS          10000
#define COOL_DOWN_MS      30000
#define GOOD_FOR_MS       3600000
#define FETCH_MS          5000
#define CACHE_MAX_DEFAULT 65536
#define CACHE_TTL_MS      300000

struct cached {
    uint8_t digest[SHA256_DIGEST_LENGTH];
    struct weir_principal principal;
    int64_t until_ms; /* Unix */
};

struct weir_auth {
    char *jwks;
    char *ca_file; /* NULL: the system's */
    struct weir_jwt_policy policy;
    size_t cache_max;

    pthread_t thread;
    /* Verifiers read the set, the thread replaces it. */
    pthread_rwlock_t set_lock;
    struct weir_jwks *set;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool is_ending;
    bool is_asked;
    bool is_loading;
    uint64_t n_loads;
    int64_t tried_mono_ms;
    int64_t loaded_mono_ms; /* 0: never */
    struct weir_err last_err;
    struct weir_map *cache; /* SHA-256 of a token -> struct cached, oldest first */
};

/* ---- cache ---- */

/* With the mutex held. */
static void cache_clear(struct weir_auth *auth)
{
    void *value;
    for (size_t at = 0; weir_map_next(auth->cache, &at, NULL, &value);) {
        free(value);
    }
    weir_map_free(auth->cache);
    auth->cache = weir_map_new(SHA256_DIGEST_LENGTH);
}

static bool cache_find(struct weir_auth *auth, const uint8_t *digest, int64_t now_ms,
                       struct weir_principal *ret)
{
    pthread_mutex_lock(&auth->mutex);
    struct cached *cached = weir_map_find(auth->cache, digest);
    bool is_good = cached && now_ms < cached->until_ms;
    if (is_good) {
        *ret = cached->principal;
    } else if (cached) {
        weir_map_remove(auth->cache, digest);
        free(cached);
    }
    pthread_mutex_unlock(&auth->mutex);
    return is_good;
}

static void cache_put(struct weir_auth *auth, const uint8_t *digest, uint64_t n_loads,
                      const struct weir_principal *principal, int64_t now_ms)
{
    pthread_mutex_lock(&auth->mutex);
    if (n_loads == auth->n_loads) {
        if (weir_map_count(auth->cache) >= auth->cache_max) {
            void *oldest;
            size_t at = 0;
            weir_map_next(auth->cache, &at, NULL, &oldest);
            weir_map_remove(auth->cache, ((struct cached *)oldest)->digest);
            free(oldest);
        }
        struct cached *cached = weir_xalloc(sizeof(*cached));
        memcpy(cached->digest, digest, sizeof(cached->digest));
        cached->principal = *principal;
        cached->until_ms = now_ms + CACHE_TTL_MS < principal->expires_at_ms
                               ? now_ms + CACHE_TTL_MS
                               : principal->expires_at_ms;
        free(weir_map_put(auth->cache, digest, cached));
    }
    pthread_mutex_unlock(&auth->mutex);
}

/* ---- loading ---- */

static enum weir_code read_file(const char *path, struct weir_arena *arena, const char **ret,
                                size_t *ret_len, struct weir_err *err)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return weir_fail(err, WEIR_EUNAVAILABLE, "%s: %s", path, strerror(errno));
    }
    char *bytes = weir_arena_alloc(arena, WEIR_JWKS_BYTES_MAX + 1);
    size_t len = fread(bytes, 1, WEIR_JWKS_BYTES_MAX + 1, file);
    fclose(file);
    *ret = bytes;
    *ret_len = len;
    return WEIR_OK;
}

static enum weir_code fetch_url(const struct weir_auth *auth, struct weir_http_client *client,
                                struct weir_arena *arena, const char **ret, size_t *ret_len,
                                struct weir_err *err)
{
    const char *const headers[] = {"Accept: application/json", NULL};
    struct weir_http_call call = {.url = auth->jwks,
                                  .headers = headers,
                                  .ca_file = auth->ca_file,
                                  .timeout_ms = FETCH_MS,
                                  .max_bytes = WEIR_JWKS_BYTES_MAX};
    struct weir_http_answer answer;
    enum weir_code code = weir_http_client_call(client, &call, arena, &answer, err);
    if (code == WEIR_OK && answer.status != 200) {
        code = weir_fail(err, WEIR_EUNAVAILABLE, "the key set's server answered %d", answer.status);
    }
    if (code == WEIR_OK) {
        *ret = answer.body;
        *ret_len = answer.body_len;
    }
    return code;
}

static enum weir_code load(struct weir_auth *auth, struct weir_http_client *client,
                           struct weir_jwks **ret, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    const char *bytes = NULL;
    size_t len = 0;
    enum weir_code code = weir_str_starts_with(auth->jwks, "https://")
                              ? fetch_url(auth, client, arena, &bytes, &len, err)
                              : read_file(auth->jwks, arena, &bytes, &len, err);
    return code == WEIR_OK ? weir_jwks_parse(bytes, len, ret, err) : code;
}

static void take_set(struct weir_auth *auth, struct weir_jwks *set)
{
    pthread_rwlock_wrlock(&auth->set_lock);
    struct weir_jwks *old = auth->set;
    auth->set = set;
    pthread_rwlock_unlock(&auth->set_lock);
    weir_jwks_free(old);
}

static void load_once(struct weir_auth *auth, struct weir_http_client *client)
{
    struct weir_err err = {0};
    struct weir_jwks *set = NULL;
    if (load(auth, client, &set, &err) == WEIR_OK) {
        take_set(auth, set);
    }
    pthread_mutex_lock(&auth->mutex);
    auth->tried_mono_ms = weir_clock_mono_ms();
    auth->last_err = err;
    if (set) {
        auth->loaded_mono_ms = auth->tried_mono_ms;
        auth->n_loads++;
        cache_clear(auth);
    }
    auth->is_loading = false;
    pthread_cond_broadcast(&auth->changed);
    pthread_mutex_unlock(&auth->mutex);
}

/* Waits for the next load's time, or for somebody to ask for it; false at the end. */
static bool wait_for_turn(struct weir_auth *auth)
{
    pthread_mutex_lock(&auth->mutex);
    int64_t pause_ms = auth->last_err.code == WEIR_OK ? REFRESH_MS : RETRY_MS;
    int64_t until_ms = auth->tried_mono_ms ? auth->tried_mono_ms + pause_ms : 0;
    while (!auth->is_ending && !auth->is_asked &&
           weir_clock_wait(&auth->changed, &auth->mutex, until_ms)) {
    }
    auth->is_asked = false;
    auth->is_loading = true;
    bool goes_on = !auth->is_ending;
    pthread_mutex_unlock(&auth->mutex);
    return goes_on;
}

static void *keep_loaded(void *ctx)
{
    struct weir_auth *auth = ctx;
    pthread_setname_np(pthread_self(), "weir-jwks");
    struct weir_http_client *client = weir_http_client_new();
    while (wait_for_turn(auth)) {
        load_once(auth, client);
    }
    weir_http_client_free(client);
    return NULL;
}

/* Asks for a load, unless one was tried just now. True while one is under way. */
static bool ask_load(struct weir_auth *auth)
{
    int64_t now_ms = weir_clock_mono_ms();
    pthread_mutex_lock(&auth->mutex);
    if (!auth->is_loading && now_ms - auth->tried_mono_ms >= COOL_DOWN_MS) {
        auth->is_asked = true;
        auth->is_loading = true;
        pthread_cond_broadcast(&auth->changed);
    }
    bool is_loading = auth->is_loading;
    pthread_mutex_unlock(&auth->mutex);
    return is_loading;
}

/* ---- life ---- */

static void start_thread(struct weir_auth *auth)
{
    pthread_cond_init(&auth->changed, NULL);
    pthread_mutex_init(&auth->mutex, NULL);
    pthread_rwlock_init(&auth->set_lock, NULL);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&auth->thread, NULL, keep_loaded, auth) != 0) {
        perror("weir-jwks: pthread_create");
        abort();
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

enum weir_code weir_auth_open(const struct weir_auth_config *config, struct weir_auth **ret,
                              struct weir_err *err)
{
    if (strncasecmp(config->jwks, "http://", 7) == 0) {
        return weir_fail(err, WEIR_EINVAL, "a key set is fetched by https or read from a file");
    }
    struct weir_auth *auth = weir_xalloc(sizeof(*auth));
    auth->jwks = weir_xstrdup(config->jwks);
    auth->ca_file = config->ca_file && config->ca_file[0] ? weir_xstrdup(config->ca_file) : NULL;
    auth->policy.issuer = weir_xstrdup(config->issuer);
    auth->policy.audience = weir_xstrdup(config->audience);
    auth->cache_max = config->cache_max ? config->cache_max : CACHE_MAX_DEFAULT;
    auth->cache = weir_map_new(SHA256_DIGEST_LENGTH);
    WEIR_IGNORE(weir_fail(&auth->last_err, WEIR_EUNAVAILABLE, "the key set is not loaded yet"),
                "it is the state at the start");
    start_thread(auth);
    *ret = auth;
    return WEIR_OK;
}

void weir_auth_close(struct weir_auth **auth_ptr)
{
    struct weir_auth *auth = WEIR_TAKE(*auth_ptr);
    if (!auth) {
        return;
    }
    pthread_mutex_lock(&auth->mutex);
    auth->is_ending = true;
    pthread_cond_broadcast(&auth->changed);
    pthread_mutex_unlock(&auth->mutex);
    pthread_join(auth->thread, NULL);
    cache_clear(auth);
    weir_map_free(auth->cache);
    weir_jwks_free(auth->set);
    pthread_rwlock_destroy(&auth->set_lock);
    pthread_cond_destroy(&auth->changed);
    pthread_mutex_destroy(&auth->mutex);
    free(auth->jwks);
    free(auth->ca_file);
    free((char *)auth->policy.issuer);
    free((char *)auth->policy.audience);
    free(auth);
}

enum weir_code weir_auth_check(struct weir_auth *auth, struct weir_err *err)
{
    pthread_mutex_lock(&auth->mutex);
    bool is_good =
        auth->loaded_mono_ms && weir_clock_mono_ms() - auth->loaded_mono_ms < GOOD_FOR_MS;
    enum weir_code code =
        is_good ? WEIR_OK : weir_fail(err, WEIR_EUNAVAILABLE, "no key set: %s", auth->last_err.msg);
    pthread_mutex_unlock(&auth->mutex);
    return code;
}

/* ---- judging ---- */

static uint64_t count_loads(struct weir_auth *auth)
{
    pthread_mutex_lock(&auth->mutex);
    uint64_t n_loads = auth->n_loads;
    pthread_mutex_unlock(&auth->mutex);
    return n_loads;
}

static enum weir_code verify_once(struct weir_auth *auth, const char *jwt, size_t len,
                                  int64_t now_ms, struct weir_principal *ret,
                                  bool *ret_is_key_unknown, struct weir_err *err)
{
    pthread_rwlock_rdlock(&auth->set_lock);
    enum weir_code code =
        weir_jwt_verify(auth->set, &auth->policy, jwt, len, now_ms, ret, ret_is_key_unknown, err);
    pthread_rwlock_unlock(&auth->set_lock);
    return code;
}

static enum weir_code token_of(const char *header, const char **ret_jwt, size_t *ret_len,
                               struct weir_err *err)
{
    if (!header || strncasecmp(header, "Bearer ", 7) != 0) {
        return weir_fail(err, WEIR_EUNAUTH, "no bearer token");
    }
    size_t len = strlen(header + 7);
    if (len == 0 || len > WEIR_JWT_BYTES_MAX) {
        return weir_fail(err, WEIR_EUNAUTH, "a token has 1 to %d bytes", WEIR_JWT_BYTES_MAX);
    }
    *ret_jwt = header + 7;
    *ret_len = len;
    return WEIR_OK;
}

bool weir_auth_recall(struct weir_auth *auth, const char *header, int64_t now_ms,
                      struct weir_principal *ret)
{
    const char *jwt;
    size_t len;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    if (token_of(header, &jwt, &len, NULL) != WEIR_OK || weir_auth_check(auth, NULL) != WEIR_OK) {
        return false;
    }
    SHA256((const uint8_t *)jwt, len, digest);
    return cache_find(auth, digest, now_ms, ret);
}

enum weir_code weir_auth_verify(struct weir_auth *auth, const char *header, int64_t now_ms,
                                struct weir_principal *ret, bool *ret_is_loading,
                                struct weir_err *err)
{
    const char *jwt;
    size_t len;
    *ret_is_loading = false;
    enum weir_code code = token_of(header, &jwt, &len, err);
    if (code == WEIR_OK) {
        code = weir_auth_check(auth, err);
    }
    if (code != WEIR_OK) {
        return code;
    }
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)jwt, len, digest);
    if (cache_find(auth, digest, now_ms, ret)) {
        return WEIR_OK;
    }
    uint64_t n_loads = count_loads(auth);
    bool is_key_unknown = false;
    code = verify_once(auth, jwt, len, now_ms, ret, &is_key_unknown, err);
    if (is_key_unknown) {
        *ret_is_loading = ask_load(auth);
    }
    if (code == WEIR_OK) {
        cache_put(auth, digest, n_loads, ret, now_ms);
    }
    return code;
}
