/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tokens: JWTs as Supabase issues them, judged by ES256 or RS256 keys of a JWK set.
 *
 * Order of judgement (RFC 8725, RFC 7519; OWASP ASVS 5.0 V9): form and charset, cache of tokens
 * that were found good, header with exactly one known `alg`, key by `kid` whose own algorithm is
 * that one, signature, then claims: iss, aud, exp, nbf, iat, role, sub, session_id, is_anonymous,
 * app_metadata.tenant_id. `none` and symmetric keys of a set are never accepted; jku, x5u, jwk are
 * ignored. HS256 passes only with a secret that was given for it, and by that secret alone.
 *
 * How the set is kept fresh, and for how long an old one serves: lib/io/auth_keys.h.
 *
 * The cache holds tokens by their SHA-256, at most `cache_max`, for at most 5 minutes and not
 * beyond their end; it is emptied when the keys change.
 */
#ifndef WEIR_IO_AUTH_H
#define WEIR_IO_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/domain/id.h"

struct weir_auth;

struct weir_auth_config {
    const char *jwks;    /* https://... or a path */
    const char *ca_file; /* authorities to trust for https, PEM; NULL or "": the system's */
    const char *issuer;
    const char *audience;
    const char *hs256_secret; /* NULL or "": HS256 is refused; else 32 to 512 bytes and no PEM */
    bool allows_anonymous;    /* users that Supabase calls anonymous */
    size_t cache_max;         /* 0: 65536 verified tokens */
    /* 0 is a default each, see lib/io/auth_keys.h */
    int64_t refresh_ms;
    int64_t retry_ms;
    int64_t cool_down_ms;
    int64_t stale_max_ms;
};

/* Each may what the ones before it may. A guest may nothing but what was granted to him. */
enum weir_role { WEIR_ROLE_GUEST, WEIR_ROLE_VIEWER, WEIR_ROLE_OPERATOR, WEIR_ROLE_ADMIN };

/* Whom a token speaks for. */
struct weir_principal {
    struct weir_id subject;
    struct weir_id session_id;
    bool has_tenant; /* only platform tokens may have none */
    struct weir_id tenant_id;
    enum weir_role role; /* in the tenant */
    bool is_platform;    /* app_metadata.platform is true */
    bool has_aal2;       /* signed in with a second factor */
    int64_t issued_at_ms;
    int64_t expires_at_ms;
};

/* What the key set and the cache are like; the counters only grow. */
struct weir_auth_stats {
    uint64_t key_fetches;
    uint64_t key_failures;
    uint64_t key_changes; /* sets that differed from the one before */
    int64_t key_age_ms;   /* since the set was fetched or confirmed; -1: there is none */
    size_t tokens_cached;
};

/* Loads the set in a thread of its own; until it is there weir_auth_verify is WEIR_EUNAVAILABLE. */
WEIR_MUST_USE enum weir_code weir_auth_open(const struct weir_auth_config *config,
                                            struct weir_auth **ret, struct weir_err *err);
void weir_auth_close(struct weir_auth **auth);

/* Whether there is a set that may be used; else why not. For /readyz. */
WEIR_MUST_USE enum weir_code weir_auth_check(struct weir_auth *auth, struct weir_err *err);

/*
 * Judges the value of an Authorization header ("Bearer ..."). `now_ms` is Unix time. Thread-safe,
 * and never waits for a load: `ret_is_loading` is set true when the token was refused for a kid
 * that nobody knows while a load is under way that may bring it; then it is worth asking again
 * soon. WEIR_EUNAUTH: nothing that proves anything (the message names the reason, for the log);
 * WEIR_EFORBIDDEN: a good token without the right kind of user; WEIR_EUNAVAILABLE: no keys.
 */
WEIR_MUST_USE enum weir_code weir_auth_verify(struct weir_auth *auth, const char *header,
                                              int64_t now_ms, struct weir_principal *ret,
                                              bool *ret_is_loading, struct weir_err *err);

/* The same from memory alone: true when this token was found good a moment ago. Never slow. */
bool weir_auth_recall(struct weir_auth *auth, const char *header, int64_t now_ms,
                      struct weir_principal *ret);

void weir_auth_stats(struct weir_auth *auth, struct weir_auth_stats *ret);

const char *weir_role_name(enum weir_role role);

#endif
