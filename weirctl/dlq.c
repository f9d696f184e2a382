/* SPDX-License-Identifier: Apache-2.0 */
/* The records that nobody could read: weir.dlq.v1, with `_dlq.errors.*` headers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/domain/events.h"
#include "weirctl/command.h"
#include "weirctl/scan.h"

#define HEADER_MAX  512
#define DELIVERY_MS 10000

/* What was wrong with a record, and where it came from; texts are printable. */
struct letter {
    char topic[HEADER_MAX];
    char partition[HEADER_MAX];
    char offset[HEADER_MAX];
    char group[HEADER_MAX];
    char code[HEADER_MAX];
    char reason[HEADER_MAX];
    char time[HEADER_MAX];
};

static void read_header(const struct weir_bus_message *message, const char *name,
                        char ret[static HEADER_MAX])
{
    size_t len = 0;
    const char *value = weir_bus_message_header(message, name, &len);
    len = value ? len : 0;
    len = len < HEADER_MAX - 1 ? len : HEADER_MAX - 1;
    for (size_t i = 0; i < len; i++)
        ret[i] = (char)(value[i] < ' ' || value[i] > '~' ? '?' : value[i]);
    ret[len] = '\0';
}

static void read_letter(const struct weir_bus_message *message, struct letter *ret)
{
    read_header(message, "_dlq.errors.topic", ret->topic);
    read_header(message, "_dlq.errors.partition", ret->partition);
    read_header(message, "_dlq.errors.offset", ret->offset);
    read_header(message, "_dlq.errors.group", ret->group);
    read_header(message, "_dlq.errors.code", ret->code);
    read_header(message, "_dlq.errors.message", ret->reason);
    read_header(message, "_dlq.errors.time", ret->time);
}

/* ---- list ---- */

struct list {
    FILE *out;
    int64_t left;
};

static bool list_one(void *ctx, const struct weir_bus_message *message)
{
    struct list *list = ctx;
    struct letter letter;
    read_letter(message, &letter);
    fprintf(list->out, "%" PRId32 ":%" PRId64 "  %s  %s/%s@%s  %s  %s: %s\n", message->partition,
            message->offset, letter.time, letter.topic, letter.partition, letter.offset,
            letter.group, letter.code, letter.reason);
    return --list->left > 0;
}

enum weir_code ctl_dlq_list(const struct ctl_settings *settings, FILE *out, struct weir_err *err)
{
    struct list list = {.out = out, .left = settings->limit};
    enum weir_code code = WEIR_OK;
    for (int32_t i = 0; i < WEIR_TOPIC_PARTITIONS && code == WEIR_OK && list.left > 0; i++) {
        if (settings->partition >= 0 && settings->partition != i)
            continue;
        const struct ctl_scan scan = {
            .topic = WEIR_TOPIC_DLQ, .partition = i, .from = -1, .fn = list_one, .ctx = &list};
        code = ctl_scan(settings, &scan, err);
    }
    return code;
}

/* ---- one record ---- */

struct found {
    struct weir_arena *arena;
    bool is_there;
    int64_t offset;
    struct letter letter;
    struct weir_bus_record record; /* as it was sent once; topic and partition from the headers */
};

static bool keep_one(void *ctx, const struct weir_bus_message *message)
{
    struct found *found = ctx;
    if (message->offset != found->offset)
        return false;
    read_letter(message, &found->letter);
    found->record.key_len = message->key_len;
    found->record.value_len = message->value_len;
    if (message->key)
        found->record.key = weir_arena_memdup(found->arena, message->key, message->key_len);
    if (message->value)
        found->record.value = weir_arena_memdup(found->arena, message->value, message->value_len);
    found->is_there = true;
    return false;
}

static enum weir_code find_one(const struct ctl_settings *settings, struct found *found,
                               struct weir_err *err)
{
    if (settings->partition < 0 || settings->offset < 0)
        return weir_fail(err, WEIR_EINVAL, "--partition and --offset name the record");
    found->offset = settings->offset;
    const struct ctl_scan scan = {.topic = WEIR_TOPIC_DLQ,
                                  .partition = (int32_t)settings->partition,
                                  .from = settings->offset,
                                  .fn = keep_one,
                                  .ctx = found};
    enum weir_code code = ctl_scan(settings, &scan, err);
    if (code == WEIR_OK && !found->is_there)
        code = weir_fail(err, WEIR_ENOTFOUND, "there is no such record");
    return code;
}

enum weir_code ctl_dlq_show(const struct ctl_settings *settings, FILE *out, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct found found = {.arena = arena};
    enum weir_code code = find_one(settings, &found, err);
    if (code != WEIR_OK)
        return code;
    const struct letter *letter = &found.letter;
    fprintf(out, "from    %s/%s@%s\nby      %s at %s\nreason  %s: %s\nkey     ", letter->topic,
            letter->partition, letter->offset, letter->group, letter->time, letter->code,
            letter->reason);
    fwrite(found.record.key ? found.record.key : "", 1, found.record.key_len, out);
    fprintf(out, "\nvalue   %zu bytes\n", found.record.value_len);
    fwrite(found.record.value ? found.record.value : "", 1, found.record.value_len, out);
    fprintf(out, "\n");
    return WEIR_OK;
}

/* ---- replay ---- */

struct outcome {
    bool is_known;
    struct weir_bus_delivery delivery;
};

static void on_delivery(void *ctx, const struct weir_bus_delivery *delivery)
{
    struct outcome *outcome = ctx;
    outcome->is_known = true;
    outcome->delivery = *delivery;
}

static enum weir_code send(const struct ctl_settings *settings,
                           const struct weir_bus_record *record, struct outcome *outcome,
                           struct weir_err *err)
{
    const struct weir_bus_producer_config config = {.brokers = settings->kafka,
                                                    .client_id = "weirctl",
                                                    .kind = WEIR_BUS_DURABLE,
                                                    .delivery_timeout_ms = DELIVERY_MS};
    struct weir_bus_producer *producer = NULL;
    enum weir_code code = weir_bus_producer_open(&config, &producer, err);
    if (code == WEIR_OK)
        code = weir_bus_producer_send(producer, record, on_delivery, outcome, err);
    weir_bus_producer_close(&producer, DELIVERY_MS);
    if (code == WEIR_OK && outcome->delivery.code != WEIR_OK)
        code = weir_fail(err, outcome->delivery.code, "%s", outcome->delivery.detail);
    return code;
}

/* Only where a reader of the topic can judge it again: the record gets a new offset, and decisions
 * and checkpoints are valid only where they stood. */
static bool is_replayable(const char *topic)
{
    static const char *const topics[] = {WEIR_TOPIC_COMMANDS, WEIR_TOPIC_FACTS, WEIR_TOPIC_CONFIG,
                                         WEIR_TOPIC_AUDIT};
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        if (strcmp(topic, topics[i]) == 0)
            return true;
    }
    return false;
}

enum weir_code ctl_dlq_replay(const struct ctl_settings *settings, FILE *out, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct found found = {.arena = arena};
    int64_t partition = 0;
    enum weir_code code = find_one(settings, &found, err);
    if (code != WEIR_OK)
        return code;
    if (!is_replayable(found.letter.topic))
        return weir_fail(err, WEIR_EUNSUPPORTED, "records of '%s' are not replayed",
                         found.letter.topic);
    if ((code = weir_str_to_int(found.letter.partition, 0, WEIR_TOPIC_PARTITIONS - 1, &partition,
                                err)) != WEIR_OK)
        return weir_fail_in(err, code, "_dlq.errors.partition");
    found.record.topic = found.letter.topic;
    found.record.partition = (int32_t)partition;
    struct outcome outcome = {0};
    if ((code = send(settings, &found.record, &outcome, err)) != WEIR_OK)
        return code;
    fprintf(out, "sent again: %s/%" PRId64 "@%" PRId64 "\n", found.letter.topic, partition,
            outcome.delivery.offset);
    return WEIR_OK;
}
