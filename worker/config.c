/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows config.v1 from its end: a camera that changed is fetched again, and so are those of a
 * tenant that did: its networks and its ceiling are told with the address. What changed before the
 * start is of no interest, for an address is fetched as it is now.
 */
#include "lib/base/log.h"
#include "worker/worker.h"

#define RECORDS_PER_TURN 100
#define AGAIN_MS         1000

static void take(struct worker *worker, const struct weir_bus_message *message)
{
    struct weir_event event;
    struct weir_err err = {0};
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    if (!message->value) {
        return;
    }
    if (weir_ev_parse(message->value, message->value_len, arena, &event, &err) != WEIR_OK) {
        weir_log(WEIR_LOG_WARN, "configuration record cannot be read, left out", "why", err.msg,
                 NULL);
        return;
    }
    if (event.type == WEIR_EV_CONFIG_CAMERA) {
        const struct weir_ev_config_camera *camera = &event.u.config_camera;
        leases_config_changed(worker, &camera->camera_id, camera->version);
    } else if (event.type == WEIR_EV_CONFIG_TENANT) {
        const struct weir_ev_config_tenant *tenant = &event.u.config_tenant;
        leases_tenant_changed(worker, &tenant->tenant_id, tenant->version);
    }
}

static enum weir_code follow_end(struct worker *worker, struct weir_err *err)
{
    return weir_bus_reader_assign(worker->config, WEIR_TOPIC_CONFIG,
                                  (int32_t)worker->settings->cell, WEIR_BUS_OFFSET_END, err);
}

/* What was missed meanwhile cannot be known, so every address is fetched once more. */
static void on_again(void *ctx)
{
    struct worker *worker = ctx;
    struct weir_err err = {0};
    if (follow_end(worker, &err) != WEIR_OK) {
        weir_log(WEIR_LOG_WARN, "configuration cannot be followed yet", "why", err.msg, NULL);
        weir_timer_set(worker->config_again, AGAIN_MS);
        return;
    }
    leases_all_changed(worker);
    waker_wake(&worker->config_waker);
}

/* The topic was cut off or made anew behind the place that was reached. */
static void follow_anew(struct worker *worker, const char *why)
{
    static struct weir_log_limit limit;
    if (weir_log_allowed(&limit, 3, 60000, worker_now_ms())) {
        weir_log(WEIR_LOG_WARN, "configuration is followed anew from its end", "why", why, NULL);
    }
    weir_timer_set(worker->config_again, AGAIN_MS);
}

static void on_waiting(void *ctx)
{
    struct worker *worker = ctx;
    struct weir_err err = {0};
    for (int i = 0; i < RECORDS_PER_TURN; i++) {
        struct weir_bus_message message;
        bool got = false;
        enum weir_code code = weir_bus_reader_poll(worker->config, 0, &message, &got, &err);
        if (code != WEIR_OK) {
            follow_anew(worker, err.msg);
            return;
        }
        if (!got) {
            return;
        }
        take(worker, &message);
    }
    waker_wake(&worker->config_waker);
}

enum weir_code config_open(struct worker *worker, struct weir_err *err)
{
    waker_init(&worker->config_waker, worker->loop, on_waiting, worker);
    worker->config_again = weir_timer_new(worker->loop, on_again, worker);
    struct weir_bus_reader_config config = {.brokers = worker->settings->kafka,
                                            .client_id = "weir-worker-config",
                                            .wake = waker_wake,
                                            .wake_ctx = &worker->config_waker};
    enum weir_code code = weir_bus_reader_open(&config, &worker->config, err);
    if (code != WEIR_OK) {
        return code;
    }
    return follow_end(worker, err);
}
