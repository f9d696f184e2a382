/* SPDX-License-Identifier: Apache-2.0 */
#include "reaper/feed.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"

#define BOUNDS_MS    1000
#define AGAIN_MS     1000 /* after a failure to begin */
#define LOOK_MS      200  /* even without a wake */
#define RECORDS_MAX  2000 /* at a time, so that timers get their turn */
#define CONFIG_KNOWN (-1) /* config_end once it was reached */

struct reaper_feed {
    struct reaper_feed_config config;
    struct weir_bus_reader *reader;
    struct weir_timer *look;
    struct weir_arena *arena; /* of one record */
    bool is_begun;
    int64_t config_end; /* offset that has to be reached */
    atomic_bool is_woken;
};

static bool begin(struct reaper_feed *feed, struct weir_err *err)
{
    int32_t cell = feed->config.cell;
    int64_t first = 0;
    int64_t next = 0;
    if (weir_bus_reader_bounds(feed->reader, WEIR_TOPIC_CONFIG, cell, BOUNDS_MS, &first, &next,
                               err) != WEIR_OK ||
        weir_bus_reader_assign(feed->reader, WEIR_TOPIC_CONFIG, cell, WEIR_BUS_OFFSET_START, err) !=
            WEIR_OK ||
        weir_bus_reader_assign(feed->reader, WEIR_TOPIC_HEARTBEATS, cell, WEIR_BUS_OFFSET_END,
                               err) != WEIR_OK ||
        weir_bus_reader_assign(feed->reader, WEIR_TOPIC_VIEWERS, cell, WEIR_BUS_OFFSET_END, err) !=
            WEIR_OK)
        return false;
    feed->config_end = next > first ? next : CONFIG_KNOWN;
    feed->is_begun = true;
    return true;
}

static void take(struct reaper_feed *feed, const struct weir_bus_message *message)
{
    struct weir_err err = {0};
    struct weir_event event;
    bool is_config = strcmp(message->topic, WEIR_TOPIC_CONFIG) == 0;
    if (is_config && message->offset + 1 >= feed->config_end)
        feed->config_end = CONFIG_KNOWN;
    /* Compaction keeps the newest record of an entity; a tombstone is a deleted one. */
    if (!message->value && is_config)
        return;
    weir_arena_reset(feed->arena);
    enum weir_code code = message->value ? weir_ev_parse(message->value, message->value_len,
                                                         feed->arena, &event, &err)
                                         : weir_fail(&err, WEIR_EPARSE, "a record without a value");
    if (code == WEIR_OK)
        feed->config.on_event(feed->config.ctx, &event, message->timestamp_ms);
    else
        feed->config.on_poison(feed->config.ctx, message, &err);
}

/* False when there was nothing more. */
static bool read_some(struct reaper_feed *feed)
{
    for (int i = 0; i < RECORDS_MAX; i++) {
        struct weir_bus_message message;
        struct weir_err err = {0};
        bool got = false;
        if (weir_bus_reader_poll(feed->reader, 0, &message, &got, &err) != WEIR_OK) {
            feed->config.on_gap(feed->config.ctx, &err);
            feed->is_begun = false;
            return false;
        }
        if (!got)
            return false;
        take(feed, &message);
    }
    return true;
}

static void look(void *ctx)
{
    struct reaper_feed *feed = ctx;
    struct weir_err err = {0};
    atomic_store(&feed->is_woken, false);
    if (!feed->is_begun && !begin(feed, &err)) {
        feed->config.on_gap(feed->config.ctx, &err);
        weir_timer_set(feed->look, AGAIN_MS);
        return;
    }
    weir_timer_set(feed->look, read_some(feed) ? 0 : LOOK_MS);
}

/* From a library thread; at most one post is under way. */
static void wake(void *ctx)
{
    struct reaper_feed *feed = ctx;
    if (!atomic_exchange(&feed->is_woken, true))
        weir_loop_post(feed->config.loop, look, feed);
}

enum weir_code reaper_feed_open(const struct reaper_feed_config *config, struct reaper_feed **ret,
                                struct weir_err *err)
{
    struct reaper_feed *feed = weir_xalloc(sizeof(*feed));
    feed->config = *config;
    feed->arena = weir_arena_new(0);
    const struct weir_bus_reader_config reader = {.brokers = config->brokers,
                                                  .client_id = "weir-reaper",
                                                  .is_patient = true,
                                                  .wake = wake,
                                                  .wake_ctx = feed};
    enum weir_code code = weir_bus_reader_open(&reader, &feed->reader, err);
    if (code != WEIR_OK) {
        reaper_feed_close(&feed);
        return code;
    }
    feed->look = weir_timer_new(config->loop, look, feed);
    weir_timer_set(feed->look, 0);
    *ret = feed;
    return WEIR_OK;
}

void reaper_feed_close(struct reaper_feed **feed)
{
    struct reaper_feed *self = WEIR_TAKE(*feed);
    if (!self)
        return;
    weir_timer_free(&self->look);
    weir_bus_reader_close(&self->reader);
    weir_loop_unpost(self->config.loop, look, self);
    weir_arena_free(self->arena);
    free(self);
}

bool reaper_feed_is_configured(const struct reaper_feed *feed)
{
    return feed->is_begun && feed->config_end == CONFIG_KNOWN;
}
