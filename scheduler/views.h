/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The views of a cell in Redis, for whoever likes to look there: nobody needs them to be right.
 *
 *     weir:{cell}:stream:<id>   hash: state, reason, tenant_id, camera_id, worker_id, generation,
 * ... weir:{cell}:worker:<id>   hash: state, reason, incarnation, origin_url, site, streams, ...
 *     weir:{cell}:scores        sorted set: worker id by placement score in ppm, 2e9: takes nothing
 *     weir:{cell}:encoders      hash: worker id -> its encoders in hardware, lib/domain/encoder.h
 *     weir:{cell}:view          hash: epoch and offset up to which the views are written; job, a
 * mark of the writing that is going on or was the last
 *
 * Written by the leader only, from the ledger that was read back, by compare on (epoch, offset), so
 * a late writer changes nothing. When `view` is missing or behind, everything is written again: a
 * FLUSHALL heals within two seconds, also one in the middle of writing, which takes the mark away.
 * Redis is spoken to by a thread; the loop never waits for it.
 */
#ifndef SCHEDULER_VIEWS_H
#define SCHEDULER_VIEWS_H

#include "lib/domain/ledger.h"

struct views;

/* `url` is kept secret; "" gives NULL views, which all calls take for "do nothing". */
WEIR_MUST_USE enum weir_code views_open(const char *url, int32_t cell, struct views **ret,
                                        struct weir_err *err);
void views_close(struct views **views);

/* Loop thread: a row changed. */
void views_changed(struct views *views, const struct weir_ledger_change *change);
/* Everything must be written again (a new epoch). */
void views_forget(struct views *views);

/* What is asked for workers, each second. */
struct views_calls {
    int64_t (*score)(void *ctx, const struct weir_id *worker_id);
    /* Writes into `text` of WEIR_ENCODERS_TEXT_MAX, and returns it. */
    const char *(*encoders)(void *ctx, const struct weir_id *worker_id, char *text);
    void *ctx;
};

/* Loop thread, several times a second while leading: hands what changed to the thread. */
void views_flush(struct views *views, const struct weir_ledger *ledger, int64_t epoch,
                 const struct views_calls *calls);

#endif
