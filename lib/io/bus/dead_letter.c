/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/bus/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/domain/events.h"

/* Room for a foreign record larger than any that Weir would write. */
#define DEAD_MAX_BYTES (1200 * 1000)

static struct weir_bus_header text_header(const char *name, const char *text)
{
    return (struct weir_bus_header){name, text, strlen(text)};
}

int32_t weir_bus_partition_of(const void *key, size_t len, int32_t partitions)
{
    static const uint8_t zero[16];
    return (int32_t)(weir_siphash(zero, key, len) % (uint64_t)partitions);
}

enum weir_code weir_bus_dead_letter(struct weir_bus_producer *producer,
                                    const struct weir_bus_message *message, const char *group,
                                    enum weir_code code, const char *reason,
                                    weir_bus_delivery_fn *fn, void *ctx, struct weir_err *err)
{
    char partition[16];
    char offset[24];
    char time[WEIR_TIME_TEXT_MAX];
    snprintf(partition, sizeof(partition), "%" PRId32, message->partition);
    snprintf(offset, sizeof(offset), "%" PRId64, message->offset);
    weir_clock_format_ms(weir_clock_wall_ms(), time);
    const struct weir_bus_header headers[] = {
        text_header("_dlq.errors.topic", message->topic),
        text_header("_dlq.errors.partition", partition),
        text_header("_dlq.errors.offset", offset),
        text_header("_dlq.errors.group", group),
        text_header("_dlq.errors.code", weir_code_text(code)),
        text_header("_dlq.errors.message", reason),
        text_header("_dlq.errors.time", time),
    };
    const struct weir_bus_record record = {
        .topic = WEIR_TOPIC_DLQ,
        .partition = weir_bus_partition_of(message->key, message->key_len, WEIR_TOPIC_PARTITIONS),
        .key = message->key,
        .key_len = message->key_len,
        .value = message->value,
        .value_len = message->value_len,
        .headers = headers,
        .n_headers = sizeof(headers) / sizeof(headers[0]),
    };
    return bus_producer_send_up_to(producer, &record, DEAD_MAX_BYTES, fn, ctx, err);
}
