/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/bus/internal.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/log.h"

static const struct bus_setting common[] = {
    {"allow.auto.create.topics", "false"},
    /* The default back-off of up to 10 s turned an outage of 3 s into one of 10 s. */
    {"reconnect.backoff.ms", "50"},
    {"reconnect.backoff.max.ms", "250"},
    {"socket.nagle.disable", "true"},
    {"socket.keepalive.enable", "true"},
    {"socket.timeout.ms", "10000"},
    {"topic.metadata.refresh.interval.ms", "60000"},
    {"log.connection.close", "false"},
};

/* The library retries by itself and tells of what it cannot cure through messages and reports, so
 * its own lines are for people who debug it. */
static void log_line(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)level;
    weir_log(WEIR_LOG_DEBUG, "kafka client", "client", rk ? rd_kafka_name(rk) : "", "facility",
             facility, "text", text, NULL);
}

static enum weir_code set_all(rd_kafka_conf_t *conf, const struct bus_setting *settings, size_t n,
                              struct weir_err *err)
{
    char why[256];
    for (size_t i = 0; i < n; i++) {
        if (rd_kafka_conf_set(conf, settings[i].name, settings[i].value, why, sizeof(why)) !=
            RD_KAFKA_CONF_OK)
            return weir_fail(err, WEIR_EINVAL, "kafka setting %s: %s", settings[i].name, why);
    }
    return WEIR_OK;
}

enum weir_code bus_conf_new(const char *brokers, const char *client_id,
                            const struct bus_setting *settings, size_t n, rd_kafka_conf_t **ret,
                            struct weir_err *err)
{
    const struct bus_setting own[] = {{"bootstrap.servers", brokers}, {"client.id", client_id}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum weir_code code = set_all(conf, common, sizeof(common) / sizeof(common[0]), err);
    if (code == WEIR_OK)
        code = set_all(conf, own, 2, err);
    if (code == WEIR_OK)
        code = set_all(conf, settings, n, err);
    if (code != WEIR_OK) {
        rd_kafka_conf_destroy(conf);
        return code;
    }
    rd_kafka_conf_set_log_cb(conf, log_line);
    *ret = conf;
    return WEIR_OK;
}

enum weir_code bus_instance_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret,
                                struct weir_err *err)
{
    char why[256];
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof(why));
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        return weir_fail(err, WEIR_EINVAL, "kafka client: %s", why);
    }
    *ret = rk;
    return WEIR_OK;
}

static void wake_up(rd_kafka_t *rk, void *opaque)
{
    (void)rk;
    const struct bus_wake *wake = opaque;
    wake->fn(wake->ctx);
}

void bus_wake_on(rd_kafka_queue_t *queue, struct bus_wake *wake)
{
    if (wake->fn)
        rd_kafka_queue_cb_event_enable(queue, wake_up, wake);
}

enum weir_code bus_consumer_error(const rd_kafka_message_t *message, struct weir_err *err)
{
    const char *topic = message->rkt ? rd_kafka_topic_name(message->rkt) : "?";
    const char *text = rd_kafka_message_errstr(message);
    /* A library's list of hundreds, of which a few cannot heal by themselves. */
    int error = message->err;
    if (error == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        error == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
        return weir_fail(err, WEIR_EGONE, "%s/%d: the wanted offset is not kept: %s", topic,
                         (int)message->partition, text);
    if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
        return weir_fail(err, WEIR_ENOTFOUND, "%s/%d: no such topic or partition", topic,
                         (int)message->partition);
    if (error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
        error == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
        return weir_fail(err, WEIR_EFORBIDDEN, "%s: %s", topic, text);
    if (error == RD_KAFKA_RESP_ERR__BAD_MSG || error == RD_KAFKA_RESP_ERR_INVALID_MSG)
        return weir_fail(err, WEIR_ECORRUPT, "%s/%d: %s", topic, (int)message->partition, text);
    if (error == RD_KAFKA_RESP_ERR__FATAL)
        return weir_fail(err, WEIR_EINTERNAL, "kafka client gave up: %s", text);
    weir_logf(WEIR_LOG_DEBUG, "kafka consumer %s: %s", topic, text);
    return WEIR_OK;
}

void bus_message_fill(rd_kafka_message_t *message, struct weir_bus_message *ret)
{
    rd_kafka_timestamp_type_t type;
    *ret = (struct weir_bus_message){
        .topic = rd_kafka_topic_name(message->rkt),
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, &type),
        .key = message->key,
        .key_len = message->key_len,
        .value = message->payload,
        .value_len = message->len,
        .handle = message,
    };
}

const void *weir_bus_message_header(const struct weir_bus_message *message, const char *name,
                                    size_t *ret_len)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    if (rd_kafka_message_headers(message->handle, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, ret_len) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return NULL;
    return value;
}

enum weir_code weir_bus_ping(const char *brokers, int timeout_ms, struct weir_err *err)
{
    rd_kafka_conf_t *conf = NULL;
    enum weir_code code = bus_conf_new(brokers, "weir-ping", NULL, 0, &conf, err);
    if (code != WEIR_OK)
        return code;
    rd_kafka_t *rk = NULL;
    if ((code = bus_instance_new(RD_KAFKA_PRODUCER, conf, &rk, err)) != WEIR_OK)
        return code;
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(rk, 0, NULL, &metadata, timeout_ms);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_destroy(rk);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_fail(err, WEIR_EUNAVAILABLE, "kafka: %s", rd_kafka_err2str(error));
    return WEIR_OK;
}
