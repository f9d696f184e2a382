/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/auth.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/io/auth_jwt.h"
#include "lib/io/auth_keys.h"

#define CACHE_MAX_DEFAULT 65536
#define CACHE_TTL_MS      300000
#define SECRET_BYTES_MIN  32 /* RFC 7518 section 3.2 */
#define SECRET_BYTES_MAX  512

struct cached {
    uint8_t digest[SHA256_DIGEST_LENGTH];
    struct weir_principal principal;
    int64_t until_ms; /* Unix */
};

struct weir_auth {
    struct weir_auth_keys *keys;
    struct weir_jwt_policy policy;
    size_t cache_max;

    pthread_mutex_t mutex;     /* guards what follows */
    uint64_t cache_generation; /* of the keys that all cached tokens were judged by */
    struct weir_map *cache;    /* SHA-256 of a token -> struct cached, oldest first */
};

/* ---- cache ---- */

static void cache_clear(struct weir_auth *auth)
{
    void *value;
    for (size_t at = 0; weir_map_next(auth->cache, &at, NULL, &value);) {
        free(value);
    }
    weir_map_free(auth->cache);
    auth->cache = weir_map_new(SHA256_DIGEST_LENGTH);
}

/* With the mutex held: forgets what older keys said. */
static void cache_follow_keys(struct weir_auth *auth)
{
    uint64_t generation = weir_auth_keys_generation(auth->keys);
    if (generation != auth->cache_generation) {
        cache_clear(auth);
        auth->cache_generation = generation;
    }
}

static bool cache_find(struct weir_auth *auth, const uint8_t *digest, int64_t now_ms,
                       struct weir_principal *ret)
{
    pthread_mutex_lock(&auth->mutex);
    cache_follow_keys(auth);
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

/* With the mutex held. */
static void cache_make_room(struct weir_auth *auth)
{
    if (weir_map_count(auth->cache) >= auth->cache_max) {
        void *oldest;
        size_t at = 0;
        weir_map_next(auth->cache, &at, NULL, &oldest);
        weir_map_remove(auth->cache, ((struct cached *)oldest)->digest);
        free(oldest);
    }
}

static void cache_put(struct weir_auth *auth, const uint8_t *digest, uint64_t generation,
                      const struct weir_principal *principal, int64_t now_ms)
{
    if (principal->expires_at_ms <= now_ms) {
        return; /* passes by the leeway alone: judged each time */
    }
    pthread_mutex_lock(&auth->mutex);
    cache_follow_keys(auth);
    if (generation == auth->cache_generation) {
        cache_make_room(auth);
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

/* ---- life ---- */

/* A PEM here is somebody's public key, with which anybody could make tokens. */
static enum weir_code check_secret(const char *secret, struct weir_err *err)
{
    size_t len = strlen(secret);
    if (len < SECRET_BYTES_MIN || len > SECRET_BYTES_MAX) {
        return weir_fail(err, WEIR_EINVAL, "the secret of HS256 tokens must have %d to %d bytes",
                         SECRET_BYTES_MIN, SECRET_BYTES_MAX);
    }
    if (strstr(secret, "-----BEGIN") || strstr(secret, "\"kty\"")) {
        return weir_fail(err, WEIR_EINVAL, "the secret of HS256 tokens is a key's text");
    }
    return WEIR_OK;
}

enum weir_code weir_auth_open(const struct weir_auth_config *config, struct weir_auth **ret,
                              struct weir_err *err)
{
    const char *secret = config->hs256_secret ? config->hs256_secret : "";
    struct weir_auth_keys_config keys = {
        .jwks = config->jwks,
        .ca_file = config->ca_file,
        /* projects that sign by a secret publish a set without keys */
        .may_be_empty = secret[0] != '\0',
        .refresh_ms = config->refresh_ms,
        .retry_ms = config->retry_ms,
        .cool_down_ms = config->cool_down_ms,
        .stale_max_ms = config->stale_max_ms,
    };
    struct weir_auth_keys *opened = NULL;
    enum weir_code code = secret[0] ? check_secret(secret, err) : WEIR_OK;
    if (code == WEIR_OK) {
        code = weir_auth_keys_open(&keys, &opened, err);
    }
    if (code != WEIR_OK) {
        return code;
    }
    struct weir_auth *auth = weir_xalloc(sizeof(*auth));
    auth->keys = opened;
    auth->policy.issuer = weir_xstrdup(config->issuer);
    auth->policy.audience = weir_xstrdup(config->audience);
    auth->policy.hs256_secret = secret[0] ? weir_xstrdup(secret) : NULL;
    auth->policy.allows_anonymous = config->allows_anonymous;
    auth->cache_max = config->cache_max ? config->cache_max : CACHE_MAX_DEFAULT;
    auth->cache = weir_map_new(SHA256_DIGEST_LENGTH);
    pthread_mutex_init(&auth->mutex, NULL);
    *ret = auth;
    return WEIR_OK;
}

static void free_secret(char *secret)
{
    if (secret) {
        OPENSSL_cleanse(secret, strlen(secret));
    }
    free(secret);
}

void weir_auth_close(struct weir_auth **auth_ptr)
{
    struct weir_auth *auth = WEIR_TAKE(*auth_ptr);
    if (!auth) {
        return;
    }
    weir_auth_keys_close(&auth->keys);
    cache_clear(auth);
    weir_map_free(auth->cache);
    pthread_mutex_destroy(&auth->mutex);
    free((char *)auth->policy.issuer);
    free((char *)auth->policy.audience);
    free_secret((char *)auth->policy.hs256_secret);
    free(auth);
}

enum weir_code weir_auth_check(struct weir_auth *auth, struct weir_err *err)
{
    return weir_auth_keys_check(auth->keys, err);
}

void weir_auth_stats(struct weir_auth *auth, struct weir_auth_stats *ret)
{
    struct weir_auth_keys_stats keys;
    weir_auth_keys_stats(auth->keys, &keys);
    pthread_mutex_lock(&auth->mutex);
    size_t n = weir_map_count(auth->cache);
    pthread_mutex_unlock(&auth->mutex);
    *ret = (struct weir_auth_stats){.key_fetches = keys.fetches,
                                    .key_failures = keys.failures,
                                    .key_changes = keys.generation,
                                    .key_age_ms = keys.age_ms,
                                    .tokens_cached = n};
}

/* ---- judging ---- */

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

/* Judges afresh; `ret_kid` as weir_jwt_verify. */
static enum weir_code judge(struct weir_auth *auth, const char *jwt, size_t len, int64_t now_ms,
                            struct weir_principal *ret, uint64_t *ret_generation,
                            char ret_kid[static WEIR_JWK_ID_MAX + 1], struct weir_err *err)
{
    const struct weir_jwks *set;
    enum weir_code code = weir_auth_keys_borrow(auth->keys, &set, ret_generation, err);
    if (code == WEIR_OK) {
        code = weir_jwt_verify(set, &auth->policy, jwt, len, now_ms, ret, ret_kid, err);
        weir_auth_keys_return(auth->keys);
    }
    return code;
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
    uint64_t generation = 0;
    char unknown_kid[WEIR_JWK_ID_MAX + 1] = "";
    code = judge(auth, jwt, len, now_ms, ret, &generation, unknown_kid, err);
    if (unknown_kid[0]) {
        *ret_is_loading = weir_auth_keys_ask(auth->keys, unknown_kid);
    }
    if (code == WEIR_OK) {
        cache_put(auth, digest, generation, ret, now_ms);
    }
    return code;
}
