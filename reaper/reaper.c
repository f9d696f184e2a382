/* SPDX-License-Identifier: Apache-2.0 */
#include "reaper/reaper.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/io/bus.h"
#include "lib/service/follower.h"
#include "reaper/idle.h"
#include "reaper/inputs.h"

#define TICK_MS        100
#define DUE_A_TURN     64
#define LIFE_MS        30000 /* of a proposal; DESIGN section 2, Commands */
#define LOG_SILENCE_MS 5000

struct reaper {
    const struct reaper_settings *settings;
    struct weir_service *service;
    struct weir_timer *tick;
    struct weir_follower *follower;
    struct weir_bus_producer *producer;
    struct inputs *inputs;
    struct idle *idle;
    struct weir_metric *proposed;
    struct weir_metric *watched;
};

static void on_reset(void *ctx, const char *why)
{
    struct reaper *reaper = ctx;
    weir_log(WEIR_LOG_WARN, "decision log: starting again", "why", why, NULL);
    idle_reset(reaper->idle);
}

static void on_change(void *ctx, const struct weir_ledger_change *change)
{
    struct reaper *reaper = ctx;
    if (change->stream) {
        idle_stream(reaper->idle, change->stream, weir_clock_mono_ms());
    }
}

static void on_delivered(void *ctx, const struct weir_bus_delivery *delivery)
{
    static struct weir_log_limit limit;
    (void)ctx;
    if (delivery->code != WEIR_OK && weir_log_allowed(&limit, 5, 10000, weir_clock_mono_ms())) {
        weir_log(WEIR_LOG_WARN, "proposal may not have reached the log", "why", delivery->detail,
                 NULL);
    }
}

static struct weir_event proposal_event(const struct idle_proposal *due)
{
    int64_t now = weir_clock_wall_ms();
    struct weir_event event = {.type = WEIR_EV_COMMAND_IDLE,
                               .id = weir_id_new(now),
                               .time_ms = now,
                               .has_tenantid = true,
                               .tenantid = due->tenant_id,
                               .has_partitionkey = true};
    WEIR_STR_SET(event.source, "/weir/reaper/idle");
    weir_id_format(&due->stream_id, event.subject);
    weir_id_format(&due->stream_id, event.partitionkey);
    event.u.command_idle = (struct weir_ev_command_idle){.command_id = event.id,
                                                         .tenant_id = due->tenant_id,
                                                         .stream_id = due->stream_id,
                                                         .generation = due->generation,
                                                         .idle_ms = due->idle_ms,
                                                         .timeout_ms = due->timeout_ms,
                                                         .issued_at_ms = now,
                                                         .expires_at_ms = now + LIFE_MS};
    return event;
}

static void propose(struct reaper *reaper, const struct idle_proposal *due)
{
    struct weir_err err = {0};
    struct weir_event event = proposal_event(due);
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    const char *bytes = NULL;
    size_t len = 0;
    enum weir_code code = weir_ev_dump(&event, arena, &bytes, &len, &err);
    if (code == WEIR_OK) {
        const struct weir_bus_record record = {.topic = WEIR_TOPIC_COMMANDS,
                                               .partition = (int32_t)reaper->settings->cell,
                                               .key = event.subject,
                                               .key_len = strlen(event.subject),
                                               .value = bytes,
                                               .value_len = len};
        code = weir_bus_producer_send(reaper->producer, &record, on_delivered, reaper, &err);
    }
    if (code != WEIR_OK) {
        weir_log(WEIR_LOG_WARN, "stream is idle but cannot be proposed", "stream_id", event.subject,
                 "why", err.msg, NULL);
        return;
    }
    weir_metric_add(reaper->proposed, 1);
    weir_log(WEIR_LOG_INFO, "stream is idle, proposed to stop it", "stream_id", event.subject,
             NULL);
}

static void propose_due(struct reaper *reaper)
{
    struct idle_proposal due[DUE_A_TURN];
    size_t n;
    do {
        n = idle_due(reaper->idle, weir_clock_mono_ms(), due, DUE_A_TURN);
        for (size_t i = 0; i < n; i++) {
            propose(reaper, &due[i]);
        }
    } while (n == DUE_A_TURN);
}

static enum weir_code open_producer(struct reaper *reaper, struct weir_err *err)
{
    const struct weir_bus_producer_config config = {.brokers = reaper->settings->kafka,
                                                    .client_id = "weir-reaper",
                                                    .kind = WEIR_BUS_DURABLE,
                                                    .delivery_timeout_ms = LIFE_MS};
    return weir_bus_producer_open(&config, &reaper->producer, err);
}

/* A producer that the library gave up: proposals in flight are made again when still due. */
static void renew_producer(struct reaper *reaper)
{
    struct weir_err err = {0};
    weir_log(WEIR_LOG_WARN, "producer failed for good, opening another", NULL);
    inputs_close(&reaper->inputs);
    weir_bus_producer_close(&reaper->producer, 0);
    if (open_producer(reaper, &err) != WEIR_OK ||
        inputs_open(reaper->settings, reaper->producer, reaper->idle, &reaper->inputs, &err) !=
            WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, "cannot reach Kafka again, stopping", "why", err.msg, NULL);
        weir_loop_stop(weir_service_loop(reaper->service));
    }
}

static void on_tick(void *ctx)
{
    struct reaper *reaper = ctx;
    struct weir_err err = {0};
    bool is_taken = inputs_take(reaper->inputs, &err);
    bool is_current = weir_follower_is_caught_up(reaper->follower) &&
                      weir_follower_silence_ms(reaper->follower) < LOG_SILENCE_MS;
    weir_service_ready(reaper->service, "inputs", is_taken, err.msg);
    weir_service_ready(reaper->service, "log", is_current, "the decision log is not followed");
    if (is_taken && is_current) {
        propose_due(reaper);
    }
    weir_bus_producer_poll(reaper->producer, 0);
    weir_metric_set(reaper->watched, (int64_t)idle_watched(reaper->idle));
    if (weir_bus_producer_is_fatal(reaper->producer)) {
        renew_producer(reaper);
    }
    weir_timer_set(reaper->tick, TICK_MS);
}

static enum weir_code open_all(struct reaper *reaper, struct weir_err *err)
{
    const struct weir_follower_config config = {.brokers = reaper->settings->kafka,
                                                .client_id = "weir-reaper",
                                                .cell = (int32_t)reaper->settings->cell,
                                                .loop = weir_service_loop(reaper->service),
                                                .on_reset = on_reset,
                                                .on_change = on_change,
                                                .ctx = reaper};
    enum weir_code code = open_producer(reaper, err);
    if (code == WEIR_OK) {
        code = inputs_open(reaper->settings, reaper->producer, reaper->idle, &reaper->inputs, err);
    }
    return code == WEIR_OK ? weir_follower_open(&config, &reaper->follower, err) : code;
}

int reaper_run(struct weir_service *service, const struct reaper_settings *settings)
{
    struct weir_err err = {0};
    struct weir_metrics *metrics = weir_service_metrics(service);
    struct reaper reaper = {
        .settings = settings,
        .service = service,
        .idle = idle_new(settings->idle_timeout_s * 1000),
        .proposed = weir_metrics_counter(metrics, "weir_reaper_proposals_total",
                                         "Proposals to stop an idle stream", NULL, NULL),
        .watched = weir_metrics_gauge(metrics, "weir_reaper_streams",
                                      "Streams on workers that are looked after", NULL, NULL),
    };
    weir_service_ready(service, "inputs", false, "not read yet");
    weir_service_ready(service, "log", false, "not read yet");
    reaper.tick = weir_timer_new(weir_service_loop(service), on_tick, &reaper);
    enum weir_code code = open_all(&reaper, &err);
    if (code == WEIR_OK) {
        weir_timer_set(reaper.tick, 0);
        weir_loop_run(weir_service_loop(service));
    } else {
        weir_log(WEIR_LOG_ERROR, "cannot start", "why", err.msg, NULL);
    }
    weir_follower_close(&reaper.follower);
    inputs_close(&reaper.inputs);
    weir_bus_producer_close(&reaper.producer, 2000);
    weir_timer_free(&reaper.tick);
    idle_free(reaper.idle);
    return code == WEIR_OK ? 0 : 1;
}
