/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key set of access tokens, kept fresh by a thread of its own; inside of lib/io/auth.
 *
 * It is read from a file or fetched by https (no redirects, at most 64 KiB, 5 s): at the start,
 * every `refresh_ms`, and once more for a kid that nobody knows, but not within `cool_down_ms` of
 * the last time. A kid that such a fetch did not bring is not asked for again for a while, so that
 * one client with a dead token costs one fetch and not one each cool-down. A server that gave an
 * ETag is asked with If-None-Match; a set whose bytes are the same is confirmed, not replaced.
 *
 * When fetching fails, the last good set serves until it is `stale_max_ms` old, then there is none.
 *
 *     const struct weir_jwks *set;
 *     uint64_t generation;
 *     WEIR_TRY(weir_auth_keys_borrow(keys, &set, &generation, err));
 *     ... judge ...
 *     weir_auth_keys_return(keys);
 */
#ifndef WEIR_IO_AUTH_KEYS_H
#define WEIR_IO_AUTH_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/io/auth_jwks.h"

#define WEIR_AUTH_MISSED_MAX 16 /* kids that are remembered as not to be found */

struct weir_auth_keys;

struct weir_auth_keys_config {
    const char *jwks;     /* https://... or a path */
    const char *ca_file;  /* NULL or "": the system's authorities */
    bool may_be_empty;    /* a set without a key of ours is no failure */
    int64_t refresh_ms;   /* 0: 10 min */
    int64_t retry_ms;     /* after a failure; 0: 10 s */
    int64_t cool_down_ms; /* 0: 30 s */
    int64_t stale_max_ms; /* 0: 1 h */
};

struct weir_auth_keys_stats {
    uint64_t fetches;
    uint64_t failures;
    uint64_t unchanged;  /* fetches that confirmed the set there was */
    uint64_t generation; /* sets taken so far */
    int64_t age_ms;      /* since the set was fetched or confirmed; -1: there is none */
};

WEIR_MUST_USE enum weir_code weir_auth_keys_open(const struct weir_auth_keys_config *config,
                                                 struct weir_auth_keys **ret, struct weir_err *err);
void weir_auth_keys_close(struct weir_auth_keys **keys);

/* WEIR_EUNAVAILABLE when there is no set that may be used. */
WEIR_MUST_USE enum weir_code weir_auth_keys_check(struct weir_auth_keys *keys,
                                                  struct weir_err *err);

/* The set stays as it is until weir_auth_keys_return by the same thread. Never waits for a fetch.
 */
WEIR_MUST_USE enum weir_code weir_auth_keys_borrow(struct weir_auth_keys *keys,
                                                   const struct weir_jwks **ret,
                                                   uint64_t *ret_generation, struct weir_err *err);
void weir_auth_keys_return(struct weir_auth_keys *keys);

/* Grows by one with each set that differs from the one before. */
uint64_t weir_auth_keys_generation(const struct weir_auth_keys *keys);

/* Asks for a fetch that may bring `kid`; true while one is under way that is worth waiting for. */
bool weir_auth_keys_ask(struct weir_auth_keys *keys, const char *kid);

void weir_auth_keys_stats(struct weir_auth_keys *keys, struct weir_auth_keys_stats *ret);

#endif
