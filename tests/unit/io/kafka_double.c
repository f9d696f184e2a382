/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/io/kafka_double.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/io/bus.h"

#define SILENCE_MS 20000
#define BROKERS    1

struct kafka_double {
    rd_kafka_t *rk; /* carries the cluster; NULL for the real one */
    rd_kafka_mock_cluster_t *cluster;
    const char *brokers;
    struct weir_arena *arena;
    int topics;
};

struct kafka_double *kafka_double_open_mock(void)
{
    struct kafka_double *kafka = weir_xalloc(sizeof(*kafka));
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL);
    kafka->arena = weir_arena_new(0);
    kafka->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    assert(kafka->rk);
    kafka->cluster = rd_kafka_mock_cluster_new(kafka->rk, BROKERS);
    kafka->brokers = rd_kafka_mock_cluster_bootstraps(kafka->cluster);
    return kafka;
}

struct kafka_double *kafka_double_open(void)
{
    const char *brokers = getenv("WEIR_TEST_KAFKA");
    if (!brokers)
        return kafka_double_open_mock();
    struct kafka_double *kafka = weir_xalloc(sizeof(*kafka));
    kafka->arena = weir_arena_new(0);
    kafka->brokers = brokers;
    return kafka;
}

void kafka_double_close(struct kafka_double **kafka)
{
    struct kafka_double *self = WEIR_TAKE(*kafka);
    if (!self)
        return;
    if (self->cluster) {
        rd_kafka_mock_cluster_destroy(self->cluster);
        rd_kafka_destroy(self->rk);
    }
    weir_arena_free(self->arena);
    free(self);
}

const char *kafka_double_brokers(const struct kafka_double *kafka)
{
    return kafka->brokers;
}

bool kafka_double_is_real(const struct kafka_double *kafka)
{
    return !kafka->cluster;
}

const char *kafka_double_topic(struct kafka_double *kafka, const char *name, int partitions)
{
    char *own = weir_arena_printf(kafka->arena, "%s.%d.%lld.%d", name, (int)getpid(),
                                  (long long)weir_clock_wall_us(), kafka->topics++);
    if (kafka->cluster) {
        rd_kafka_mock_topic_create(kafka->cluster, own, partitions, BROKERS);
        return own;
    }
    struct weir_bus_topic topic = {
        .name = own, .partitions = partitions, .retention_ms = 3600000, .max_batch_bytes = 300000};
    enum weir_code code = weir_bus_topics_create(kafka->brokers, &topic, 1, 1, 10000, NULL);
    assert(code == WEIR_OK);
    (void)code;
    return own;
}

void kafka_double_make(struct kafka_double *kafka, const char *name, int partitions)
{
    assert(kafka->cluster);
    rd_kafka_mock_topic_create(kafka->cluster, name, partitions, BROKERS);
}

void kafka_double_refuse_produce(struct kafka_double *kafka, int n)
{
    for (int i = 0; i < n; i++)
        rd_kafka_mock_push_request_errors(kafka->cluster, 0 /* Produce */, 1,
                                          RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
}

void kafka_double_break_sequence(struct kafka_double *kafka)
{
    rd_kafka_mock_push_request_errors(kafka->cluster, 0 /* Produce */, 1,
                                      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
}

void kafka_double_set_up(struct kafka_double *kafka, bool is_up)
{
    for (int i = 1; i <= BROKERS; i++) {
        if (is_up)
            rd_kafka_mock_broker_set_up(kafka->cluster, i);
        else
            rd_kafka_mock_broker_set_down(kafka->cluster, i);
    }
}

void kafka_double_set_silent(struct kafka_double *kafka, bool is_silent)
{
    for (int i = 1; i <= BROKERS; i++)
        rd_kafka_mock_broker_set_rtt(kafka->cluster, i, is_silent ? SILENCE_MS : -1);
}
