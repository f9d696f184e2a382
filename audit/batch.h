/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of one partition on their way into the database: taken one by one into the chain, stored
 * together, or dropped together.
 */
#ifndef AUDIT_BATCH_H
#define AUDIT_BATCH_H

#include "lib/domain/audit.h"
#include "lib/io/bus.h"

struct audit_item {
    struct weir_audit_entry entry;
    const void *raw; /* NULL: the record had no value */
    size_t len;
    int64_t timestamp_ms;
};

struct audit_batch {
    struct weir_audit_chain before; /* as it stands in the database */
    struct weir_audit_chain after;  /* with the items */
    struct audit_item *items;       /* owned */
    size_t n;
    size_t n_taken; /* with those that were passed over */
    size_t n_rows;  /* of all items */
    size_t bytes;   /* of all raw values */
    int64_t begun_mono_ms;
    struct weir_arena *arena; /* owns what items point to */
};

/* `max`: most items it will take. */
void audit_batch_init(struct audit_batch *batch, size_t max);
void audit_batch_done(struct audit_batch *batch);

/* Forgets the items and goes on from `chain`. */
void audit_batch_start(struct audit_batch *batch, const struct weir_audit_chain *chain);

/* The items are stored: what was after is before now. */
void audit_batch_stored(struct audit_batch *batch);

/* Copies the message, or passes over it. WEIR_ECORRUPT: it is not the one that comes next. */
WEIR_MUST_USE enum weir_code audit_batch_take(struct audit_batch *batch,
                                              const struct weir_bus_message *message,
                                              int64_t now_mono_ms, struct weir_err *err);

#endif
