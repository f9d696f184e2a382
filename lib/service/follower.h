/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows the decision log of a cell from the highest complete checkpoint on, never from the tail
 * (DESIGN section 2), and keeps a ledger.
 *
 * A reader thread fetches and parses; records are handed to the loop's thread, which owns the
 * ledger and runs the callbacks. A record counts only if its instance is the cell's and its epoch
 * is that of the newest `takeover` read so far; others are void (`on_void`, for the audit). The
 * cell's instance is that of the first record that the log holds. When
 * the log cannot be followed any further (truncated, other instance, contradiction) the follower
 * starts again by itself and says so with on_reset.
 *
 *     struct weir_follower_config config = {.brokers = ..., .cell = 0, .loop = loop,
 *                                           .on_decision = decided, .ctx = self};
 *     weir_follower_open(&config, &follower, err);
 */
#ifndef WEIR_SERVICE_FOLLOWER_H
#define WEIR_SERVICE_FOLLOWER_H

#include "lib/domain/ledger.h"
#include "lib/service/loop.h"

struct weir_follower;

struct weir_follower_decision {
    int64_t offset;
    int64_t timestamp_ms; /* the broker's */
    const struct weir_ev_decision *decision;
    const void *raw; /* exact bytes of the record's value */
    size_t raw_len;
};

struct weir_follower_config {
    const char *brokers;
    const char *client_id;
    int32_t cell;
    bool is_patient; /* decisions may come together, up to 0.1 s late; see weir_bus_reader_config */
    struct weir_loop *loop;
    /* Everything known is forgotten; the ledger is empty and will be filled again. May be NULL. */
    void (*on_reset)(void *ctx, const char *why);
    /* Each row change while folding, checkpoint rows included (is_new). May be NULL. */
    weir_ledger_change_fn *on_change;
    /* After a valid decision was folded. May be NULL. */
    void (*on_decision)(void *ctx, const struct weir_follower_decision *decision);
    /* A record of an older epoch. May be NULL. */
    void (*on_void)(void *ctx, const struct weir_follower_decision *decision);
    /* A record says that its writer's ledger was another one than this. It was folded all the same.
     * May be NULL; the scheduler gives its lead up, others count it. */
    void (*on_divergence)(void *ctx, int64_t offset);
    /* The end of the log as it was at the start is reached; once after each start. May be NULL. */
    void (*on_caught_up)(void *ctx);
    void *ctx;
};

WEIR_MUST_USE enum weir_code weir_follower_open(const struct weir_follower_config *config,
                                                struct weir_follower **ret, struct weir_err *err);
/* Not inside of one of its calls; none comes after it. Sets NULL; NULL is fine. */
void weir_follower_close(struct weir_follower **follower);

/* The ledger: loop thread only. */
const struct weir_ledger *weir_follower_ledger(const struct weir_follower *follower);
bool weir_follower_is_caught_up(const struct weir_follower *follower);
int64_t weir_follower_epoch(const struct weir_follower *follower); /* -1: no takeover read yet */
/* The id of the log, that of its first record; nil while it is empty. */
struct weir_id weir_follower_instance(const struct weir_follower *follower);
/* Milliseconds since the log was last known to be followed to its end (broker answering). */
int64_t weir_follower_silence_ms(const struct weir_follower *follower);

#endif
