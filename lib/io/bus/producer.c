/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/bus/internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"

#define QUEUE_DEFAULT    20000
#define PURGE_TIMEOUT_MS 1000

struct weir_bus_producer {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue; /* of delivery reports; kept while its wake is on */
    struct bus_wake wake;
};

/* Who waits for a record's report. Made by send, freed by the report. */
struct waiter {
    weir_bus_delivery_fn *fn;
    void *ctx;
};

static void report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    (void)opaque;
    struct waiter *waiter = message->_private;
    if (!waiter)
        return;
    struct weir_bus_delivery delivery = {.code = WEIR_OK, .offset = message->offset, .detail = ""};
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        bool is_absent = rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
        delivery.code = is_absent ? WEIR_EUNAVAILABLE : WEIR_EUNKNOWN;
        delivery.offset = -1;
        delivery.detail = rd_kafka_err2str(message->err);
    }
    waiter->fn(waiter->ctx, &delivery);
    free(waiter);
}

static enum weir_code conf_for(const struct weir_bus_producer_config *config, rd_kafka_conf_t **ret,
                               struct weir_err *err)
{
    char timeout[24];
    char queue[24];
    char linger[24];
    snprintf(linger, sizeof(linger), "%lld", (long long)config->linger_ms);
    snprintf(timeout, sizeof(timeout), "%lld", (long long)config->delivery_timeout_ms);
    snprintf(queue, sizeof(queue), "%zu",
             config->queue_max_records ? config->queue_max_records : QUEUE_DEFAULT);
    bool is_durable = config->kind == WEIR_BUS_DURABLE;
    const struct bus_setting settings[] = {
        {"enable.idempotence", is_durable ? "true" : "false"},
        {"acks", is_durable ? "all" : "1"},
        {"message.timeout.ms", timeout},
        {"queue.buffering.max.messages", queue},
        /* 0 costs no throughput: while the wire is busy records are batched all the same. But each
         * request costs the broker, and all who read the topic another one. */
        {"linger.ms", linger},
        {"compression.codec", "lz4"},
        /* A topic's limit is one of whole batches: without this, a burst of small records is
         * refused as one that is too large. */
        {"batch.size", "200000"},
        {"message.max.bytes", "1500000"},
        {"retry.backoff.ms", "50"},
    };
    return bus_conf_new(config->brokers, config->client_id, settings,
                        sizeof(settings) / sizeof(settings[0]), ret, err);
}

enum weir_code weir_bus_producer_open(const struct weir_bus_producer_config *config,
                                      struct weir_bus_producer **ret, struct weir_err *err)
{
    if (config->delivery_timeout_ms < 1000 || config->delivery_timeout_ms > 300000)
        return weir_fail(err, WEIR_EINVAL, "delivery timeout must be 1000..300000 ms");
    if (config->linger_ms < 0 || config->linger_ms > 1000)
        return weir_fail(err, WEIR_EINVAL, "a record may wait for others 0..1000 ms");
    rd_kafka_conf_t *conf = NULL;
    enum weir_code code = conf_for(config, &conf, err);
    if (code != WEIR_OK)
        return code;
    rd_kafka_conf_set_dr_msg_cb(conf, report);
    rd_kafka_t *rk = NULL;
    if ((code = bus_instance_new(RD_KAFKA_PRODUCER, conf, &rk, err)) != WEIR_OK)
        return code;
    struct weir_bus_producer *producer = weir_xalloc(sizeof(*producer));
    producer->rk = rk;
    producer->wake = (struct bus_wake){config->wake, config->wake_ctx};
    producer->queue = rd_kafka_queue_get_main(rk);
    bus_wake_on(producer->queue, &producer->wake);
    *ret = producer;
    return WEIR_OK;
}

void weir_bus_producer_close(struct weir_bus_producer **producer, int64_t flush_ms)
{
    struct weir_bus_producer *self = WEIR_TAKE(*producer);
    if (!self)
        return;
    rd_kafka_queue_cb_event_enable(self->queue, NULL, NULL);
    rd_kafka_flush(self->rk, (int)flush_ms);
    /* What is left is given up, so that every record is reported before the end. */
    if (rd_kafka_outq_len(self->rk) > 0) {
        rd_kafka_purge(self->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(self->rk, PURGE_TIMEOUT_MS);
    }
    rd_kafka_queue_destroy(self->queue);
    rd_kafka_destroy(self->rk);
    free(self);
}

enum weir_code weir_bus_producer_warm(struct weir_bus_producer *producer, const char *topic,
                                      int timeout_ms, struct weir_err *err)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(producer->rk, topic, NULL);
    if (!rkt)
        return weir_fail(err, WEIR_EINVAL, "topic %s: %s", topic,
                         rd_kafka_err2str(rd_kafka_last_error()));
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(producer->rk, 0, rkt, &metadata, timeout_ms);
    bool is_there = error == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1 &&
                    metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(rkt);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_fail(err, WEIR_EUNAVAILABLE, "topic %s: %s", topic, rd_kafka_err2str(error));
    if (!is_there)
        return weir_fail(err, WEIR_ENOTFOUND, "topic %s does not exist", topic);
    return WEIR_OK;
}

static rd_kafka_headers_t *headers_of(const struct weir_bus_record *record)
{
    if (record->n_headers == 0)
        return NULL;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->n_headers);
    for (size_t i = 0; i < record->n_headers; i++) {
        const struct weir_bus_header *header = &record->headers[i];
        rd_kafka_resp_err_t error =
            rd_kafka_header_add(headers, header->name, -1, header->value, (ssize_t)header->len);
        assert(error == RD_KAFKA_RESP_ERR_NO_ERROR);
        (void)error;
    }
    return headers;
}

static enum weir_code send_error(const struct weir_bus_record *record, rd_kafka_resp_err_t error,
                                 struct weir_err *err)
{
    int number = error;
    if (number == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return weir_fail(err, WEIR_EFULL, "%s: the queue to kafka is full", record->topic);
    if (number == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        return weir_fail(err, WEIR_ELIMIT, "%s: record too large", record->topic);
    if (number == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
        number == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
        return weir_fail(err, WEIR_ENOTFOUND, "%s/%d: no such topic or partition", record->topic,
                         (int)record->partition);
    return weir_fail(err, WEIR_EUNAVAILABLE, "%s: %s", record->topic, rd_kafka_err2str(error));
}

enum weir_code bus_producer_send_up_to(struct weir_bus_producer *producer,
                                       const struct weir_bus_record *record, size_t max_bytes,
                                       weir_bus_delivery_fn *fn, void *ctx, struct weir_err *err)
{
    assert(record->partition >= 0);
    if (record->key_len + record->value_len > max_bytes)
        return weir_fail(err, WEIR_ELIMIT, "%s: record of %zu bytes, the limit is %zu",
                         record->topic, record->key_len + record->value_len, max_bytes);
    struct waiter *waiter = NULL;
    if (fn) {
        waiter = weir_xalloc(sizeof(*waiter));
        *waiter = (struct waiter){fn, ctx};
    }
    rd_kafka_headers_t *headers = headers_of(record);
    /* The casts drop const only: with F_COPY nothing is written to. */
    rd_kafka_resp_err_t error = rd_kafka_producev(
        producer->rk, RD_KAFKA_V_TOPIC(record->topic), RD_KAFKA_V_PARTITION(record->partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)record->value, record->value_len),
        RD_KAFKA_V_KEY((void *)(uintptr_t)record->key, record->key_len),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(waiter), RD_KAFKA_V_END);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        return WEIR_OK;
    if (headers)
        rd_kafka_headers_destroy(headers);
    free(waiter);
    return send_error(record, error, err);
}

enum weir_code weir_bus_producer_send(struct weir_bus_producer *producer,
                                      const struct weir_bus_record *record,
                                      weir_bus_delivery_fn *fn, void *ctx, struct weir_err *err)
{
    return bus_producer_send_up_to(producer, record, WEIR_BUS_RECORD_MAX_BYTES, fn, ctx, err);
}

int weir_bus_producer_poll(struct weir_bus_producer *producer, int timeout_ms)
{
    return rd_kafka_poll(producer->rk, timeout_ms);
}

bool weir_bus_producer_is_fatal(const struct weir_bus_producer *producer)
{
    char why[8];
    return rd_kafka_fatal_error(producer->rk, why, sizeof(why)) != RD_KAFKA_RESP_ERR_NO_ERROR;
}
