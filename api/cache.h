/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Redis for the handlers: a few connections that any thread may use, and no waiting for a Redis
 * that is away. What is in it may vanish at any time, and anybody who got at it may have written
 * it: see api/sources.h for what is believed.
 */
#ifndef WEIR_API_CACHE_H
#define WEIR_API_CACHE_H

#include "lib/io/store.h"

struct api_cache;

/* `url` "": there is none, and every call is WEIR_EUNAVAILABLE. `connections`: as many threads as
 * may call at once. Opens no connection yet. */
WEIR_MUST_USE enum weir_code api_cache_open(const char *url, size_t connections,
                                            struct api_cache **ret, struct weir_err *err);
void api_cache_close(struct api_cache **cache);

/* One command of `n` texts, which may be done twice. As weir_store_call; after a failure every call
 * fails at once for half a second. `ret` may be NULL. */
WEIR_MUST_USE enum weir_code api_cache_call(struct api_cache *cache, const char *const *args,
                                            size_t n, struct weir_arena *arena,
                                            struct weir_store_value *ret, struct weir_err *err);

#endif
