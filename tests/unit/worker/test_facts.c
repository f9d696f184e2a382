/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "tests/unit/io/kafka_double.h"
#include "worker/worker.h"

struct seen {
    int n;
    enum weir_code last;
};

static void note(void *ctx, const struct weir_bus_delivery *delivery)
{
    struct seen *seen = ctx;
    seen->n++;
    seen->last = delivery->code;
}

/* Says a fact and waits for what becomes of it. */
static enum weir_code say(struct worker *worker, struct seen *seen)
{
    int before = seen->n;
    facts_left(worker, note, seen);
    for (int64_t end = weir_clock_mono_ms() + 5000;
         seen->n == before && weir_clock_mono_ms() < end;) {
        weir_bus_producer_poll(worker->facts, 50);
    }
    return seen->n > before ? seen->last : WEIR_ETIMEOUT;
}

static void facts_go_on_after_their_producer_gave_up(void **state)
{
    (void)state;
    weir_log_init("test", WEIR_LOG_ERROR);
    struct kafka_double *kafka = kafka_double_open_mock();
    kafka_double_make(kafka, WEIR_TOPIC_FACTS, 1);
    struct worker_settings settings = {.kafka = kafka_double_brokers(kafka)};
    struct worker worker = {.settings = &settings, .loop = weir_loop_new()};
    struct seen seen = {0};
    WEIR_STR_SET(worker.event_source, "/weir/worker/test");
    WEIR_STR_SET(worker.id_text, "test");
    assert_int_equal(facts_open(&worker, NULL), WEIR_OK);
    assert_int_equal(say(&worker, &seen), WEIR_OK);
    kafka_double_break_sequence(kafka);
    assert_int_not_equal(say(&worker, &seen), WEIR_OK);
    facts_tend(&worker);
    assert_int_equal(say(&worker, &seen), WEIR_OK);
    weir_bus_producer_close(&worker.facts, 0);
    weir_loop_free(worker.loop);
    kafka_double_close(&kafka);
}

/* Takes what became of what was said, until `is` or for long enough. */
static bool await(struct worker *worker, const bool *is)
{
    for (int64_t end = weir_clock_mono_ms() + 5000; !*is && weir_clock_mono_ms() < end;) {
        weir_bus_producer_poll(worker->facts, 50);
    }
    return *is;
}

static void what_got_lost_of_a_camera_is_said_again(void **state)
{
    (void)state;
    weir_log_init("test", WEIR_LOG_ERROR);
    struct kafka_double *kafka = kafka_double_open_mock();
    kafka_double_make(kafka, WEIR_TOPIC_FACTS, 1);
    struct worker_settings settings = {.kafka = kafka_double_brokers(kafka)};
    struct worker worker = {.settings = &settings,
                            .loop = weir_loop_new(),
                            .leases = weir_map_new(sizeof(struct weir_id))};
    struct lease lease = {.is_given = true};
    struct seen seen = {0};
    WEIR_STR_SET(worker.event_source, "/weir/worker/test");
    WEIR_STR_SET(worker.id_text, "test");
    WEIR_STR_SET(lease.remedies.reason, "loss");
    lease.remedies.taken = 1;
    lease.row.camera_id.b[0] = 7;
    lease.stats.has_health = true;
    lease.stats.health = WEIR_PICTURE_HEALTH_STALLED;
    lease.stats.faults = 1 << WEIR_FAULT_STALLED;
    weir_map_put(worker.leases, lease.row.camera_id.b, &lease);
    assert_int_equal(facts_open(&worker, NULL), WEIR_OK);
    assert_int_equal(say(&worker, &seen), WEIR_OK);
    kafka_double_break_sequence(kafka);
    conditions_say(&worker, &lease);
    assert_true(lease.has_said_health);
    assert_true(await(&worker, &lease.is_health_due));
    facts_remedy(&worker, &lease); /* by a producer that gave up */
    facts_clock(&worker, &lease, -20000);
    assert_true(await(&worker, &lease.clock_news.is_due));
    assert_true(lease.remedies.due_at_ms > 0);

    facts_tend(&worker);
    lease.health_said_ms -= 60000;
    lease.remedies.due_at_ms = 1;
    lease.stats.has_clock_offset_us = true;
    conditions_say(&worker, &lease);
    assert_int_equal(say(&worker, &seen), WEIR_OK); /* behind them */
    assert_false(lease.is_health_due || lease.clock_news.is_due);
    assert_int_equal(lease.remedies.due_at_ms, 0);
    conditions_end(&worker, &lease); /* it is stalled as long as nobody says otherwise */
    assert_false(lease.has_said_health);
    weir_bus_producer_close(&worker.facts, 0);
    weir_map_free(worker.leases);
    weir_loop_free(worker.loop);
    kafka_double_close(&kafka);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_go_on_after_their_producer_gave_up),
        cmocka_unit_test(what_got_lost_of_a_camera_is_said_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
