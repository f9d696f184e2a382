/* SPDX-License-Identifier: Apache-2.0 */
/* What the scheduler tells Prometheus. */
#ifndef SCHEDULER_METERS_H
#define SCHEDULER_METERS_H

#include "lib/domain/events.h"
#include "lib/service/metrics.h"

struct meters {
    struct weir_metric *decisions[WEIR_EV_DECISION_KIND_N];
    struct weir_metric *placements;
    struct weir_metric *poisoned;
    struct weir_metric *takeovers;
    struct weir_metric *checkpoints;
    struct weir_metric *divergences;
    struct weir_metric *is_leader;
    struct weir_metric *epoch;
    struct weir_metric *queue;
    struct weir_metric *streams;
    struct weir_metric *in_flight;
    struct weir_metric *decide_us;
    struct weir_metric *append_ms;
};

void meters_init(struct meters *meters, struct weir_metrics *metrics);

/* Counts a decision by kind and its placements. */
void meters_decision(const struct meters *meters, const struct weir_ev_decision *decision);

#endif
