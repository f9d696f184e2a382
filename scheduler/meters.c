/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/meters.h"

#include <string.h>

static const char *const kinds[WEIR_EV_DECISION_KIND_N] = {
    [WEIR_EV_DECISION_KIND_TAKEOVER] = "takeover",
    [WEIR_EV_DECISION_KIND_COMMAND] = "command",
    [WEIR_EV_DECISION_KIND_FACT] = "fact",
    [WEIR_EV_DECISION_KIND_HEARTBEAT] = "heartbeat",
    [WEIR_EV_DECISION_KIND_TIMER] = "timer",
    [WEIR_EV_DECISION_KIND_CONFIG] = "config",
    [WEIR_EV_DECISION_KIND_CONTINUATION] = "continuation",
};

static struct weir_metric *counter(struct weir_metrics *metrics, const char *name, const char *help)
{
    return weir_metrics_counter(metrics, name, help, NULL, NULL);
}

static struct weir_metric *gauge(struct weir_metrics *metrics, const char *name, const char *help)
{
    return weir_metrics_gauge(metrics, name, help, NULL, NULL);
}

void meters_init(struct meters *meters, struct weir_metrics *metrics)
{
    static const int64_t us[] = {10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 50000};
    static const int64_t ms[] = {1, 2, 5, 10, 20, 50, 100, 250, 500, 1000, 5000};
    for (int i = 0; i < WEIR_EV_DECISION_KIND_N; i++) {
        meters->decisions[i] = weir_metrics_counter(metrics, "weir_scheduler_decisions_total",
                                                    "Decisions appended", "kind", kinds[i]);
    }
    meters->placements =
        counter(metrics, "weir_scheduler_placements_total", "Streams placed on a worker");
    meters->poisoned =
        counter(metrics, "weir_scheduler_poisoned_total", "Input records that nobody can read");
    meters->takeovers =
        counter(metrics, "weir_scheduler_takeovers_total", "Takeovers appended by this process");
    meters->checkpoints =
        counter(metrics, "weir_scheduler_checkpoints_total", "Checkpoints written completely");
    meters->divergences = counter(metrics, "weir_scheduler_divergences_total",
                                  "Records whose writer had another ledger than the log tells");
    meters->is_leader = gauge(metrics, "weir_scheduler_leader", "1 while this process leads");
    meters->epoch = gauge(metrics, "weir_scheduler_epoch", "Epoch of the cell as followed");
    meters->queue = gauge(metrics, "weir_scheduler_queue_streams", "Streams that wait");
    meters->streams = gauge(metrics, "weir_scheduler_placed_streams", "Streams on a worker");
    meters->in_flight =
        gauge(metrics, "weir_scheduler_in_flight", "Decisions appended, not yet acknowledged");
    meters->decide_us = weir_metrics_histogram(metrics, "weir_scheduler_decide_us",
                                               "Time to decide about one input, microseconds", NULL,
                                               NULL, us, sizeof(us) / sizeof(us[0]));
    meters->append_ms = weir_metrics_histogram(metrics, "weir_scheduler_append_ms",
                                               "From a decision to its acknowledgement", NULL, NULL,
                                               ms, sizeof(ms) / sizeof(ms[0]));
}

void meters_decision(const struct meters *meters, const struct weir_ev_decision *decision)
{
    weir_metric_add(meters->decisions[decision->kind], 1);
    for (size_t i = 0; i < decision->n_effects; i++) {
        const struct weir_ev_decision_effects *e = &decision->effects[i];
        if (e->entity == WEIR_EV_DECISION_EFFECTS_ENTITY_STREAM && strcmp(e->to, "placed") == 0) {
            weir_metric_add(meters->placements, 1);
        }
    }
}
