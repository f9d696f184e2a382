/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/bus/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/log.h"

struct weir_bus_member {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    rd_kafka_message_t *last; /* given out by the last poll */
    weir_bus_assign_fn *on_assign;
    weir_bus_revoke_fn *on_revoke;
    void *ctx;
    struct bus_wake wake;
};

static void assigned(struct weir_bus_member *member, rd_kafka_topic_partition_list_t *partitions)
{
    for (int i = 0; i < partitions->cnt && member->on_assign; i++) {
        rd_kafka_topic_partition_t *at = &partitions->elems[i];
        int64_t offset = -1;
        member->on_assign(member->ctx, at->topic, at->partition, &offset);
        if (offset != -1)
            at->offset = offset;
    }
    rd_kafka_resp_err_t error = rd_kafka_assign(member->rk, partitions);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        weir_logf(WEIR_LOG_DEBUG, "kafka member: assign: %s", rd_kafka_err2str(error));
}

static void revoked(struct weir_bus_member *member,
                    const rd_kafka_topic_partition_list_t *partitions)
{
    bool is_lost = rd_kafka_assignment_lost(member->rk) != 0;
    for (int i = 0; i < partitions->cnt && member->on_revoke; i++) {
        const rd_kafka_topic_partition_t *at = &partitions->elems[i];
        member->on_revoke(member->ctx, at->topic, at->partition, is_lost);
    }
    rd_kafka_assign(member->rk, NULL);
}

static void rebalanced(rd_kafka_t *rk, rd_kafka_resp_err_t error,
                       rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    (void)rk;
    if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
        assigned(opaque, partitions);
    else
        revoked(opaque, partitions);
}

static enum weir_code conf_for(const struct weir_bus_member_config *config, rd_kafka_conf_t **ret,
                               struct weir_err *err)
{
    char session[24];
    char heartbeat[24];
    snprintf(session, sizeof(session), "%lld", (long long)config->session_timeout_ms);
    snprintf(heartbeat, sizeof(heartbeat), "%lld", (long long)config->session_timeout_ms / 4);
    const struct bus_setting settings[] = {
        {"group.id", config->group},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "earliest"},
        /* The cooperative one aborts in 2.0.2 when it is closed before its first assignment. */
        {"partition.assignment.strategy", "range"},
        {"session.timeout.ms", session},
        {"heartbeat.interval.ms", heartbeat},
        {"fetch.wait.max.ms", "100"},
        {"fetch.error.backoff.ms", "100"},
        {"queued.max.messages.kbytes", "16384"},
    };
    return bus_conf_new(config->brokers, config->client_id, settings,
                        sizeof(settings) / sizeof(settings[0]), ret, err);
}

static enum weir_code subscribe(struct weir_bus_member *member,
                                const struct weir_bus_member_config *config, struct weir_err *err)
{
    rd_kafka_topic_partition_list_t *topics =
        rd_kafka_topic_partition_list_new((int)config->n_topics);
    for (size_t i = 0; i < config->n_topics; i++)
        rd_kafka_topic_partition_list_add(topics, config->topics[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t error = rd_kafka_subscribe(member->rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_fail(err, WEIR_EINVAL, "group %s: %s", config->group, rd_kafka_err2str(error));
    return WEIR_OK;
}

enum weir_code weir_bus_member_open(const struct weir_bus_member_config *config,
                                    struct weir_bus_member **ret, struct weir_err *err)
{
    if (config->session_timeout_ms < 2000)
        return weir_fail(err, WEIR_EINVAL, "session timeout must be at least 2000 ms");
    rd_kafka_conf_t *conf = NULL;
    enum weir_code code = conf_for(config, &conf, err);
    if (code != WEIR_OK)
        return code;
    struct weir_bus_member *member = weir_xalloc(sizeof(*member));
    member->on_assign = config->on_assign;
    member->on_revoke = config->on_revoke;
    member->ctx = config->ctx;
    member->wake = (struct bus_wake){config->wake, config->wake_ctx};
    rd_kafka_conf_set_opaque(conf, member);
    rd_kafka_conf_set_rebalance_cb(conf, rebalanced);
    if ((code = bus_instance_new(RD_KAFKA_CONSUMER, conf, &member->rk, err)) != WEIR_OK) {
        free(member);
        return code;
    }
    rd_kafka_poll_set_consumer(member->rk);
    member->queue = rd_kafka_queue_get_consumer(member->rk);
    bus_wake_on(member->queue, &member->wake);
    if ((code = subscribe(member, config, err)) != WEIR_OK) {
        weir_bus_member_close(&member);
        return code;
    }
    *ret = member;
    return WEIR_OK;
}

static void drop_last(struct weir_bus_member *member)
{
    if (member->last)
        rd_kafka_message_destroy(member->last);
    member->last = NULL;
}

void weir_bus_member_close(struct weir_bus_member **member)
{
    struct weir_bus_member *self = WEIR_TAKE(*member);
    if (!self)
        return;
    rd_kafka_queue_cb_event_enable(self->queue, NULL, NULL);
    drop_last(self);
    rd_kafka_queue_destroy(self->queue);
    rd_kafka_consumer_close(self->rk);
    rd_kafka_destroy(self->rk);
    free(self);
}

enum weir_code weir_bus_member_poll(struct weir_bus_member *member, int timeout_ms,
                                    struct weir_bus_message *ret, bool *ret_got,
                                    struct weir_err *err)
{
    drop_last(member);
    rd_kafka_message_t *message;
    while ((message = rd_kafka_consumer_poll(member->rk, timeout_ms))) {
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            member->last = message;
            bus_message_fill(message, ret);
            *ret_got = true;
            return WEIR_OK;
        }
        enum weir_code code = bus_consumer_error(message, err);
        rd_kafka_message_destroy(message);
        if (code != WEIR_OK)
            return code;
        timeout_ms = 0;
    }
    *ret_got = false;
    return WEIR_OK;
}

enum weir_code weir_bus_member_commit(struct weir_bus_member *member, const char *topic,
                                      int32_t partition, int64_t next_offset, struct weir_err *err)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(offsets, topic, partition)->offset = next_offset;
    rd_kafka_resp_err_t error = rd_kafka_commit(member->rk, offsets, 1);
    rd_kafka_topic_partition_list_destroy(offsets);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_fail(err, WEIR_EUNAVAILABLE, "commit %s/%d: %s", topic, (int)partition,
                         rd_kafka_err2str(error));
    return WEIR_OK;
}
