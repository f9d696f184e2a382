/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows `weir.config.v1` of the cell, from its first record: what was revoked, which tenants
 * are stopped and which cameras are gone. A thread of its own.
 *
 * Once a second it asks where the topic ends, so it knows whether it has read all there is. While
 * it cannot know that (Kafka is away), it asks Postgres, whose rows the topic only repeats; so what
 * is revoked while Kafka is away counts, too.
 */
#ifndef WEIR_API_CONFIG_H
#define WEIR_API_CONFIG_H

#include "api/known_cameras.h"
#include "api/revocations.h"
#include "lib/io/db.h"

struct api_config;

struct api_config_config {
    const char *brokers;
    int32_t cell;
    struct weir_db *db;
    struct revocations *revocations; /* it is told; outlives this, as the next one */
    struct api_known_cameras *known_cameras;
    /* Once, on the thread: all that had been made at some time was read. */
    void (*on_ready)(void *ctx);
    void *ctx;
};

WEIR_MUST_USE enum weir_code api_config_open(const struct api_config_config *config,
                                             struct api_config **ret, struct weir_err *err);
void api_config_close(struct api_config **config);

#endif
