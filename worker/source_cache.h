/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cameras' sources as the apis keep them in Redis (lib/domain/source_entry.h), looked at before an
 * api is asked. An entry counts when an api signed it, for this camera and tenant, when it is not
 * too old, and not older than what was heard of camera and tenant. All else is as if there were
 * none, and counted. Belongs to the thread of worker/calls.h.
 */
#ifndef WEIR_WORKER_SOURCE_CACHE_H
#define WEIR_WORKER_SOURCE_CACHE_H

#include "lib/domain/source_entry.h"
#include "lib/io/sign.h"
#include "lib/service/metrics.h"
#include "worker/calls.h"

struct source_cache;

/* `redis`: URL; `keys`: public keys of the apis. Without either there is no cache: `ret` is NULL.
 */
WEIR_MUST_USE enum weir_code source_cache_open(const char *redis, const char *keys, int64_t cell,
                                               struct weir_metrics *metrics,
                                               struct source_cache **ret, struct weir_err *err);
void source_cache_close(struct source_cache **cache);

/* `ctx` is the cache. */
call_look_fn source_cache_look;

/* Loop thread: an entry that was seen could not be used after all. */
void source_cache_count_unusable(struct source_cache *cache);

enum source_cache_verdict {
    SOURCE_CACHE_HIT,
    SOURCE_CACHE_OLD,
    SOURCE_CACHE_FORGED,
    SOURCE_CACHE_MOVED,
};

/* Whether a signed entry answers the call; `ret_text` (on a hit) is the entry. Pure. */
enum source_cache_verdict source_cache_judge(const struct weir_sign_ring *ring,
                                             const struct call *call, const char *signed_text,
                                             int64_t wall_ms, struct weir_arena *arena,
                                             const char **ret_text);

#endif
