/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input topics of a leader: reads the cell's partition of each from a chosen offset, parses,
 * and puts what nobody can read into the dead letters. Nothing here blocks, except inputs_bounds.
 */
#ifndef SCHEDULER_INPUTS_H
#define SCHEDULER_INPUTS_H

#include "lib/domain/events.h"
#include "lib/io/bus.h"

enum input_topic {
    INPUT_COMMANDS,
    INPUT_FACTS,
    INPUT_HEARTBEATS,
    INPUT_VIEWERS,
    INPUT_CONFIG,
    INPUT_N,
};

struct inputs;

WEIR_MUST_USE enum weir_code inputs_open(const char *brokers, int32_t cell, weir_bus_wake_fn *wake,
                                         void *wake_ctx, struct inputs **ret, struct weir_err *err);
void inputs_close(struct inputs **inputs);

/* Asks the broker for the first kept and the next offset; blocks a second at most. */
WEIR_MUST_USE enum weir_code inputs_bounds(struct inputs *inputs, enum input_topic topic,
                                           int64_t *ret_first, int64_t *ret_next,
                                           struct weir_err *err);

/* Follows a topic from `offset`, which must lie within its bounds. */
WEIR_MUST_USE enum weir_code inputs_follow(struct inputs *inputs, enum input_topic topic,
                                           int64_t offset, struct weir_err *err);

/* The next offset to come of a followed topic. */
int64_t inputs_position(const struct inputs *inputs, enum input_topic topic);

struct input {
    enum input_topic topic;
    int64_t offset;
    const struct weir_event *event; /* in the arena given */
};

/*
 * The next record that can be read; *ret_got is false when none is there. Unreadable ones go to
 * `dead_letters` and count in *poisoned. WEIR_EGONE: an offset is not kept any more.
 */
WEIR_MUST_USE enum weir_code inputs_next(struct inputs *inputs,
                                         struct weir_bus_producer *dead_letters,
                                         struct weir_arena *arena, struct input *ret, bool *ret_got,
                                         int *poisoned, struct weir_err *err);

#endif
