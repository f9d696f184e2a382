/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reaper reads beside the decision log: heartbeats and viewers from now on, configuration
 * from its start. Runs on the loop and never waits for the broker there, except to ask where the
 * configuration ends (once, 1 s at most).
 */
#ifndef REAPER_FEED_H
#define REAPER_FEED_H

#include "lib/domain/events.h"
#include "lib/io/bus.h"
#include "lib/service/loop.h"

struct reaper_feed;

struct reaper_feed_config {
    const char *brokers;
    int32_t cell;
    struct weir_loop *loop;
    /* One record that could be read, and when Kafka had it. */
    void (*on_event)(void *ctx, const struct weir_event *event, int64_t written_ms);
    /* One that could not; `message` as long as the call. */
    void (*on_poison)(void *ctx, const struct weir_bus_message *message,
                      const struct weir_err *err);
    /* Records were lost or the topics cannot be read: what was heard is not the whole. */
    void (*on_gap)(void *ctx, const struct weir_err *err);
    void *ctx;
};

WEIR_MUST_USE enum weir_code reaper_feed_open(const struct reaper_feed_config *config,
                                              struct reaper_feed **ret, struct weir_err *err);
void reaper_feed_close(struct reaper_feed **feed);

/* The configuration was read to where it ended at the start. */
bool reaper_feed_is_configured(const struct reaper_feed *feed);

#endif
