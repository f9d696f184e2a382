/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox: configuration changes reach Kafka exactly because they reached Postgres.
 *
 * A handler puts the event into the transaction that changes the row. A thread of one api at a time
 * (an advisory lock decides) publishes what was committed, in the order of (xid8, id) below the
 * oldest transaction still open, and deletes what Kafka acknowledged. A crash in between publishes
 * again with the same event id and version, which readers take as nothing new.
 */
#ifndef WEIR_API_OUTBOX_H
#define WEIR_API_OUTBOX_H

#include "api/bus.h"
#include "lib/io/db.h"

#define API_OUTBOX_EVERY_CELL (-1)

/*
 * Puts a config.* event into the open transaction. `entity_id` becomes the record's key. `cell` is
 * the partition, or API_OUTBOX_EVERY_CELL for what concerns a whole tenant.
 */
WEIR_MUST_USE enum weir_code api_outbox_put(struct weir_db_tx *tx, struct weir_event *event,
                                            const struct weir_id *tenant_id,
                                            const struct weir_id *entity_id, int32_t cell,
                                            struct weir_arena *arena, struct weir_err *err);

struct api_outbox;

struct api_outbox_config {
    struct weir_db *db; /* one connection is taken for each pass, one for LISTEN */
    struct api_bus *bus;
    int64_t poll_ms;
};

/* Starts the relay's thread. */
WEIR_MUST_USE enum weir_code api_outbox_open(const struct api_outbox_config *config,
                                             struct api_outbox **ret, struct weir_err *err);
void api_outbox_close(struct api_outbox **outbox);

#endif
