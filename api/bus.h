/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the api writes to Kafka: commands (the answer waits for their acknowledgement), records that
 * must arrive in the end (audit, configuration), and viewer activity that may get lost. A thread
 * of its own serves the deliveries. Thread-safe.
 */
#ifndef WEIR_API_BUS_H
#define WEIR_API_BUS_H

#include "lib/domain/events.h"
#include "lib/io/bus.h"

struct api_bus;

enum api_bus_lane {
    API_BUS_COMMANDS, /* gives up after `command_ack_ms`: a late start helps nobody */
    API_BUS_RECORDS,  /* 30 s */
    API_BUS_VIEWERS,  /* lossy */
    API_BUS_LANES
};

WEIR_MUST_USE enum weir_code api_bus_open(const char *brokers, int64_t command_ack_ms,
                                          struct api_bus **ret, struct weir_err *err);
/* Undelivered records are reported WEIR_EUNKNOWN. */
void api_bus_close(struct api_bus **bus, int64_t flush_ms);

/*
 * Dumps and sends an event, with its envelope's id, time and source filled in when they are empty.
 * The partition is `partition`, the key `key`. `fn` (may be NULL) is called on the bus's thread.
 */
WEIR_MUST_USE enum weir_code api_bus_send(struct api_bus *bus, enum api_bus_lane lane,
                                          struct weir_event *event, int32_t partition,
                                          const char *key, weir_bus_delivery_fn *fn, void *ctx,
                                          struct weir_err *err);

/* The same for a tombstone: the compacted topic forgets the key. */
WEIR_MUST_USE enum weir_code api_bus_forget(struct api_bus *bus, enum api_bus_lane lane,
                                            const char *topic, int32_t partition, const char *key,
                                            weir_bus_delivery_fn *fn, void *ctx,
                                            struct weir_err *err);

#endif
