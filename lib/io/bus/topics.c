/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/bus/internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"

#define SEE_AGAIN_MS 50

static void set(rd_kafka_NewTopic_t *made, const char *name, long long value)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", value);
    rd_kafka_NewTopic_set_config(made, name, text);
}

static rd_kafka_NewTopic_t *describe(const struct weir_bus_topic *topic, int replication,
                                     struct weir_err *err)
{
    char why[256];
    rd_kafka_NewTopic_t *made =
        rd_kafka_NewTopic_new(topic->name, topic->partitions, replication, why, sizeof(why));
    if (!made) {
        weir_fail(err, WEIR_EINVAL, "topic %s: %s", topic->name, why);
        return NULL;
    }
    set(made, "max.message.bytes", topic->max_batch_bytes);
    set(made, "min.insync.replicas", replication > 2 ? 2 : 1);
    rd_kafka_NewTopic_set_config(made, "unclean.leader.election.enable", "false");
    /* The broker's clock: times in the log then rise, whoever writes. */
    rd_kafka_NewTopic_set_config(made, "message.timestamp.type", "LogAppendTime");
    if (topic->is_compacted) {
        rd_kafka_NewTopic_set_config(made, "cleanup.policy", "compact");
        rd_kafka_NewTopic_set_config(made, "min.cleanable.dirty.ratio", "0.1");
        set(made, "segment.ms", 3600000);
    } else {
        rd_kafka_NewTopic_set_config(made, "cleanup.policy", "delete");
        set(made, "retention.ms", topic->retention_ms);
    }
    return made;
}

/* What the broker said about one topic; one that exists already is fine here. */
static enum weir_code judge(const rd_kafka_topic_result_t *result, struct weir_err *err)
{
    rd_kafka_resp_err_t error = rd_kafka_topic_result_error(result);
    int number = error;
    if (number == RD_KAFKA_RESP_ERR_NO_ERROR || number == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return WEIR_OK;
    const char *text = rd_kafka_topic_result_error_string(result);
    return weir_fail(err, WEIR_EUNAVAILABLE, "topic %s: %s", rd_kafka_topic_result_name(result),
                     text ? text : rd_kafka_err2str(error));
}

static enum weir_code judge_all(rd_kafka_event_t *event, struct weir_err *err)
{
    if (!event)
        return weir_fail(err, WEIR_ETIMEOUT, "creating topics: no answer");
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_fail(err, WEIR_EUNAVAILABLE, "creating topics: %s",
                         rd_kafka_event_error_string(event));
    size_t n = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    enum weir_code code = WEIR_OK;
    for (size_t i = 0; i < n && code == WEIR_OK; i++)
        code = judge(results[i], err);
    return code;
}

static enum weir_code create(rd_kafka_t *rk, const struct weir_bus_topic *topic, int replication,
                             int timeout_ms, struct weir_err *err)
{
    rd_kafka_NewTopic_t *made = describe(topic, replication, err);
    if (!made)
        return WEIR_EINVAL;
    char why[256];
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, why, sizeof(why));
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_CreateTopics(rk, &made, 1, options, queue);
    /* A little more than the request's own time, so that its own answer comes first. */
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 500);
    enum weir_code code = judge_all(event, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(made);
    return code;
}

/* The partitions that brokers tell of, 0 while the topic is not there. */
static int partitions_in(const struct rd_kafka_metadata *metadata, const char *name)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *topic = &metadata->topics[i];
        if (strcmp(topic->topic, name) == 0)
            return topic->err == RD_KAFKA_RESP_ERR_NO_ERROR ? topic->partition_cnt : 0;
    }
    return 0;
}

static enum weir_code create_missing(rd_kafka_t *rk, const struct weir_bus_topic *topics, size_t n,
                                     int replication, int timeout_ms, struct weir_err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(rk, 1, NULL, &metadata, timeout_ms);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_fail(err, WEIR_EUNAVAILABLE, "kafka: %s", rd_kafka_err2str(error));
    enum weir_code code = WEIR_OK;
    for (size_t i = 0; i < n && code == WEIR_OK; i++) {
        if (partitions_in(metadata, topics[i].name) == 0)
            code = create(rk, &topics[i], replication, timeout_ms, err);
    }
    rd_kafka_metadata_destroy(metadata);
    return code;
}

/* WEIR_ESTALE while a topic is not yet known to the broker asked. */
static enum weir_code verify(rd_kafka_t *rk, const struct weir_bus_topic *topics, size_t n,
                             int timeout_ms, struct weir_err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(rk, 1, NULL, &metadata, timeout_ms);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_fail(err, WEIR_EUNAVAILABLE, "kafka: %s", rd_kafka_err2str(error));
    enum weir_code code = WEIR_OK;
    for (size_t i = 0; i < n && code == WEIR_OK; i++) {
        int partitions = partitions_in(metadata, topics[i].name);
        if (partitions == 0)
            code = weir_fail(err, WEIR_ESTALE, "topic %s is not there yet", topics[i].name);
        else if (partitions != topics[i].partitions)
            code = weir_fail(err, WEIR_ECONFLICT,
                             "topic %s has %d partitions, not %d; the count is fixed for life",
                             topics[i].name, partitions, (int)topics[i].partitions);
    }
    rd_kafka_metadata_destroy(metadata);
    return code;
}

enum weir_code weir_bus_topics_create(const char *brokers, const struct weir_bus_topic *topics,
                                      size_t n, int replication, int timeout_ms,
                                      struct weir_err *err)
{
    rd_kafka_conf_t *conf = NULL;
    enum weir_code code = bus_conf_new(brokers, "weir-topics", NULL, 0, &conf, err);
    if (code != WEIR_OK)
        return code;
    rd_kafka_t *rk = NULL;
    if ((code = bus_instance_new(RD_KAFKA_PRODUCER, conf, &rk, err)) != WEIR_OK)
        return code;
    int64_t deadline_ms = weir_clock_mono_ms() + timeout_ms;
    code = create_missing(rk, topics, n, replication, timeout_ms, err);
    while (code == WEIR_OK) {
        code = verify(rk, topics, n, timeout_ms, err);
        if (code != WEIR_ESTALE || weir_clock_mono_ms() >= deadline_ms)
            break;
        nanosleep(&(struct timespec){.tv_nsec = SEE_AGAIN_MS * 1000000L}, NULL);
        code = WEIR_OK;
    }
    rd_kafka_destroy(rk);
    return code;
}
