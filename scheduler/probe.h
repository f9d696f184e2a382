/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the broker, on a thread of its own, where the input topics begin and end: once of each, and
 * of commands and heartbeats again and again. A leader that has read as far as they went at the
 * time of asking is not deaf; without that it judges nobody. A broker that does not answer delays
 * the answers, never the leader.
 */
#ifndef SCHEDULER_PROBE_H
#define SCHEDULER_PROBE_H

#include "lib/io/bus.h"
#include "scheduler/inputs.h"

struct probe;

/* `wake`: called from the thread when there are new answers. */
WEIR_MUST_USE enum weir_code probe_open(const char *brokers, int32_t cell, weir_bus_wake_fn *wake,
                                        void *wake_ctx, struct probe **ret, struct weir_err *err);
/* May wait for an answer that is on its way, 0.8 s at most. */
void probe_close(struct probe **probe);

/* A topic as it was at `asked_boot_ms`, or later. */
struct probe_bounds {
    int64_t first; /* offset of the first record kept */
    int64_t next;  /* of the next to be written */
    int64_t asked_boot_ms;
};

/* False before the first answer about the topic. */
bool probe_bounds(struct probe *probe, enum input_topic topic, struct probe_bounds *ret);

#endif
