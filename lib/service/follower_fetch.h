/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the follower: its reader thread. It finds where to start (follower_snapshot), reads the
 * log from there, judges each record by instance and epoch, and pushes what it found.
 */
#ifndef WEIR_SERVICE_FOLLOWER_FETCH_H
#define WEIR_SERVICE_FOLLOWER_FETCH_H

#include "lib/io/bus.h"
#include "lib/service/follower_pipe.h"

struct follower_fetch {
    const char *brokers;
    const char *client_id;
    int32_t cell;
    bool is_patient;
    struct follower_pipe *pipe;
};

/* Body of the thread; `ctx` is a struct follower_fetch. Ends when the pipe is stopped. */
void *follower_fetch_run(void *ctx);

/* Where a follower starts: a ledger as of a checkpoint, or an empty one. */
struct follower_snapshot {
    struct weir_ledger *ledger; /* the caller's */
    int64_t epoch;              /* -1 without a checkpoint */
    bool has_checkpoint;
};

/*
 * Reads the cell's part of state.v1 to its end and takes the highest complete checkpoint of
 * `instance` whose offset lies in [first_kept - 1, next - 1] of the decision log.
 *
 * Keys are `<offset, 20 digits>/<entity>/<id>`; the offset is that of the last decision folded in.
 */
WEIR_MUST_USE enum weir_code
follower_snapshot_read(struct weir_bus_reader *reader, const struct follower_fetch *fetch,
                       const struct weir_id *instance, int64_t first_kept, int64_t next,
                       struct follower_snapshot *ret, struct weir_err *err);

#endif
