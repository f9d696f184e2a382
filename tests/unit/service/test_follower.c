/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/follower.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/io/bus.h"
#include "tests/unit/check.h"
#include "tests/unit/io/kafka_double.h"

#define PATIENCE_MS 30000

static const struct weir_id instance = {{0x11}};
static const struct weir_id other_instance = {{0x22}};

/* A log, somebody who writes it, and a follower; the loop ends when `wanted` holds. */
struct world {
    struct kafka_double *kafka;
    struct weir_bus_producer *producer;
    int64_t offset; /* of the last record written */
    struct weir_loop *loop;
    struct weir_follower *follower;
    struct weir_timer *look;
    bool (*wanted)(struct world *world);
    int64_t deadline_mono_ms;
    int n_valid;
    int n_void;
    int n_resets;
    int64_t last; /* valid decision read */
    int target;
    bool is_reported;
};

static void on_decision(void *ctx, const struct weir_follower_decision *read)
{
    struct world *world = ctx;
    world->n_valid++;
    world->last = read->offset;
}

static void on_void(void *ctx, const struct weir_follower_decision *read)
{
    struct world *world = ctx;
    (void)read;
    world->n_void++;
}

static void on_reset(void *ctx, const char *why)
{
    struct world *world = ctx;
    (void)why;
    world->n_resets++;
}

static void look(void *ctx)
{
    struct world *world = ctx;
    if (world->wanted(world)) {
        weir_loop_stop(world->loop);
        return;
    }
    assert_true(weir_clock_mono_ms() < world->deadline_mono_ms);
    weir_timer_set(world->look, 10);
}

static void wait_until(struct world *world, bool (*wanted)(struct world *world))
{
    world->wanted = wanted;
    world->deadline_mono_ms = weir_clock_mono_ms() + PATIENCE_MS;
    weir_timer_set(world->look, 0);
    weir_loop_run(world->loop);
}

static void on_delivered(void *ctx, const struct weir_bus_delivery *delivery)
{
    struct world *world = ctx;
    assert_int_equal(delivery->code, WEIR_OK);
    world->offset = delivery->offset;
    world->is_reported = true;
}

static void write_bytes(struct world *world, const char *bytes, size_t len)
{
    const struct weir_bus_record record = {
        .topic = WEIR_TOPIC_DECISIONS, .key = "0", .key_len = 1, .value = bytes, .value_len = len};
    struct weir_err err;
    world->is_reported = false;
    ASSERT_OK(weir_bus_producer_send(world->producer, &record, on_delivered, world, &err), &err);
    int64_t deadline_mono_ms = weir_clock_mono_ms() + PATIENCE_MS;
    while (!world->is_reported) {
        weir_bus_producer_poll(world->producer, 50);
        assert_true(weir_clock_mono_ms() < deadline_mono_ms);
    }
}

static void write_decision(struct world *world, const struct weir_id *of,
                           enum weir_ev_decision_kind kind, int64_t epoch)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_event *event = weir_arena_alloc(arena, sizeof(*event));
    event->type = WEIR_EV_DECISION;
    event->id = *of;
    event->time_ms = weir_clock_wall_ms();
    WEIR_STR_SET(event->source, "/weir/scheduler/test");
    WEIR_STR_SET(event->subject, "cell-0");
    event->u.decision.instance = *of;
    event->u.decision.kind = kind;
    event->u.decision.epoch = epoch;
    event->u.decision.at_ms = event->time_ms;
    WEIR_STR_SET(event->u.decision.reason, "takeover");
    const char *bytes;
    size_t len;
    struct weir_err err;
    ASSERT_OK(weir_ev_dump(event, arena, &bytes, &len, &err), &err);
    write_bytes(world, bytes, len);
}

static int64_t take_over(struct world *world)
{
    write_decision(world, &instance, WEIR_EV_DECISION_KIND_TAKEOVER, -1);
    return world->offset;
}

static void world_open(struct world *world)
{
    *world = (struct world){.last = -1};
    world->kafka = kafka_double_open_mock();
    kafka_double_make(world->kafka, WEIR_TOPIC_DECISIONS, 1);
    kafka_double_make(world->kafka, WEIR_TOPIC_STATE, 1);
    world->loop = weir_loop_new();
    world->look = weir_timer_new(world->loop, look, world);
    const struct weir_bus_producer_config producer = {
        .brokers = kafka_double_brokers(world->kafka),
        .client_id = "test",
        .kind = WEIR_BUS_DURABLE,
        .delivery_timeout_ms = PATIENCE_MS,
    };
    struct weir_err err;
    ASSERT_OK(weir_bus_producer_open(&producer, &world->producer, &err), &err);
}

static void follow(struct world *world)
{
    const struct weir_follower_config config = {
        .brokers = kafka_double_brokers(world->kafka),
        .loop = world->loop,
        .on_reset = on_reset,
        .on_decision = on_decision,
        .on_void = on_void,
        .ctx = world,
    };
    struct weir_err err;
    ASSERT_OK(weir_follower_open(&config, &world->follower, &err), &err);
}

static void world_close(struct world *world)
{
    weir_follower_close(&world->follower);
    weir_timer_free(&world->look);
    weir_loop_free(world->loop);
    weir_bus_producer_close(&world->producer, 0);
    kafka_double_close(&world->kafka);
}

static bool is_caught_up(struct world *world)
{
    return weir_follower_is_caught_up(world->follower);
}

static bool is_read(struct world *world)
{
    return world->last >= world->offset;
}

static bool has_voids(struct world *world)
{
    return world->n_void >= world->target;
}

static bool is_silent(struct world *world)
{
    return weir_follower_silence_ms(world->follower) > 3000;
}

static bool is_heard(struct world *world)
{
    return weir_follower_silence_ms(world->follower) < 3000;
}

static bool is_reset(struct world *world)
{
    return world->n_resets > 0 && is_caught_up(world);
}

static void what_an_old_leader_writes_after_a_takeover_is_void(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    int64_t first = take_over(&world);
    write_decision(&world, &instance, WEIR_EV_DECISION_KIND_TIMER, first);
    int64_t second = take_over(&world);
    write_decision(&world, &instance, WEIR_EV_DECISION_KIND_TIMER, first);
    write_decision(&world, &instance, WEIR_EV_DECISION_KIND_TIMER, second);
    follow(&world);
    wait_until(&world, is_read);
    assert_int_equal(world.n_valid, 4);
    assert_int_equal(world.n_void, 1);
    assert_int_equal(weir_follower_epoch(world.follower), second);
    write_decision(&world, &instance, WEIR_EV_DECISION_KIND_TIMER, first);
    world.target = 2;
    wait_until(&world, has_voids);
    assert_int_equal(world.n_valid, 4);
    world_close(&world);
}

static void what_nobody_can_read_is_passed_over(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    int64_t epoch = take_over(&world);
    write_bytes(&world, "{", 1);
    write_decision(&world, &instance, WEIR_EV_DECISION_KIND_TIMER, epoch);
    follow(&world);
    wait_until(&world, is_read);
    assert_int_equal(world.n_valid, 2);
    assert_int_equal(world.n_resets, 0);
    world_close(&world);
}

static void an_outage_is_silence_and_then_the_log_goes_on(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    int64_t epoch = take_over(&world);
    follow(&world);
    wait_until(&world, is_caught_up);
    wait_until(&world, is_heard);
    kafka_double_set_up(world.kafka, false);
    wait_until(&world, is_silent);
    kafka_double_set_up(world.kafka, true);
    write_decision(&world, &instance, WEIR_EV_DECISION_KIND_TIMER, epoch);
    wait_until(&world, is_read);
    wait_until(&world, is_heard);
    assert_int_equal(world.n_valid, 2);
    assert_int_equal(world.n_resets, 0);
    world_close(&world);
}

static void a_record_of_another_instance_starts_it_again_from_the_log(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    take_over(&world);
    follow(&world);
    wait_until(&world, is_caught_up);
    write_decision(&world, &other_instance, WEIR_EV_DECISION_KIND_TAKEOVER, -1);
    wait_until(&world, is_reset);
    assert_true(memcmp(weir_follower_instance(world.follower).b, instance.b, 16) == 0);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_old_leader_writes_after_a_takeover_is_void),
        cmocka_unit_test(what_nobody_can_read_is_passed_over),
        cmocka_unit_test(an_outage_is_silence_and_then_the_log_goes_on),
        cmocka_unit_test(a_record_of_another_instance_starts_it_again_from_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
