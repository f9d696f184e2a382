/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows `weir.config.v1` of the cell, from its first record: what was revoked, which tenants
 * are stopped, and which cameras and tenants changed. A thread of its own.
 *
 * Once a second it asks where the topic ends, so it knows whether it has read all there is. While
 * it cannot know that (Kafka is away), it asks Postgres, whose rows the topic only repeats; so what
 * is revoked while Kafka is away counts, too.
 */
#ifndef WEIR_API_CONFIG_H
#define WEIR_API_CONFIG_H

#include "api/revocations.h"
#include "lib/io/db.h"

struct api_config;

struct api_config_config {
    const char *brokers;
    int32_t cell;
    struct weir_db *db;
    struct revocations *revocations; /* it is told; outlives this */
    /* On the thread: a camera or tenant has this version now. `is_new` is false while what was
     * made before this api began is read. */
    void (*on_camera)(void *ctx, const struct weir_id *camera_id, int64_t version, bool is_new);
    void (*on_tenant)(void *ctx, const struct weir_id *tenant_id, int64_t version, bool is_new);
    /* Once, on the thread: all that had been made at some time was read. */
    void (*on_ready)(void *ctx);
    void *ctx;
};

WEIR_MUST_USE enum weir_code api_config_open(const struct api_config_config *config,
                                             struct api_config **ret, struct weir_err *err);
/* Whether all that the topic held a moment ago was read. Any thread; false for a NULL one. */
bool api_config_is_current(const struct api_config *config);
void api_config_close(struct api_config **config);

#endif
