/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input topics of a leader: reads the cell's partition of each from a chosen offset, and
 * parses. Nothing here blocks.
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

const char *inputs_topic_name(enum input_topic topic);

/* Follows a topic from `offset`, which must lie within its bounds. */
WEIR_MUST_USE enum weir_code inputs_follow(struct inputs *inputs, enum input_topic topic,
                                           int64_t offset, struct weir_err *err);

/* The next offset to come of a followed topic. */
int64_t inputs_position(const struct inputs *inputs, enum input_topic topic);

/* Pointers live until the next call of inputs_next; `event` as long as the arena given. */
struct input {
    enum input_topic topic;
    struct weir_bus_message message;
    const struct weir_event *event; /* NULL: nobody can read the record */
    struct weir_err why;            /* then: why not */
};

/* The next record; *ret_got is false when none is there. WEIR_EGONE: an offset is not kept any
 * more. */
WEIR_MUST_USE enum weir_code inputs_next(struct inputs *inputs, struct weir_arena *arena,
                                         struct input *ret, bool *ret_got, struct weir_err *err);

#endif
