/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/bus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "tests/unit/io/kafka_double.h"

struct seen {
    int ok;
    int absent;
    int unknown;
    int64_t last_offset;
};

static void count(void *ctx, const struct weir_bus_delivery *delivery)
{
    struct seen *seen = ctx;
    if (delivery->code == WEIR_OK) {
        seen->ok++;
        seen->last_offset = delivery->offset;
    } else if (delivery->code == WEIR_EUNAVAILABLE) {
        seen->absent++;
    } else {
        assert_int_equal(delivery->code, WEIR_EUNKNOWN);
        seen->unknown++;
    }
}

static struct weir_bus_producer *open_producer(struct kafka_double *kafka,
                                               struct weir_bus_producer_config config)
{
    struct weir_bus_producer *producer = NULL;
    struct weir_err err = {0};
    config.brokers = kafka_double_brokers(kafka);
    config.client_id = "test-producer";
    if (config.delivery_timeout_ms == 0)
        config.delivery_timeout_ms = 10000;
    if (weir_bus_producer_open(&config, &producer, &err) != WEIR_OK)
        fail_msg("%s", err.msg);
    return producer;
}

static struct weir_bus_reader *open_reader(struct kafka_double *kafka, const char *topic,
                                           int64_t offset)
{
    struct weir_bus_reader *reader = NULL;
    struct weir_err err = {0};
    struct weir_bus_reader_config config = {.brokers = kafka_double_brokers(kafka),
                                            .client_id = "test-reader"};
    if (weir_bus_reader_open(&config, &reader, &err) != WEIR_OK ||
        weir_bus_reader_assign(reader, topic, 0, offset, &err) != WEIR_OK)
        fail_msg("%s", err.msg);
    return reader;
}

static void send_text(struct weir_bus_producer *producer, const char *topic, const char *text,
                      struct seen *seen)
{
    struct weir_bus_record record = {
        .topic = topic, .key = "k", .key_len = 1, .value = text, .value_len = strlen(text)};
    struct weir_err err = {0};
    if (weir_bus_producer_send(producer, &record, count, seen, &err) != WEIR_OK)
        fail_msg("%s", err.msg);
}

static void wait_reports(struct weir_bus_producer *producer, const struct seen *seen, int n)
{
    int64_t end_ms = weir_clock_mono_ms() + 20000;
    while (seen->ok + seen->absent + seen->unknown < n && weir_clock_mono_ms() < end_ms)
        weir_bus_producer_poll(producer, 50);
    assert_int_equal(seen->ok + seen->absent + seen->unknown, n);
}

static struct weir_bus_message next(struct weir_bus_reader *reader)
{
    struct weir_bus_message message = {0};
    struct weir_err err = {0};
    bool got = false;
    for (int i = 0; i < 100 && !got; i++) {
        if (weir_bus_reader_poll(reader, 100, &message, &got, &err) != WEIR_OK)
            fail_msg("%s", err.msg);
    }
    assert_true(got);
    return message;
}

static void a_record_sent_is_read_back_with_its_offset_and_key(void **state)
{
    struct kafka_double *kafka = *state;
    const char *topic = kafka_double_topic(kafka, "plain", 2);
    struct weir_bus_producer *producer =
        open_producer(kafka, (struct weir_bus_producer_config){.kind = WEIR_BUS_DURABLE});
    struct seen seen = {0};
    send_text(producer, topic, "one", &seen);
    send_text(producer, topic, "two", &seen);
    wait_reports(producer, &seen, 2);
    assert_int_equal(seen.ok, 2);
    assert_int_equal(seen.last_offset, 1);

    struct weir_bus_reader *reader = open_reader(kafka, topic, 1);
    struct weir_bus_message message = next(reader);
    assert_int_equal(message.offset, 1);
    assert_string_equal(message.topic, topic);
    assert_int_equal(message.value_len, 3);
    assert_memory_equal(message.value, "two", 3);
    assert_memory_equal(message.key, "k", 1);
    assert_true(message.timestamp_ms > 0);
    weir_bus_reader_close(&reader);
    assert_null(reader);
    weir_bus_producer_close(&producer, 1000);
    assert_null(producer);
}

static void a_reader_moves_where_it_is_told(void **state)
{
    struct kafka_double *kafka = *state;
    const char *topic = kafka_double_topic(kafka, "moves", 1);
    struct weir_bus_producer *producer =
        open_producer(kafka, (struct weir_bus_producer_config){.kind = WEIR_BUS_DURABLE});
    struct seen seen = {0};
    for (int i = 0; i < 5; i++)
        send_text(producer, topic, "x", &seen);
    wait_reports(producer, &seen, 5);

    struct weir_bus_reader *reader = open_reader(kafka, topic, WEIR_BUS_OFFSET_START);
    for (int i = 0; i < 5; i++)
        assert_int_equal(next(reader).offset, i);
    assert_int_equal(weir_bus_reader_assign(reader, topic, 0, 2, NULL), WEIR_OK);
    assert_int_equal(next(reader).offset, 2);
    int64_t first = -1;
    int64_t end = -1;
    assert_int_equal(weir_bus_reader_bounds(reader, topic, 0, 5000, &first, &end, NULL), WEIR_OK);
    assert_int_equal(first, 0);
    assert_int_equal(end, 5);
    weir_bus_reader_close(&reader);
    weir_bus_producer_close(&producer, 1000);
}

static void a_broker_that_stays_silent_is_waited_for_no_longer_than_asked(void **state)
{
    (void)state;
    struct kafka_double *kafka = kafka_double_open_mock();
    const char *topic = kafka_double_topic(kafka, "silent", 1);
    struct weir_bus_reader *reader = open_reader(kafka, topic, WEIR_BUS_OFFSET_START);
    int64_t first = -1;
    int64_t end = -1;
    assert_int_equal(weir_bus_reader_bounds(reader, topic, 0, 5000, &first, &end, NULL), WEIR_OK);
    kafka_double_set_silent(kafka, true);
    int64_t since_mono_ms = weir_clock_mono_ms();
    assert_int_equal(weir_bus_reader_bounds(reader, topic, 0, 500, &first, &end, NULL),
                     WEIR_EUNAVAILABLE);
    assert_true(weir_clock_mono_ms() - since_mono_ms < 8000);
    kafka_double_set_silent(kafka, false);
    weir_bus_reader_close(&reader);
    kafka_double_close(&kafka);
}

static void an_offset_that_is_not_there_is_an_error_not_a_jump(void **state)
{
    struct kafka_double *kafka = *state;
    const char *topic = kafka_double_topic(kafka, "gone", 1);
    struct weir_bus_reader *reader = open_reader(kafka, topic, 77);
    struct weir_bus_message message;
    struct weir_err err = {0};
    bool got = false;
    enum weir_code code = WEIR_OK;
    for (int i = 0; i < 100 && code == WEIR_OK; i++)
        code = weir_bus_reader_poll(reader, 100, &message, &got, &err);
    assert_int_equal(code, WEIR_EGONE);
    weir_bus_reader_close(&reader);
}

static void a_tombstone_is_read_as_no_value(void **state)
{
    struct kafka_double *kafka = *state;
    const char *topic = kafka_double_topic(kafka, "tomb", 1);
    struct weir_bus_producer *producer =
        open_producer(kafka, (struct weir_bus_producer_config){.kind = WEIR_BUS_DURABLE});
    struct seen seen = {0};
    struct weir_bus_record record = {.topic = topic, .key = "gone", .key_len = 4};
    assert_int_equal(weir_bus_producer_send(producer, &record, count, &seen, NULL), WEIR_OK);
    wait_reports(producer, &seen, 1);
    struct weir_bus_reader *reader = open_reader(kafka, topic, 0);
    struct weir_bus_message message = next(reader);
    assert_null(message.value);
    assert_int_equal(message.value_len, 0);
    weir_bus_reader_close(&reader);
    weir_bus_producer_close(&producer, 1000);
}

static void a_record_over_the_limit_is_refused(void **state)
{
    struct kafka_double *kafka = *state;
    static char large[WEIR_BUS_RECORD_MAX_BYTES + 1];
    struct weir_bus_producer *producer =
        open_producer(kafka, (struct weir_bus_producer_config){.kind = WEIR_BUS_LOSSY});
    struct weir_bus_record record = {.topic = "any", .value = large, .value_len = sizeof(large)};
    assert_int_equal(weir_bus_producer_send(producer, &record, NULL, NULL, NULL), WEIR_ELIMIT);
    weir_bus_producer_close(&producer, 0);
}

static void a_full_queue_pushes_back(void **state)
{
    struct kafka_double *kafka = *state;
    if (kafka_double_is_real(kafka))
        skip();
    const char *topic = kafka_double_topic(kafka, "full", 1);
    kafka_double_set_up(kafka, false);
    struct weir_bus_producer *producer = open_producer(
        kafka, (struct weir_bus_producer_config){.kind = WEIR_BUS_DURABLE, .queue_max_records = 3});
    struct seen seen = {0};
    for (int i = 0; i < 3; i++)
        send_text(producer, topic, "x", &seen);
    struct weir_bus_record record = {.topic = topic, .value = "x", .value_len = 1};
    assert_int_equal(weir_bus_producer_send(producer, &record, count, &seen, NULL), WEIR_EFULL);
    weir_bus_producer_close(&producer, 0);
    kafka_double_set_up(kafka, true);
    assert_int_equal(seen.ok, 0);
    assert_int_equal(seen.absent + seen.unknown, 3);
}

static void a_record_that_never_left_is_reported_absent(void **state)
{
    struct kafka_double *kafka = *state;
    if (kafka_double_is_real(kafka))
        skip();
    const char *topic = kafka_double_topic(kafka, "away", 1);
    kafka_double_set_up(kafka, false);
    struct weir_bus_producer *producer =
        open_producer(kafka, (struct weir_bus_producer_config){.kind = WEIR_BUS_DURABLE,
                                                               .delivery_timeout_ms = 1000});
    struct seen seen = {0};
    send_text(producer, topic, "x", &seen);
    wait_reports(producer, &seen, 1);
    assert_int_equal(seen.absent, 1);
    assert_false(weir_bus_producer_is_fatal(producer));
    weir_bus_producer_close(&producer, 0);
    kafka_double_set_up(kafka, true);
}

static void refusals_of_the_broker_are_retried_in_silence(void **state)
{
    struct kafka_double *kafka = *state;
    if (kafka_double_is_real(kafka))
        skip();
    const char *topic = kafka_double_topic(kafka, "refused", 1);
    struct weir_bus_producer *producer =
        open_producer(kafka, (struct weir_bus_producer_config){.kind = WEIR_BUS_DURABLE});
    kafka_double_refuse_produce(kafka, 3);
    struct seen seen = {0};
    send_text(producer, topic, "x", &seen);
    wait_reports(producer, &seen, 1);
    assert_int_equal(seen.ok, 1);
    weir_bus_producer_close(&producer, 0);
}

static void a_producer_that_was_given_up_can_be_replaced(void **state)
{
    struct kafka_double *kafka = *state;
    if (kafka_double_is_real(kafka))
        skip();
    const char *topic = kafka_double_topic(kafka, "fatal", 1);
    struct weir_bus_producer_config config = {.kind = WEIR_BUS_DURABLE};
    struct weir_bus_producer *producer = open_producer(kafka, config);
    struct seen seen = {0};
    send_text(producer, topic, "before", &seen);
    wait_reports(producer, &seen, 1);
    kafka_double_break_sequence(kafka);
    send_text(producer, topic, "doubtful", &seen);
    wait_reports(producer, &seen, 2);
    assert_int_equal(seen.ok, 1);
    assert_true(weir_bus_producer_is_fatal(producer));
    struct weir_bus_record record = {.topic = topic, .value = "x", .value_len = 1};
    assert_int_equal(weir_bus_producer_send(producer, &record, count, &seen, NULL),
                     WEIR_EUNAVAILABLE);
    weir_bus_producer_close(&producer, 100);

    producer = open_producer(kafka, config);
    send_text(producer, topic, "after", &seen);
    wait_reports(producer, &seen, 3);
    assert_int_equal(seen.ok, 2);
    weir_bus_producer_close(&producer, 1000);
}

static void a_burst_larger_than_the_topics_limit_of_a_batch_arrives_whole(void **state)
{
    struct kafka_double *kafka = *state;
    const char *topic = kafka_double_topic(kafka, "burst", 1);
    struct weir_bus_producer *producer =
        open_producer(kafka, (struct weir_bus_producer_config){.kind = WEIR_BUS_DURABLE});
    char text[4096] = {0};
    uint32_t random = 1;
    struct seen seen = {0};
    for (int i = 0; i < 500; i++) {
        /* Letters that compression cannot make much of. */
        for (size_t k = 0; k < sizeof(text) - 1; k++) {
            random = random * 1664525 + 1013904223;
            text[k] = (char)('!' + (random >> 24) % 90);
        }
        send_text(producer, topic, text, &seen);
    }
    wait_reports(producer, &seen, 500);
    assert_int_equal(seen.ok, 500);
    weir_bus_producer_close(&producer, 1000);
}

static void bump(void *ctx)
{
    atomic_fetch_add((atomic_int *)ctx, 1);
}

static void a_wake_tells_of_reports_and_of_messages(void **state)
{
    struct kafka_double *kafka = *state;
    const char *topic = kafka_double_topic(kafka, "wake", 1);
    atomic_int produced = 0;
    atomic_int readable = 0;
    struct weir_bus_reader *reader = NULL;
    struct weir_bus_reader_config config = {.brokers = kafka_double_brokers(kafka),
                                            .client_id = "test-reader",
                                            .wake = bump,
                                            .wake_ctx = &readable};
    assert_int_equal(weir_bus_reader_open(&config, &reader, NULL), WEIR_OK);
    assert_int_equal(weir_bus_reader_assign(reader, topic, 0, 0, NULL), WEIR_OK);
    struct weir_bus_producer *producer =
        open_producer(kafka, (struct weir_bus_producer_config){
                                 .kind = WEIR_BUS_DURABLE, .wake = bump, .wake_ctx = &produced});
    struct seen seen = {0};
    send_text(producer, topic, "x", &seen);
    int64_t end_ms = weir_clock_mono_ms() + 10000;
    while ((!atomic_load(&produced) || !atomic_load(&readable)) && weir_clock_mono_ms() < end_ms)
        usleep(1000);
    assert_true(atomic_load(&produced) > 0);
    assert_true(atomic_load(&readable) > 0);
    assert_true(weir_bus_producer_poll(producer, 0) > 0);
    assert_int_equal(seen.ok, 1);
    assert_int_equal(next(reader).offset, 0);
    weir_bus_reader_close(&reader);
    weir_bus_producer_close(&producer, 0);
}

struct share {
    int assigned;
    int revoked;
    int64_t start;
};

static void on_assign(void *ctx, const char *topic, int32_t partition, int64_t *ret_offset)
{
    struct share *share = ctx;
    (void)topic;
    (void)partition;
    share->assigned++;
    if (share->start >= 0)
        *ret_offset = share->start;
}

static void on_revoke(void *ctx, const char *topic, int32_t partition, bool lost)
{
    struct share *share = ctx;
    (void)topic;
    (void)partition;
    (void)lost;
    share->revoked++;
}

static void a_member_starts_where_its_callback_says_and_leaves_when_closed(void **state)
{
    struct kafka_double *kafka = *state;
    const char *topic = kafka_double_topic(kafka, "group", 1);
    struct weir_bus_producer *producer =
        open_producer(kafka, (struct weir_bus_producer_config){.kind = WEIR_BUS_DURABLE});
    struct seen seen = {0};
    for (int i = 0; i < 3; i++)
        send_text(producer, topic, "x", &seen);
    wait_reports(producer, &seen, 3);

    struct share share = {.start = 2};
    struct weir_bus_member_config config = {.brokers = kafka_double_brokers(kafka),
                                            .client_id = "test-member",
                                            .group = topic,
                                            .topics = &topic,
                                            .n_topics = 1,
                                            .session_timeout_ms = 6000,
                                            .on_assign = on_assign,
                                            .on_revoke = on_revoke,
                                            .ctx = &share};
    struct weir_bus_member *member = NULL;
    struct weir_bus_message message;
    struct weir_err err = {0};
    bool got = false;
    assert_int_equal(weir_bus_member_open(&config, &member, &err), WEIR_OK);
    for (int i = 0; i < 100 && !got; i++) {
        if (weir_bus_member_poll(member, 100, &message, &got, &err) != WEIR_OK)
            fail_msg("%s", err.msg);
    }
    assert_true(got);
    assert_int_equal(message.offset, 2);
    assert_int_equal(share.assigned, 1);
    assert_int_equal(weir_bus_member_commit(member, topic, 0, 3, &err), WEIR_OK);
    weir_bus_member_close(&member);
    assert_int_equal(share.revoked, 1);
    weir_bus_producer_close(&producer, 0);
}

static void topics_are_made_once_and_a_differing_count_is_a_conflict(void **state)
{
    struct kafka_double *kafka = *state;
    if (!kafka_double_is_real(kafka))
        skip();
    const char *made = kafka_double_topic(kafka, "made", 3);
    struct weir_bus_topic topic = {
        .name = made, .partitions = 3, .retention_ms = 3600000, .max_batch_bytes = 300000};
    const char *brokers = kafka_double_brokers(kafka);
    assert_int_equal(weir_bus_topics_create(brokers, &topic, 1, 1, 5000, NULL), WEIR_OK);
    topic.partitions = 4;
    assert_int_equal(weir_bus_topics_create(brokers, &topic, 1, 1, 5000, NULL), WEIR_ECONFLICT);
}

static void a_ping_tells_whether_a_broker_answers(void **state)
{
    struct kafka_double *kafka = *state;
    assert_int_equal(weir_bus_ping(kafka_double_brokers(kafka), 5000, NULL), WEIR_OK);
    assert_int_equal(weir_bus_ping("127.0.0.1:1", 300, NULL), WEIR_EUNAVAILABLE);
}

static void warming_tells_of_a_topic_that_is_not_there(void **state)
{
    struct kafka_double *kafka = *state;
    const char *topic = kafka_double_topic(kafka, "warm", 1);
    struct weir_bus_producer *producer =
        open_producer(kafka, (struct weir_bus_producer_config){.kind = WEIR_BUS_DURABLE});
    assert_int_equal(weir_bus_producer_warm(producer, topic, 5000, NULL), WEIR_OK);
    if (kafka_double_is_real(kafka))
        assert_int_equal(weir_bus_producer_warm(producer, "weir.none", 5000, NULL), WEIR_ENOTFOUND);
    weir_bus_producer_close(&producer, 0);
}

static void a_key_keeps_its_partition(void **state)
{
    (void)state;
    int32_t partition = weir_bus_partition_of("tenant-a", 8, 12);
    assert_in_range(partition, 0, 11);
    assert_int_equal(weir_bus_partition_of("tenant-a", 8, 12), partition);
    assert_int_equal(weir_bus_partition_of("tenant-a", 8, 1), 0);
}

static int open_kafka(void **state)
{
    *state = kafka_double_open();
    return 0;
}

static int close_kafka(void **state)
{
    struct kafka_double *kafka = *state;
    kafka_double_close(&kafka);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_sent_is_read_back_with_its_offset_and_key),
        cmocka_unit_test(a_reader_moves_where_it_is_told),
        cmocka_unit_test(a_broker_that_stays_silent_is_waited_for_no_longer_than_asked),
        cmocka_unit_test(an_offset_that_is_not_there_is_an_error_not_a_jump),
        cmocka_unit_test(a_tombstone_is_read_as_no_value),
        cmocka_unit_test(a_record_over_the_limit_is_refused),
        cmocka_unit_test(a_full_queue_pushes_back),
        cmocka_unit_test(a_record_that_never_left_is_reported_absent),
        cmocka_unit_test(refusals_of_the_broker_are_retried_in_silence),
        cmocka_unit_test(a_producer_that_was_given_up_can_be_replaced),
        cmocka_unit_test(a_burst_larger_than_the_topics_limit_of_a_batch_arrives_whole),
        cmocka_unit_test(a_wake_tells_of_reports_and_of_messages),
        cmocka_unit_test(a_member_starts_where_its_callback_says_and_leaves_when_closed),
        cmocka_unit_test(topics_are_made_once_and_a_differing_count_is_a_conflict),
        cmocka_unit_test(a_ping_tells_whether_a_broker_answers),
        cmocka_unit_test(warming_tells_of_a_topic_that_is_not_there),
        cmocka_unit_test(a_key_keeps_its_partition),
    };
    return cmocka_run_group_tests(tests, open_kafka, close_kafka);
}
