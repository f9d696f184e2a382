/* SPDX-License-Identifier: Apache-2.0 */
/* The whole sink between librdkafka's mock cluster and a real Postgres. */
#include "audit/sink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/domain/events.h"
#include "lib/io/bus.h"
#include "tests/unit/audit/audit_db.h"
#include "tests/unit/io/kafka_double.h"

#define RECORDS "SELECT count(*) FROM audit_record"

static struct postgres_double *postgres;
static struct kafka_double *kafka;
static struct audit_settings settings;

static int64_t number(const char *sql)
{
    return audit_db_number(postgres, sql);
}

static struct weir_service *open_service(void)
{
    static struct audit_settings ignored;
    struct weir_service_spec spec = {
        .name = "weir-audit",
        .what = "test",
        .rows = audit_setting_rows,
        .n_rows = audit_n_setting_rows,
        .settings_size = sizeof(struct audit_settings),
        .admin_listen_offset = offsetof(struct audit_settings, admin_listen),
        .log_level_offset = offsetof(struct audit_settings, log_level),
    };
    char *argv[] = {(char[]){"weir-audit"}, (char[]){"--kafka=127.0.0.1:1"},
                    (char[]){"--log-level=error"}, NULL};
    struct weir_service *service = NULL;
    assert_int_equal(weir_service_start(&spec, 3, argv, &ignored, &service), -1);
    return service;
}

static struct audit_sink *open_sink(struct weir_service *service)
{
    struct audit_sink *sink = NULL;
    struct weir_err err = {0};
    if (audit_sink_open(service, &settings, &sink, &err) != WEIR_OK)
        fail_msg("%s", err.msg);
    return sink;
}

static void count(void *ctx, const struct weir_bus_delivery *delivery)
{
    assert_int_equal(delivery->code, WEIR_OK);
    (*(int *)ctx)++;
}

struct value {
    const char *bytes;
    size_t len;
};

static void produce_values(const char *topic, int32_t partition, const struct value *values, int n)
{
    struct weir_bus_producer *producer = NULL;
    struct weir_bus_producer_config config = {.brokers = kafka_double_brokers(kafka),
                                              .client_id = "test",
                                              .kind = WEIR_BUS_DURABLE,
                                              .delivery_timeout_ms = 10000};
    assert_int_equal(weir_bus_producer_open(&config, &producer, NULL), WEIR_OK);
    int delivered = 0;
    for (int i = 0; i < n; i++) {
        struct weir_bus_record record = {.topic = topic,
                                         .partition = partition,
                                         .value = values[i].bytes,
                                         .value_len = values[i].len};
        assert_int_equal(weir_bus_producer_send(producer, &record, count, &delivered, NULL),
                         WEIR_OK);
    }
    weir_bus_producer_close(&producer, 10000);
    assert_int_equal(delivered, n);
}

/* Records that are no events: the sink keeps them all the same. */
static void produce(const char *topic, int32_t partition, int n)
{
    struct weir_arena *arena = weir_arena_new(0);
    struct value *values = weir_arena_array(arena, (size_t)n, sizeof(*values));
    for (int i = 0; i < n; i++) {
        values[i].bytes = weir_arena_printf(arena, "record %d", i);
        values[i].len = strlen(values[i].bytes);
    }
    produce_values(topic, partition, values, n);
    weir_arena_free(arena);
}

/* `n` facts of one partition: one in `each` tells of a camera's picture, the others do not. */
static void produce_facts(int32_t partition, int n, int each)
{
    struct weir_arena *arena = weir_arena_new(0);
    struct value *values = weir_arena_array(arena, (size_t)n, sizeof(*values));
    for (int i = 0; i < n; i++) {
        struct weir_event event = {.source = "/weir/worker/0", .id = {.b = {1}}, .subject = "x"};
        if (i % each == 0) {
            event.type = WEIR_EV_FACT_HEALTH;
            event.u.fact_health.health = WEIR_PICTURE_HEALTH_DEGRADED;
            event.u.fact_health.camera_id.b[0] = 7;
        } else {
            event.type = WEIR_EV_FACT_STILL_WATCHED;
        }
        assert_int_equal(weir_ev_dump(&event, arena, &values[i].bytes, &values[i].len, NULL),
                         WEIR_OK);
    }
    produce_values(WEIR_TOPIC_FACTS, partition, values, n);
    weir_arena_free(arena);
}

static void wait_for_records(int64_t n)
{
    int64_t end_ms = weir_clock_mono_ms() + 20000;
    while (number(RECORDS) < n && weir_clock_mono_ms() < end_ms)
        usleep(50000);
    assert_int_equal(number(RECORDS), n);
}

static void wait_for_records_to_fall(int64_t n)
{
    int64_t end_ms = weir_clock_mono_ms() + 20000;
    while (number(RECORDS) > n && weir_clock_mono_ms() < end_ms)
        usleep(50000);
    assert_int_equal(number(RECORDS), n);
}

static void assert_intact(void)
{
    struct weir_err err;
    if (audit_db_verify(postgres, &err) != WEIR_OK)
        fail_msg("%s", err.msg);
}

static void all_partitions_of_all_topics_are_stored(void **state)
{
    (void)state;
    struct weir_service *service = open_service();
    struct audit_sink *sink = open_sink(service);
    produce(WEIR_TOPIC_DECISIONS, 0, 200);
    produce(WEIR_TOPIC_DECISIONS, 11, 10);
    produce(WEIR_TOPIC_AUDIT, 7, 30);
    wait_for_records(240);
    audit_sink_close(&sink);
    weir_service_end(&service);
    assert_intact();
}

/* How far the facts of a partition were read. */
static void wait_for_facts(int32_t partition, int64_t next)
{
    char sql[128];
    snprintf(sql, sizeof(sql),
             "SELECT coalesce(max(next_off), 0) FROM audit_offset WHERE topic = '" WEIR_TOPIC_FACTS
             "' AND part = %d",
             (int)partition);
    int64_t end_ms = weir_clock_mono_ms() + 20000;
    while (number(sql) < next && weir_clock_mono_ms() < end_ms)
        usleep(50000);
    assert_int_equal(number(sql), next);
}

static void of_the_facts_those_of_pictures_are_stored(void **state)
{
    (void)state;
    for (int round = 1; round <= 2; round++) {
        struct weir_service *service = open_service();
        struct audit_sink *sink = open_sink(service);
        produce_facts(3, 120, 10);
        produce_facts(4, 7, 100);
        wait_for_facts(3, 120 * round);
        wait_for_facts(4, 7 * round);
        audit_sink_close(&sink);
        weir_service_end(&service);
        assert_int_equal(number(RECORDS), 13 * round);
    }
    assert_int_equal(number("SELECT count(*) FROM audit_event WHERE type = 'fact.health'"
                            " AND camera_id = '07000000-0000-0000-0000-000000000000'"),
                     26);
    assert_intact();
}

static void a_restart_goes_on_where_the_last_one_stopped(void **state)
{
    (void)state;
    for (int round = 1; round <= 3; round++) {
        struct weir_service *service = open_service();
        struct audit_sink *sink = open_sink(service);
        produce(WEIR_TOPIC_DECISIONS, 0, 50);
        wait_for_records(50 * round);
        audit_sink_close(&sink);
        weir_service_end(&service);
    }
    assert_intact();
}

static void two_at_once_store_every_record_once(void **state)
{
    (void)state;
    struct weir_service *one = open_service();
    struct weir_service *two = open_service();
    struct audit_sink *first = open_sink(one);
    struct audit_sink *second = open_sink(two);
    for (int i = 0; i < 10; i++)
        produce(WEIR_TOPIC_DECISIONS, 0, 100);
    wait_for_records(1000);
    audit_sink_close(&first);
    produce(WEIR_TOPIC_DECISIONS, 0, 100);
    wait_for_records(1100);
    audit_sink_close(&second);
    weir_service_end(&one);
    weir_service_end(&two);
    assert_int_equal(number("SELECT count(DISTINCT off) FROM audit_record"), 1100);
    assert_intact();
}

static void a_database_that_crashes_costs_no_record(void **state)
{
    (void)state;
    struct weir_service *service = open_service();
    struct audit_sink *sink = open_sink(service);
    produce(WEIR_TOPIC_DECISIONS, 0, 100);
    wait_for_records(100);
    for (int i = 0; i < 3; i++) {
        produce(WEIR_TOPIC_DECISIONS, 0, 300);
        postgres_double_crash(postgres);
    }
    wait_for_records(1000);
    audit_sink_close(&sink);
    weir_service_end(&service);
    assert_intact();
}

static void what_was_kept_long_enough_goes(void **state)
{
    (void)state;
    struct weir_service *service = open_service();
    struct audit_sink *sink = open_sink(service);
    produce(WEIR_TOPIC_DECISIONS, 0, 100);
    wait_for_records(100);
    audit_sink_close(&sink);
    audit_db_script(postgres, "UPDATE audit_record SET recorded_at = now() - interval '9 days'"
                              " WHERE off < 70");
    settings.keep_days = 5;
    sink = open_sink(service);
    wait_for_records_to_fall(30);
    produce(WEIR_TOPIC_DECISIONS, 0, 10);
    wait_for_records(40);
    audit_sink_close(&sink);
    weir_service_end(&service);
    assert_intact();
}

static void wait_until_halted(const struct audit_sink *sink)
{
    int64_t end_ms = weir_clock_mono_ms() + 20000;
    while (!audit_sink_is_halted(sink) && weir_clock_mono_ms() < end_ms)
        usleep(50000);
    assert_true(audit_sink_is_halted(sink));
}

static void a_log_that_lost_records_halts_it(void **state)
{
    (void)state;
    struct weir_service *service = open_service();
    struct audit_sink *sink = open_sink(service);
    produce(WEIR_TOPIC_DECISIONS, 0, 10);
    wait_for_records(10);
    audit_sink_close(&sink);
    /* The log now ends before what was stored: as after a broker that lost its disk. */
    audit_db_script(postgres, "UPDATE audit_offset SET next_off = next_off + 1000"
                              " WHERE topic = '" WEIR_TOPIC_DECISIONS "' AND part = 0");
    sink = open_sink(service);
    wait_until_halted(sink);
    produce(WEIR_TOPIC_DECISIONS, 0, 10);
    usleep(300000);
    assert_int_equal(number(RECORDS), 10);
    audit_sink_close(&sink);
    weir_service_end(&service);
}

/* Each test begins with empty topics and tables. */
static int begin(void **state)
{
    (void)state;
    kafka = kafka_double_open_mock();
    kafka_double_make(kafka, WEIR_TOPIC_DECISIONS, WEIR_TOPIC_PARTITIONS);
    kafka_double_make(kafka, WEIR_TOPIC_AUDIT, WEIR_TOPIC_PARTITIONS);
    kafka_double_make(kafka, WEIR_TOPIC_FACTS, WEIR_TOPIC_PARTITIONS);
    audit_db_script(postgres, "TRUNCATE audit_record, audit_event, audit_offset");
    settings = (struct audit_settings){.kafka = kafka_double_brokers(kafka),
                                       .postgres = postgres_double_url(postgres, "weir_audit"),
                                       .batch_records = 50,
                                       .batch_ms = 20};
    return 0;
}

static int finish(void **state)
{
    (void)state;
    kafka_double_close(&kafka);
    return 0;
}

static int start(void **state)
{
    (void)state;
    weir_log_init("test", WEIR_LOG_ERROR);
    postgres = audit_db_open();
    return 0;
}

static int end(void **state)
{
    (void)state;
    postgres_double_close(&postgres);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_partitions_of_all_topics_are_stored),
        TEST(of_the_facts_those_of_pictures_are_stored),
        TEST(a_restart_goes_on_where_the_last_one_stopped),
        TEST(two_at_once_store_every_record_once),
        TEST(a_database_that_crashes_costs_no_record),
        TEST(what_was_kept_long_enough_goes),
        TEST(a_log_that_lost_records_halts_it),
    };
    return cmocka_run_group_tests(tests, start, end);
}
