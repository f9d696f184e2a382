/* SPDX-License-Identifier: Apache-2.0 */
#include "reaper/reaper.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/domain/events.h"
#include "lib/io/bus.h"
#include "lib/service/follower.h"
#include "reaper/feed.h"
#include "reaper/watch.h"

#define TICK_MS        200
#define DELIVERY_MS    10000
#define EXPIRES_MS     10000 /* a proposal that comes later than this tells of an older time */
#define WARM_MS        2000
#define FLUSH_MS       1000
#define LOG_SILENCE_MS 3000 /* the log is then not known to its end */
#define GROUP          "weir-reaper"

struct reaper {
    struct weir_service *service;
    const struct reaper_settings *settings;
    char source[64];
    struct reaper_watch *watch;
    struct reaper_timeouts *timeouts;
    struct weir_follower *follower;
    struct reaper_feed *feed;
    struct weir_bus_producer *producer;
    struct weir_timer *tick;
    bool was_silent;
    struct weir_log_limit troubles;
    struct weir_metric *streams;
    struct weir_metric *proposals;
    struct weir_metric *dead_letters;
};

/* ---- what is read ---- */

static void on_reset(void *ctx, const char *why)
{
    struct reaper *reaper = ctx;
    weir_log(WEIR_LOG_INFO, "decision log is read from a checkpoint", "reason", why, NULL);
    reaper_watch_reset(reaper->watch);
}

static void on_change(void *ctx, const struct weir_ledger_change *change)
{
    struct reaper *reaper = ctx;
    if (change->stream)
        reaper_watch_changed(reaper->watch, change->stream, change->is_new,
                             (enum weir_stream_state)change->from, weir_clock_mono_ms());
}

static void on_event(void *ctx, const struct weir_event *event, int64_t written_ms)
{
    struct reaper *reaper = ctx;
    reaper_timeouts_take(reaper->timeouts, event);
    reaper_watch_take(reaper->watch, event, written_ms, weir_clock_mono_ms());
}

static void on_poison(void *ctx, const struct weir_bus_message *message, const struct weir_err *err)
{
    struct reaper *reaper = ctx;
    struct weir_err failed = {0};
    weir_metric_add(reaper->dead_letters, 1);
    if (weir_log_allowed(&reaper->troubles, 3, 10000, weir_clock_mono_ms()))
        weir_log(WEIR_LOG_WARN, "record cannot be read", "topic", message->topic, "reason",
                 err->msg, NULL);
    if (weir_bus_dead_letter(reaper->producer, message, GROUP, err->code, err->msg, NULL, NULL,
                             &failed) != WEIR_OK)
        weir_log(WEIR_LOG_WARN, "dead letter lost", "reason", failed.msg, NULL);
}

static void on_gap(void *ctx, const struct weir_err *err)
{
    struct reaper *reaper = ctx;
    if (weir_log_allowed(&reaper->troubles, 3, 10000, weir_clock_mono_ms()))
        weir_log(WEIR_LOG_WARN, "heartbeats and viewers cannot be read", "reason", err->msg, NULL);
    reaper_watch_begin_all(reaper->watch, weir_clock_mono_ms());
}

/* ---- proposing ---- */

static enum weir_code open_producer(struct reaper *reaper, struct weir_err *err)
{
    const struct weir_bus_producer_config config = {.brokers = reaper->settings->kafka,
                                                    .client_id = GROUP,
                                                    .kind = WEIR_BUS_DURABLE,
                                                    .delivery_timeout_ms = DELIVERY_MS};
    enum weir_code code = weir_bus_producer_open(&config, &reaper->producer, err);
    if (code == WEIR_OK)
        WEIR_IGNORE(weir_bus_producer_warm(reaper->producer, WEIR_TOPIC_COMMANDS, WARM_MS, NULL),
                    "the first proposal is then half a second late");
    return code;
}

static void on_delivery(void *ctx, const struct weir_bus_delivery *delivery)
{
    struct reaper *reaper = ctx;
    if (delivery->code != WEIR_OK &&
        weir_log_allowed(&reaper->troubles, 3, 10000, weir_clock_mono_ms()))
        weir_log(WEIR_LOG_WARN, "proposal was not delivered", "reason", delivery->detail, NULL);
}

/* The same proposal of two reapers has the same id where their clocks agree to the second. */
static struct weir_id name_proposal(const struct reaper_proposal *proposal, int64_t now_wall_ms)
{
    char name[128];
    int64_t active_s = (now_wall_ms - proposal->idle_ms) / 1000;
    int len = snprintf(name, sizeof(name), "idle|%s|%" PRId64 "|%" PRId64 "|%u",
                       WEIR_ID_TEXT(&proposal->stream_id), proposal->generation, active_s,
                       proposal->attempt);
    return weir_id_v5(&weir_space_command, name, (size_t)len);
}

static struct weir_event make_event(const struct reaper *reaper,
                                    const struct reaper_proposal *proposal)
{
    int64_t now_wall_ms = weir_clock_wall_ms();
    struct weir_event event = {.type = WEIR_EV_COMMAND_IDLE,
                               .id = weir_id_new(now_wall_ms),
                               .time_ms = now_wall_ms,
                               .has_tenantid = true,
                               .tenantid = proposal->tenant_id,
                               .has_partitionkey = true};
    WEIR_STR_SET(event.source, reaper->source);
    weir_id_format(&proposal->stream_id, event.subject);
    weir_id_format(&proposal->stream_id, event.partitionkey);
    event.u.command_idle =
        (struct weir_ev_command_idle){.command_id = name_proposal(proposal, now_wall_ms),
                                      .tenant_id = proposal->tenant_id,
                                      .stream_id = proposal->stream_id,
                                      .generation = proposal->generation,
                                      .idle_ms = proposal->idle_ms,
                                      .timeout_ms = proposal->timeout_ms,
                                      .issued_at_ms = now_wall_ms,
                                      .expires_at_ms = now_wall_ms + EXPIRES_MS};
    return event;
}

static void propose(struct reaper *reaper, const struct reaper_proposal *proposal)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_event event = make_event(reaper, proposal);
    struct weir_bus_record record = {.topic = WEIR_TOPIC_COMMANDS,
                                     .partition = (int32_t)reaper->settings->cell,
                                     .key = event.partitionkey,
                                     .key_len = WEIR_ID_TEXT_MAX - 1};
    const char *value = NULL;
    struct weir_err err = {0};
    enum weir_code code = weir_ev_dump(&event, arena, &value, &record.value_len, &err);
    record.value = value;
    if (code == WEIR_OK)
        code = weir_bus_producer_send(reaper->producer, &record, on_delivery, reaper, &err);
    if (code != WEIR_OK) {
        weir_log(WEIR_LOG_WARN, "proposal was not sent", "reason", err.msg, NULL);
        return;
    }
    weir_metric_add(reaper->proposals, 1);
    char idle[24];
    snprintf(idle, sizeof(idle), "%" PRId64, proposal->idle_ms);
    weir_log(WEIR_LOG_INFO, "stream is idle: stop proposed", "stream_id", event.subject, "idle_ms",
             idle, NULL);
}

static void serve_producer(struct reaper *reaper)
{
    struct weir_err err = {0};
    weir_bus_producer_poll(reaper->producer, 0);
    if (!weir_bus_producer_is_fatal(reaper->producer))
        return;
    weir_log(WEIR_LOG_WARN, "producer gave up: opening another", NULL);
    weir_bus_producer_close(&reaper->producer, 0);
    if (open_producer(reaper, &err) != WEIR_OK)
        abort(); /* the same settings were accepted before */
}

/* Whether enough is known to have an opinion on anything. */
static bool knows(struct reaper *reaper)
{
    bool is_silent = weir_follower_silence_ms(reaper->follower) > LOG_SILENCE_MS;
    if (is_silent && !reaper->was_silent)
        reaper_watch_begin_all(reaper->watch, weir_clock_mono_ms());
    reaper->was_silent = is_silent;
    bool is_caught_up = weir_follower_is_caught_up(reaper->follower) && !is_silent;
    bool is_configured = reaper_feed_is_configured(reaper->feed);
    weir_service_ready(reaper->service, "log", is_caught_up, "the decision log is not read");
    weir_service_ready(reaper->service, "config", is_configured, "configuration is not read");
    return is_caught_up && is_configured;
}

static void on_tick(void *ctx)
{
    struct reaper *reaper = ctx;
    weir_timer_set(reaper->tick, TICK_MS);
    serve_producer(reaper);
    weir_metric_set(reaper->streams, (int64_t)reaper_watch_count(reaper->watch));
    if (!knows(reaper))
        return;
    struct reaper_proposal proposal;
    for (size_t at = 0; reaper_watch_next_due(reaper->watch, reaper->timeouts, weir_clock_mono_ms(),
                                              &at, &proposal);)
        propose(reaper, &proposal);
}

/* ---- life ---- */

static void make_metrics(struct reaper *reaper)
{
    struct weir_metrics *metrics = weir_service_metrics(reaper->service);
    reaper->streams =
        weir_metrics_gauge(metrics, "weir_reaper_streams", "Streams that run", NULL, NULL);
    reaper->proposals = weir_metrics_counter(metrics, "weir_reaper_proposals_total",
                                             "Stops proposed for idle streams", NULL, NULL);
    reaper->dead_letters = weir_metrics_counter(metrics, "weir_reaper_dead_letters_total",
                                                "Records that could not be read", NULL, NULL);
}

static enum weir_code open_inputs(struct reaper *reaper, struct weir_err *err)
{
    const struct reaper_settings *settings = reaper->settings;
    struct weir_loop *loop = weir_service_loop(reaper->service);
    const struct weir_follower_config follower = {.brokers = settings->kafka,
                                                  .client_id = GROUP,
                                                  .cell = (int32_t)settings->cell,
                                                  .is_patient = true,
                                                  .loop = loop,
                                                  .on_reset = on_reset,
                                                  .on_change = on_change,
                                                  .ctx = reaper};
    const struct reaper_feed_config feed = {.brokers = settings->kafka,
                                            .cell = (int32_t)settings->cell,
                                            .loop = loop,
                                            .on_event = on_event,
                                            .on_poison = on_poison,
                                            .on_gap = on_gap,
                                            .ctx = reaper};
    enum weir_code code = weir_follower_open(&follower, &reaper->follower, err);
    return code == WEIR_OK ? reaper_feed_open(&feed, &reaper->feed, err) : code;
}

enum weir_code reaper_open(struct weir_service *service, const struct reaper_settings *settings,
                           struct reaper **ret, struct weir_err *err)
{
    struct reaper *reaper = weir_xalloc(sizeof(*reaper));
    reaper->service = service;
    reaper->settings = settings;
    snprintf(reaper->source, sizeof(reaper->source), "/weir/reaper/%" PRId64, settings->cell);
    reaper->watch = reaper_watch_new();
    reaper->timeouts = reaper_timeouts_new(settings->idle_timeout_s * 1000);
    make_metrics(reaper);
    enum weir_code code = open_producer(reaper, err);
    if (code == WEIR_OK)
        code = open_inputs(reaper, err);
    if (code != WEIR_OK) {
        reaper_close(&reaper);
        return code;
    }
    reaper->tick = weir_timer_new(weir_service_loop(service), on_tick, reaper);
    weir_timer_set(reaper->tick, TICK_MS);
    *ret = reaper;
    return WEIR_OK;
}

void reaper_close(struct reaper **reaper)
{
    struct reaper *self = WEIR_TAKE(*reaper);
    if (!self)
        return;
    weir_timer_free(&self->tick);
    reaper_feed_close(&self->feed);
    weir_follower_close(&self->follower);
    weir_bus_producer_close(&self->producer, FLUSH_MS);
    reaper_timeouts_free(self->timeouts);
    reaper_watch_free(self->watch);
    free(self);
}
