/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET requests to engines over their unix sockets: many at once on the loop's thread, connections
 * kept and used again, a deadline for each. No threads, so that a blocking reload of a low-latency
 * playlist costs a descriptor and nothing else.
 *
 *     struct upstream_get get = {.socket = "/run/.../hls.sock", .target = "/live/x/1/index.m3u8",
 *                                .secret = "...", .max_bytes = 65536, .timeout_ms = 3000,
 *                                .fn = on_index, .ctx = self};
 *     struct fetch *fetch = upstream_get(upstream, &get);
 */
#ifndef WEIR_WORKER_ORIGIN_UPSTREAM_H
#define WEIR_WORKER_ORIGIN_UPSTREAM_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/service/loop.h"

#define UPSTREAM_TARGET_MAX 512

struct upstream;
struct fetch;

/*
 * The end of a fetch, on the loop and never from inside upstream_get. `status` is the engine's, or
 * 0 when there was no answer (`err` says why: WEIR_EUNAVAILABLE, WEIR_ETIMEOUT, WEIR_ELIMIT,
 * WEIR_EPARSE). `body` may be taken over; what is left in it is freed. The fetch is gone already.
 */
typedef void upstream_done_fn(void *ctx, int status, struct weir_buf *body,
                              const struct weir_err *err);

struct upstream_get {
    const char *socket; /* path of the engine's unix socket; copied */
    const char *target; /* path and query: printable ASCII without spaces; copied */
    const char *secret; /* sent as bearer; same characters; copied */
    size_t max_bytes;   /* of the body */
    int64_t timeout_ms; /* for the whole call */
    upstream_done_fn *fn;
    void *ctx;
};

struct upstream *upstream_new(struct weir_loop *loop);
/* Every fetch must have ended or been cancelled. NULL is fine. */
void upstream_free(struct upstream *upstream);

struct fetch *upstream_get(struct upstream *upstream, const struct upstream_get *get);
/* Ends it without a call. Sets NULL; NULL is fine. */
void upstream_cancel(struct fetch **fetch);

size_t upstream_active(const struct upstream *upstream);

#endif
