/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers use the library's simple consumer: partitions by hand, all into one queue. It needs no
 * group and no coordinator, so it works while those are away.
 */
#include "lib/io/bus/internal.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"

struct followed {
    rd_kafka_topic_t *rkt;
    int32_t partition;
};

struct weir_bus_reader {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    rd_kafka_message_t *last; /* given out by the last poll */
    struct followed *followed;
    size_t n_followed;
    struct bus_wake wake;
};

enum weir_code weir_bus_reader_open(const struct weir_bus_reader_config *config,
                                    struct weir_bus_reader **ret, struct weir_err *err)
{
    const struct bus_setting settings[] = {
        {"enable.auto.commit", "false"},
        {"auto.commit.enable", "false"},
        {"auto.offset.reset", "error"},
        {"fetch.wait.max.ms", "100"},
        {"fetch.error.backoff.ms", "100"},
        {"queued.max.messages.kbytes", "16384"},
        {"fetch.min.bytes", config->is_patient ? "65536" : "1"},
    };
    rd_kafka_conf_t *conf = NULL;
    enum weir_code code = bus_conf_new(config->brokers, config->client_id, settings,
                                       sizeof(settings) / sizeof(settings[0]), &conf, err);
    if (code != WEIR_OK)
        return code;
    rd_kafka_t *rk = NULL;
    if ((code = bus_instance_new(RD_KAFKA_CONSUMER, conf, &rk, err)) != WEIR_OK)
        return code;
    struct weir_bus_reader *reader = weir_xalloc(sizeof(*reader));
    reader->rk = rk;
    reader->queue = rd_kafka_queue_new(rk);
    reader->wake = (struct bus_wake){config->wake, config->wake_ctx};
    bus_wake_on(reader->queue, &reader->wake);
    *ret = reader;
    return WEIR_OK;
}

static void drop_last(struct weir_bus_reader *reader)
{
    if (reader->last)
        rd_kafka_message_destroy(reader->last);
    reader->last = NULL;
}

void weir_bus_reader_close(struct weir_bus_reader **reader)
{
    struct weir_bus_reader *self = WEIR_TAKE(*reader);
    if (!self)
        return;
    rd_kafka_queue_cb_event_enable(self->queue, NULL, NULL);
    drop_last(self);
    for (size_t i = 0; i < self->n_followed; i++) {
        rd_kafka_consume_stop(self->followed[i].rkt, self->followed[i].partition);
        rd_kafka_topic_destroy(self->followed[i].rkt);
    }
    rd_kafka_queue_destroy(self->queue);
    rd_kafka_destroy(self->rk);
    free(self->followed);
    free(self);
}

static struct followed *find(struct weir_bus_reader *reader, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < reader->n_followed; i++) {
        struct followed *followed = &reader->followed[i];
        if (followed->partition == partition &&
            strcmp(rd_kafka_topic_name(followed->rkt), topic) == 0)
            return followed;
    }
    return NULL;
}

static struct followed *add(struct weir_bus_reader *reader, rd_kafka_topic_t *rkt,
                            int32_t partition)
{
    reader->followed =
        weir_xrealloc(reader->followed, reader->n_followed + 1, sizeof(*reader->followed));
    struct followed *followed = &reader->followed[reader->n_followed++];
    *followed = (struct followed){rkt, partition};
    return followed;
}

enum weir_code weir_bus_reader_assign(struct weir_bus_reader *reader, const char *topic,
                                      int32_t partition, int64_t offset, struct weir_err *err)
{
    struct followed *followed = find(reader, topic, partition);
    if (followed) {
        rd_kafka_consume_stop(followed->rkt, partition);
    } else {
        rd_kafka_topic_t *rkt = rd_kafka_topic_new(reader->rk, topic, NULL);
        if (!rkt)
            return weir_fail(err, WEIR_EINVAL, "topic %s: %s", topic,
                             rd_kafka_err2str(rd_kafka_last_error()));
        followed = add(reader, rkt, partition);
    }
    if (rd_kafka_consume_start_queue(followed->rkt, partition, offset, reader->queue) != 0)
        return weir_fail(err, WEIR_EINVAL, "%s/%d from %lld: %s", topic, (int)partition,
                         (long long)offset, rd_kafka_err2str(rd_kafka_last_error()));
    return WEIR_OK;
}

enum weir_code weir_bus_reader_poll(struct weir_bus_reader *reader, int timeout_ms,
                                    struct weir_bus_message *ret, bool *ret_got,
                                    struct weir_err *err)
{
    drop_last(reader);
    rd_kafka_poll(reader->rk, 0);
    rd_kafka_message_t *message;
    while ((message = rd_kafka_consume_queue(reader->queue, timeout_ms))) {
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            reader->last = message;
            bus_message_fill(message, ret);
            *ret_got = true;
            return WEIR_OK;
        }
        enum weir_code code = bus_consumer_error(message, err);
        rd_kafka_message_destroy(message);
        if (code != WEIR_OK)
            return code;
        /* A passing trouble was taken from the queue; what is there already may still follow. */
        timeout_ms = 0;
    }
    *ret_got = false;
    return WEIR_OK;
}

/*
 * One end of a partition; ListOffsets takes BEGINNING and END in place of a time. The call made for
 * this, rd_kafka_query_watermark_offsets, forgets its time-out while a broker accepts and stays
 * silent (librdkafka 2.0.2, tried: 37 s instead of 1 s).
 */
static rd_kafka_resp_err_t ask_end(struct weir_bus_reader *reader, const char *topic,
                                   int32_t partition, int64_t which, int timeout_ms, int64_t *ret)
{
    rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *end = rd_kafka_topic_partition_list_add(ends, topic, partition);
    end->offset = which;
    rd_kafka_resp_err_t error = rd_kafka_offsets_for_times(reader->rk, ends, timeout_ms);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        error = end->err;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        *ret = end->offset;
    rd_kafka_topic_partition_list_destroy(ends);
    return error;
}

enum weir_code weir_bus_reader_bounds(struct weir_bus_reader *reader, const char *topic,
                                      int32_t partition, int timeout_ms, int64_t *ret_first,
                                      int64_t *ret_next, struct weir_err *err)
{
    int64_t first = 0;
    int64_t next = 0;
    int64_t until_mono_ms = weir_clock_mono_ms() + timeout_ms;
    rd_kafka_resp_err_t error =
        ask_end(reader, topic, partition, RD_KAFKA_OFFSET_BEGINNING, timeout_ms, &first);
    int64_t left_ms = until_mono_ms - weir_clock_mono_ms();
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        error = ask_end(reader, topic, partition, RD_KAFKA_OFFSET_END,
                        left_ms > 1 ? (int)left_ms : 1, &next);
    int number = error;
    if (number == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
        number == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
        number == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return weir_fail(err, WEIR_ENOTFOUND, "%s/%d: no such topic or partition", topic,
                         (int)partition);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_fail(err, WEIR_EUNAVAILABLE, "%s/%d bounds: %s", topic, (int)partition,
                         rd_kafka_err2str(error));
    *ret_first = first;
    *ret_next = next;
    return WEIR_OK;
}
