/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/dead_letters.h"

#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/domain/events.h"
#include "tests/unit/check.h"
#include "tests/unit/io/kafka_double.h"

#define PATIENCE_MS 30000
#define PAUSE_US    20000

static const struct weir_bus_message poison = {
    .topic = WEIR_TOPIC_COMMANDS, .key = "k", .key_len = 1, .value = "{", .value_len = 1};

static int64_t count(struct weir_bus_reader *reader)
{
    int32_t partition = weir_bus_partition_of("k", 1, WEIR_TOPIC_PARTITIONS);
    int64_t first = 0;
    int64_t next = 0;
    struct weir_err err;
    ASSERT_OK(
        weir_bus_reader_bounds(reader, WEIR_TOPIC_DLQ, partition, PATIENCE_MS, &first, &next, &err),
        &err);
    return next - first;
}

/* Puts the poison away again and again until more than `n` letters are there. */
static void bury(struct dead_letters *letters, struct weir_bus_reader *reader, int64_t n)
{
    const struct weir_err why = {.code = WEIR_EPARSE, .msg = "half an object"};
    int64_t deadline_mono_ms = weir_clock_mono_ms() + PATIENCE_MS;
    while (count(reader) <= n) {
        dead_letters_put(letters, &poison, &why);
        dead_letters_poll(letters);
        usleep(PAUSE_US);
        assert_true(weir_clock_mono_ms() < deadline_mono_ms);
    }
}

static void letters_go_on_after_their_producer_gave_up(void **state)
{
    (void)state;
    struct kafka_double *kafka = kafka_double_open_mock();
    kafka_double_make(kafka, WEIR_TOPIC_DLQ, WEIR_TOPIC_PARTITIONS);
    const struct weir_bus_reader_config config = {.brokers = kafka_double_brokers(kafka),
                                                  .client_id = "test"};
    struct weir_bus_reader *reader = NULL;
    struct dead_letters *letters = NULL;
    struct weir_err err;
    ASSERT_OK(weir_bus_reader_open(&config, &reader, &err), &err);
    ASSERT_OK(dead_letters_open(kafka_double_brokers(kafka), &letters, &err), &err);
    bury(letters, reader, 0);
    int64_t n = count(reader);
    kafka_double_break_sequence(kafka);
    bury(letters, reader, n + 2);
    dead_letters_close(&letters);
    weir_bus_reader_close(&reader);
    kafka_double_close(&kafka);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_go_on_after_their_producer_gave_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
