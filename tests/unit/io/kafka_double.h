/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Kafka for tests: librdkafka's mock cluster in this process, or, where WEIR_TEST_KAFKA names
 * brokers, the real one. What the double cannot do (compaction, deduplication, creating topics) is
 * tried on the real one only.
 */
#ifndef WEIR_TESTS_KAFKA_DOUBLE_H
#define WEIR_TESTS_KAFKA_DOUBLE_H

#include <stdbool.h>

struct kafka_double;

struct kafka_double *kafka_double_open(void);
/* The double even where WEIR_TEST_KAFKA is set. */
struct kafka_double *kafka_double_open_mock(void);
void kafka_double_close(struct kafka_double **kafka);

const char *kafka_double_brokers(const struct kafka_double *kafka);
bool kafka_double_is_real(const struct kafka_double *kafka);

/* Makes a topic with a name of its own that begins with `name`; the text lives as long as it. */
const char *kafka_double_topic(struct kafka_double *kafka, const char *name, int partitions);

/* Makes a topic of exactly this name; double only, so that no real one is touched. */
void kafka_double_make(struct kafka_double *kafka, const char *name, int partitions);

/* The next `n` produce requests fail with "not enough replicas"; double only. */
void kafka_double_refuse_produce(struct kafka_double *kafka, int n);

/* The next produce request is answered "out of order sequence number", which ends an idempotent
 * producer for good; double only. */
void kafka_double_break_sequence(struct kafka_double *kafka);

/* Brokers stop answering, or answer again; double only. */
void kafka_double_set_up(struct kafka_double *kafka, bool is_up);

/* Brokers take connections and requests and answer none for 20 s; double only. */
void kafka_double_set_silent(struct kafka_double *kafka, bool is_silent);

#endif
