/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/inputs.h"

#include <stdlib.h>
#include <string.h>

static const char *const topics[INPUT_N] = {
    [INPUT_COMMANDS] = WEIR_TOPIC_COMMANDS,     [INPUT_FACTS] = WEIR_TOPIC_FACTS,
    [INPUT_HEARTBEATS] = WEIR_TOPIC_HEARTBEATS, [INPUT_VIEWERS] = WEIR_TOPIC_VIEWERS,
    [INPUT_CONFIG] = WEIR_TOPIC_CONFIG,
};

struct inputs {
    struct weir_bus_reader *reader;
    int32_t cell;
    int64_t position[INPUT_N];
};

enum weir_code inputs_open(const char *brokers, int32_t cell, weir_bus_wake_fn *wake,
                           void *wake_ctx, struct inputs **ret, struct weir_err *err)
{
    struct inputs *inputs = weir_xalloc(sizeof(*inputs));
    inputs->cell = cell;
    const struct weir_bus_reader_config config = {.brokers = brokers,
                                                  .client_id = "weir-scheduler-inputs",
                                                  .wake = wake,
                                                  .wake_ctx = wake_ctx};
    enum weir_code code = weir_bus_reader_open(&config, &inputs->reader, err);
    if (code != WEIR_OK) {
        free(inputs);
        return code;
    }
    *ret = inputs;
    return WEIR_OK;
}

void inputs_close(struct inputs **inputs)
{
    struct inputs *self = WEIR_TAKE(*inputs);
    if (self == NULL) {
        return;
    }
    weir_bus_reader_close(&self->reader);
    free(self);
}

const char *inputs_topic_name(enum input_topic topic)
{
    return topics[topic];
}

enum weir_code inputs_follow(struct inputs *inputs, enum input_topic topic, int64_t offset,
                             struct weir_err *err)
{
    inputs->position[topic] = offset;
    return weir_bus_reader_assign(inputs->reader, topics[topic], inputs->cell, offset, err);
}

int64_t inputs_position(const struct inputs *inputs, enum input_topic topic)
{
    return inputs->position[topic];
}

static enum input_topic topic_of(const char *name)
{
    enum input_topic topic = INPUT_COMMANDS;
    while (topic < INPUT_CONFIG && strcmp(topics[topic], name) != 0) {
        topic++;
    }
    return topic;
}

static enum weir_code read_event(const struct weir_bus_message *message, enum input_topic topic,
                                 struct weir_arena *arena, const struct weir_event **ret,
                                 struct weir_err *err)
{
    struct weir_event *event = weir_arena_alloc(arena, sizeof(*event));
    enum weir_code code = weir_ev_parse(message->value, message->value_len, arena, event, err);
    if (code == WEIR_OK && strcmp(weir_ev_topic(event->type), topics[topic]) != 0) {
        code = weir_fail(err, WEIR_EUNSUPPORTED, "a %s does not belong here",
                         weir_ev_type_name(event->type));
    }
    *ret = event;
    return code;
}

enum weir_code inputs_next(struct inputs *inputs, struct weir_arena *arena, struct input *ret,
                           bool *ret_got, struct weir_err *err)
{
    do {
        enum weir_code code = weir_bus_reader_poll(inputs->reader, 0, &ret->message, ret_got, err);
        if (code != WEIR_OK || !*ret_got) {
            return code;
        }
        ret->topic = topic_of(ret->message.topic);
        inputs->position[ret->topic] = ret->message.offset + 1;
    } while (ret->message.value == NULL); /* a tombstone of the compacted configuration */
    if (read_event(&ret->message, ret->topic, arena, &ret->event, &ret->why) != WEIR_OK) {
        ret->event = NULL;
    }
    return WEIR_OK;
}
