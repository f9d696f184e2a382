/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this folder share. Only they may see librdkafka; everybody else sees
 * lib/io/bus.h.
 */
#ifndef WEIR_IO_BUS_INTERNAL_H
#define WEIR_IO_BUS_INTERNAL_H

#include <librdkafka/rdkafka.h>

#include "lib/io/bus.h"

/* The most that a connection attempt, a metadata request or a hung request may take. */
#define BUS_SOCKET_TIMEOUT_MS 10000

struct bus_setting {
    const char *name;
    const char *value;
};

/*
 * A configuration with what holds for every instance: brokers, quick reconnects, Nagle off, the
 * library's own log at debug. `settings` are applied after. Owned by the caller until rd_kafka_new
 * takes it.
 */
WEIR_MUST_USE enum weir_code bus_conf_new(const char *brokers, const char *client_id,
                                          const struct bus_setting *settings, size_t n,
                                          rd_kafka_conf_t **ret, struct weir_err *err);

/* Takes `conf` in any case. */
WEIR_MUST_USE enum weir_code bus_instance_new(rd_kafka_type_t type, rd_kafka_conf_t *conf,
                                              rd_kafka_t **ret, struct weir_err *err);

/* Lives as long as the instance whose queue it is given to. */
struct bus_wake {
    weir_bus_wake_fn *fn;
    void *ctx;
};

/* Calls the function whenever `queue`, found empty by the last poll, gets something. */
void bus_wake_on(rd_kafka_queue_t *queue, struct bus_wake *wake);

/*
 * Judges a message that stands for an error: WEIR_OK when the library goes on by itself (a broker
 * is away), otherwise what the caller has to know.
 */
WEIR_MUST_USE enum weir_code bus_consumer_error(const rd_kafka_message_t *message,
                                                struct weir_err *err);

/* Copies the pointers of a record; `message` stays the owner. */
void bus_message_fill(rd_kafka_message_t *message, struct weir_bus_message *ret);

/* As weir_bus_producer_send with another limit of the value's size, for the dead letters. */
WEIR_MUST_USE enum weir_code bus_producer_send_up_to(struct weir_bus_producer *producer,
                                                     const struct weir_bus_record *record,
                                                     size_t max_bytes, weir_bus_delivery_fn *fn,
                                                     void *ctx, struct weir_err *err);

#endif
