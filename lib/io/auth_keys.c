/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/auth_keys.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/sha256.h"
#include "lib/base/str.h"
#include "lib/io/http_client.h"

#define REFRESH_MS   600000
#define RETRY_MS     10000
#define COOL_DOWN_MS 30000
#define STALE_MAX_MS 3600000
#define FETCH_MS     5000
/* Short: a key may be there a moment later, behind a server that caches its set. */
#define MISSED_MS 120000
#define ETAG_MAX  128

struct missed {
    char kid[WEIR_JWK_ID_MAX + 1];
    int64_t until_mono_ms;
};

struct weir_auth_keys {
    char *jwks;
    char *ca_file; /* NULL: the system's */
    bool may_be_empty;
    int64_t refresh_ms;
    int64_t retry_ms;
    int64_t cool_down_ms;
    int64_t stale_max_ms;

    pthread_t thread;
    /* Verifiers read the set, the thread replaces it. */
    pthread_rwlock_t set_lock;
    struct weir_jwks *set;
    _Atomic uint64_t generation;
    _Atomic int64_t loaded_mono_ms; /* 0: never */

    /* ---- the thread's own ---- */
    uint8_t digest[WEIR_SHA256_BYTES]; /* of the bytes that `set` was read from */
    char etag[ETAG_MAX];               /* that came with them; "" when none did */

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool is_ending;
    bool is_asked;
    bool is_loading;
    char asked_kid[WEIR_JWK_ID_MAX + 1]; /* why it is loading; "" for no kid */
    int64_t tried_mono_ms;
    struct weir_err last_err;
    struct weir_auth_keys_stats stats;
    struct missed missed[WEIR_AUTH_MISSED_MAX]; /* a ring */
    size_t missed_next;
};

/* ---- fetching ---- */

/* What a fetch brought: a set, or that the one there is still holds. */
struct fetched {
    bool is_unchanged;
    struct weir_jwks *set;
    uint8_t digest[WEIR_SHA256_BYTES];
    char etag[ETAG_MAX];
};

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

/* `*ret` stays NULL when the server says that nothing has changed. */
static enum weir_code fetch_url(const struct weir_auth_keys *keys, struct weir_http_client *client,
                                struct weir_arena *arena, const char **ret, size_t *ret_len,
                                struct fetched *fetched, struct weir_err *err)
{
    bool is_conditional = keys->etag[0] != '\0';
    const char *const headers[] = {
        "Accept: application/json",
        is_conditional ? weir_arena_printf(arena, "If-None-Match: %s", keys->etag) : NULL, NULL};
    struct weir_http_call call = {.url = keys->jwks,
                                  .headers = headers,
                                  .ca_file = keys->ca_file,
                                  .timeout_ms = FETCH_MS,
                                  .max_bytes = WEIR_JWKS_BYTES_MAX};
    struct weir_http_answer answer;
    enum weir_code code = weir_http_client_call(client, &call, arena, &answer, err);
    if (code != WEIR_OK || (is_conditional && answer.status == 304)) {
        return code;
    }
    if (answer.status != 200) {
        return weir_fail(err, WEIR_EUNAVAILABLE, "the key set's server answered %d", answer.status);
    }
    if (strlen(answer.etag) < sizeof(fetched->etag)) {
        WEIR_STR_SET(fetched->etag, answer.etag);
    }
    *ret = answer.body;
    *ret_len = answer.body_len;
    return WEIR_OK;
}

static enum weir_code parse(const struct weir_auth_keys *keys, const char *bytes, size_t len,
                            struct weir_jwks **ret, struct weir_err *err)
{
    enum weir_code code = weir_jwks_parse(bytes, len, ret, err);
    if (code == WEIR_ENOTFOUND && keys->may_be_empty) {
        *ret = weir_xalloc(sizeof(**ret));
        return WEIR_OK;
    }
    return code;
}

static enum weir_code fetch(const struct weir_auth_keys *keys, struct weir_http_client *client,
                            struct fetched *ret, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    const char *bytes = NULL;
    size_t len = 0;
    enum weir_code code = weir_str_starts_with(keys->jwks, "https://")
                              ? fetch_url(keys, client, arena, &bytes, &len, ret, err)
                              : read_file(keys->jwks, arena, &bytes, &len, err);
    if (code != WEIR_OK) {
        return code;
    }
    if (bytes) {
        struct weir_sha256 sha;
        weir_sha256_init(&sha);
        weir_sha256_add(&sha, bytes, len);
        weir_sha256_done(&sha, ret->digest);
    }
    ret->is_unchanged =
        !bytes || (keys->set && memcmp(ret->digest, keys->digest, sizeof(ret->digest)) == 0);
    return ret->is_unchanged ? WEIR_OK : parse(keys, bytes, len, &ret->set, err);
}

static void take_set(struct weir_auth_keys *keys, const struct fetched *fetched)
{
    pthread_rwlock_wrlock(&keys->set_lock);
    struct weir_jwks *old = keys->set;
    keys->set = fetched->set;
    atomic_fetch_add(&keys->generation, 1);
    pthread_rwlock_unlock(&keys->set_lock);
    weir_jwks_free(old);
    memcpy(keys->digest, fetched->digest, sizeof(keys->digest));
    WEIR_STR_SET(keys->etag, fetched->etag);
}

/* With the mutex held, after a fetch that brought or confirmed the set. */
static void note_missed(struct weir_auth_keys *keys, int64_t now_ms)
{
    if (keys->asked_kid[0] && !weir_jwks_find(keys->set, keys->asked_kid)) {
        struct missed *missed = &keys->missed[keys->missed_next];
        keys->missed_next = (keys->missed_next + 1) % WEIR_AUTH_MISSED_MAX;
        WEIR_STR_SET(missed->kid, keys->asked_kid);
        missed->until_mono_ms = now_ms + MISSED_MS;
    }
}

static void load_once(struct weir_auth_keys *keys, struct weir_http_client *client)
{
    struct weir_err err = {0};
    struct fetched fetched = {0};
    enum weir_code code = fetch(keys, client, &fetched, &err);
    if (code == WEIR_OK && !fetched.is_unchanged) {
        take_set(keys, &fetched);
    }
    int64_t now_ms = weir_clock_mono_ms();
    pthread_mutex_lock(&keys->mutex);
    keys->tried_mono_ms = now_ms;
    keys->last_err = err;
    keys->stats.fetches++;
    keys->stats.failures += code != WEIR_OK;
    if (code == WEIR_OK) {
        keys->stats.unchanged += fetched.is_unchanged;
        atomic_store(&keys->loaded_mono_ms, now_ms);
        note_missed(keys, now_ms);
    }
    keys->asked_kid[0] = '\0';
    keys->is_loading = false;
    pthread_cond_broadcast(&keys->changed);
    pthread_mutex_unlock(&keys->mutex);
}

/* Waits for the next load's time, or for somebody to ask for it; false at the end. */
static bool wait_for_turn(struct weir_auth_keys *keys)
{
    pthread_mutex_lock(&keys->mutex);
    int64_t pause_ms = keys->last_err.code == WEIR_OK ? keys->refresh_ms : keys->retry_ms;
    int64_t until_ms = keys->tried_mono_ms ? keys->tried_mono_ms + pause_ms : 0;
    while (!keys->is_ending && !keys->is_asked &&
           weir_clock_wait(&keys->changed, &keys->mutex, until_ms)) {
    }
    keys->is_asked = false;
    keys->is_loading = true;
    bool goes_on = !keys->is_ending;
    pthread_mutex_unlock(&keys->mutex);
    return goes_on;
}

static void *keep_loaded(void *ctx)
{
    struct weir_auth_keys *keys = ctx;
    pthread_setname_np(pthread_self(), "weir-jwks");
    struct weir_http_client *client = weir_http_client_new();
    while (wait_for_turn(keys)) {
        load_once(keys, client);
    }
    weir_http_client_free(client);
    return NULL;
}

/* ---- asking ---- */

/* With the mutex held. */
static bool is_missed(const struct weir_auth_keys *keys, const char *kid, int64_t now_ms)
{
    for (size_t i = 0; i < WEIR_AUTH_MISSED_MAX; i++) {
        const struct missed *missed = &keys->missed[i];
        if (now_ms < missed->until_mono_ms && strcmp(missed->kid, kid) == 0) {
            return true;
        }
    }
    return false;
}

bool weir_auth_keys_ask(struct weir_auth_keys *keys, const char *kid)
{
    int64_t now_ms = weir_clock_mono_ms();
    pthread_mutex_lock(&keys->mutex);
    bool is_hopeless = is_missed(keys, kid, now_ms);
    if (!is_hopeless && !keys->is_loading && now_ms - keys->tried_mono_ms >= keys->cool_down_ms) {
        keys->is_asked = true;
        keys->is_loading = true;
        WEIR_STR_SET(keys->asked_kid, kid);
        pthread_cond_broadcast(&keys->changed);
    }
    bool is_worth_waiting = !is_hopeless && keys->is_loading;
    pthread_mutex_unlock(&keys->mutex);
    return is_worth_waiting;
}

enum weir_code weir_auth_keys_check(struct weir_auth_keys *keys, struct weir_err *err)
{
    int64_t loaded_ms = atomic_load(&keys->loaded_mono_ms);
    if (loaded_ms && weir_clock_mono_ms() - loaded_ms < keys->stale_max_ms) {
        return WEIR_OK;
    }
    pthread_mutex_lock(&keys->mutex);
    enum weir_code code = weir_fail(err, WEIR_EUNAVAILABLE, "no key set: %s", keys->last_err.msg);
    pthread_mutex_unlock(&keys->mutex);
    return code;
}

enum weir_code weir_auth_keys_borrow(struct weir_auth_keys *keys, const struct weir_jwks **ret,
                                     uint64_t *ret_generation, struct weir_err *err)
{
    enum weir_code code = weir_auth_keys_check(keys, err);
    if (code != WEIR_OK) {
        return code;
    }
    pthread_rwlock_rdlock(&keys->set_lock);
    *ret = keys->set;
    *ret_generation = atomic_load(&keys->generation);
    return WEIR_OK;
}

void weir_auth_keys_return(struct weir_auth_keys *keys)
{
    pthread_rwlock_unlock(&keys->set_lock);
}

uint64_t weir_auth_keys_generation(const struct weir_auth_keys *keys)
{
    return atomic_load(&keys->generation);
}

void weir_auth_keys_stats(struct weir_auth_keys *keys, struct weir_auth_keys_stats *ret)
{
    int64_t loaded_ms = atomic_load(&keys->loaded_mono_ms);
    pthread_mutex_lock(&keys->mutex);
    *ret = keys->stats;
    pthread_mutex_unlock(&keys->mutex);
    ret->generation = atomic_load(&keys->generation);
    ret->age_ms = loaded_ms ? weir_clock_mono_ms() - loaded_ms : -1;
}

/* ---- life ---- */

static int64_t or_default(int64_t given, int64_t otherwise)
{
    return given ? given : otherwise;
}

static void start_thread(struct weir_auth_keys *keys)
{
    pthread_cond_init(&keys->changed, NULL);
    pthread_mutex_init(&keys->mutex, NULL);
    pthread_rwlock_init(&keys->set_lock, NULL);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&keys->thread, NULL, keep_loaded, keys) != 0) {
        perror("weir-jwks: pthread_create");
        abort();
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

enum weir_code weir_auth_keys_open(const struct weir_auth_keys_config *config,
                                   struct weir_auth_keys **ret, struct weir_err *err)
{
    const char *scheme = strstr(config->jwks, "://");
    if (scheme && !weir_str_starts_with(config->jwks, "https://")) {
        return weir_fail(err, WEIR_EINVAL, "a key set is fetched by https or read from a file");
    }
    struct weir_auth_keys *keys = weir_xalloc(sizeof(*keys));
    keys->jwks = weir_xstrdup(config->jwks);
    keys->ca_file = config->ca_file && config->ca_file[0] ? weir_xstrdup(config->ca_file) : NULL;
    keys->may_be_empty = config->may_be_empty;
    keys->refresh_ms = or_default(config->refresh_ms, REFRESH_MS);
    keys->retry_ms = or_default(config->retry_ms, RETRY_MS);
    keys->cool_down_ms = or_default(config->cool_down_ms, COOL_DOWN_MS);
    keys->stale_max_ms = or_default(config->stale_max_ms, STALE_MAX_MS);
    WEIR_IGNORE(weir_fail(&keys->last_err, WEIR_EUNAVAILABLE, "the key set is not loaded yet"),
                "it is the state at the start");
    start_thread(keys);
    *ret = keys;
    return WEIR_OK;
}

void weir_auth_keys_close(struct weir_auth_keys **keys_ptr)
{
    struct weir_auth_keys *keys = WEIR_TAKE(*keys_ptr);
    if (!keys) {
        return;
    }
    pthread_mutex_lock(&keys->mutex);
    keys->is_ending = true;
    pthread_cond_broadcast(&keys->changed);
    pthread_mutex_unlock(&keys->mutex);
    pthread_join(keys->thread, NULL);
    weir_jwks_free(keys->set);
    pthread_rwlock_destroy(&keys->set_lock);
    pthread_cond_destroy(&keys->changed);
    pthread_mutex_destroy(&keys->mutex);
    free(keys->jwks);
    free(keys->ca_file);
    free(keys);
}
