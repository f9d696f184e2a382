/* SPDX-License-Identifier: Apache-2.0 */
#include "reaper/inputs.h"

#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define RECORDS_A_TURN 2000

struct inputs {
    struct weir_bus_reader *reader;
    struct weir_bus_producer *producer;
    struct idle *idle;
    struct weir_arena *arena; /* of the record at hand */
    int32_t cell;
};

static enum weir_code assign(struct inputs *inputs, struct weir_err *err)
{
    static const struct {
        const char *topic;
        int64_t offset;
    } starts[] = {
        {WEIR_TOPIC_HEARTBEATS, WEIR_BUS_OFFSET_END},
        {WEIR_TOPIC_VIEWERS, WEIR_BUS_OFFSET_END},
        {WEIR_TOPIC_CONFIG, WEIR_BUS_OFFSET_START},
    };
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        enum weir_code code = weir_bus_reader_assign(inputs->reader, starts[i].topic, inputs->cell,
                                                     starts[i].offset, err);
        if (code != WEIR_OK) {
            return code;
        }
    }
    return WEIR_OK;
}

enum weir_code inputs_open(const struct reaper_settings *settings,
                           struct weir_bus_producer *producer, struct idle *idle,
                           struct inputs **ret, struct weir_err *err)
{
    struct weir_bus_reader_config config = {.brokers = settings->kafka, .client_id = "weir-reaper"};
    struct inputs *inputs = weir_xalloc(sizeof(*inputs));
    *inputs = (struct inputs){.producer = producer,
                              .idle = idle,
                              .arena = weir_arena_new(16384),
                              .cell = (int32_t)settings->cell};
    enum weir_code code = weir_bus_reader_open(&config, &inputs->reader, err);
    if (code == WEIR_OK) {
        code = assign(inputs, err);
    }
    if (code != WEIR_OK) {
        inputs_close(&inputs);
        return code;
    }
    *ret = inputs;
    return WEIR_OK;
}

void inputs_close(struct inputs **inputs)
{
    if (*inputs) {
        weir_bus_reader_close(&(*inputs)->reader);
        weir_arena_free((*inputs)->arena);
        free(*inputs);
        *inputs = NULL;
    }
}

static enum weir_code understand(struct inputs *inputs, const struct weir_bus_message *message,
                                 int64_t now_mono_ms, struct weir_err *err)
{
    struct weir_event *event = weir_arena_alloc(inputs->arena, sizeof(*event));
    enum weir_code code =
        weir_ev_parse(message->value, message->value_len, inputs->arena, event, err);
    if (code != WEIR_OK) {
        return code;
    }
    if (event->type == WEIR_EV_HEARTBEAT) {
        idle_heartbeat(inputs->idle, &event->u.heartbeat, now_mono_ms);
    } else if (event->type == WEIR_EV_VIEWERS) {
        idle_viewers(inputs->idle, &event->u.viewers, now_mono_ms);
    } else if (event->type == WEIR_EV_CONFIG_CAMERA) {
        idle_camera(inputs->idle, &event->u.config_camera);
    } else if (event->type == WEIR_EV_CONFIG_TENANT) {
        idle_tenant(inputs->idle, &event->u.config_tenant);
    }
    return WEIR_OK;
}

static void bury(struct inputs *inputs, const struct weir_bus_message *message,
                 const struct weir_err *why)
{
    static struct weir_log_limit limit;
    struct weir_err err = {0};
    enum weir_code code = weir_bus_dead_letter(inputs->producer, message, "weir-reaper", why->code,
                                               why->msg, NULL, NULL, &err);
    if (weir_log_allowed(&limit, 5, 10000, weir_clock_mono_ms())) {
        weir_log(WEIR_LOG_WARN, "record is not understood", "topic", message->topic, "why",
                 why->msg, "dead_letter", code == WEIR_OK ? "sent" : err.msg, NULL);
    }
}

bool inputs_take(struct inputs *inputs, struct weir_err *err)
{
    for (int i = 0; i < RECORDS_A_TURN; i++) {
        struct weir_bus_message message;
        struct weir_err why = {0};
        bool got = false;
        enum weir_code code = weir_bus_reader_poll(inputs->reader, 0, &message, &got, err);
        if (code == WEIR_EGONE) {
            /* Older than what is kept: the ends and the start are right again. */
            code = assign(inputs, err);
            got = false;
        }
        if (code != WEIR_OK || !got) {
            return code == WEIR_OK;
        }
        if (message.value && understand(inputs, &message, weir_clock_mono_ms(), &why) != WEIR_OK) {
            bury(inputs, &message, &why);
        }
        weir_arena_reset(inputs->arena);
    }
    return true;
}
