/* SPDX-License-Identifier: Apache-2.0 */
#include "reaper/idle.h"

#include "tests/unit/check.h"

#define TIMEOUT_MS 30000

static const struct weir_id tenant = {{1}};
static const struct weir_id camera = {{2}};
static const struct weir_id stream = {{3}};
static const struct weir_id worker = {{4}};

static struct idle *idle;

static void row(enum weir_stream_state state, int64_t generation, int64_t now)
{
    struct weir_stream_row r = {.stream_id = stream,
                                .tenant_id = tenant,
                                .camera_id = camera,
                                .worker_id = worker,
                                .state = state,
                                .generation = generation};
    idle_stream(idle, &r, now);
}

/* A heartbeat that lists the stream; `age_ms` < 0: never requested. */
static void beat(int64_t generation, int64_t age_ms, int64_t now)
{
    struct weir_ev_heartbeat_streams said = {.stream_id = stream,
                                             .tenant_id = tenant,
                                             .generation = generation,
                                             .has_last_request_age_ms = age_ms >= 0,
                                             .last_request_age_ms = age_ms < 0 ? 0 : age_ms};
    struct weir_ev_heartbeat heartbeat = {.worker_id = worker, .streams = &said, .n_streams = 1};
    idle_heartbeat(idle, &heartbeat, now);
}

static void beats(int64_t generation, int64_t from, int64_t to)
{
    for (int64_t t = from; t <= to; t += 1000) {
        beat(generation, -1, t);
    }
}

static size_t due(int64_t now)
{
    struct idle_proposal out[4];
    return idle_due(idle, now, out, 4);
}

static int setup(void **state)
{
    (void)state;
    idle = idle_new(TIMEOUT_MS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    idle_free(idle);
    return 0;
}

static void a_stream_nobody_asked_for_is_proposed_after_the_timeout(void **state)
{
    (void)state;
    row(WEIR_STREAM_STATE_RUNNING, 7, 1000);
    beats(7, 1000, 31000);
    assert_int_equal(due(30999), 0);
    struct idle_proposal out[4];
    assert_int_equal(idle_due(idle, 31000, out, 4), 1);
    assert_true(weir_id_equal(&out[0].stream_id, &stream));
    assert_int_equal(out[0].generation, 7);
    assert_int_equal(out[0].idle_ms, 30000);
    assert_int_equal(out[0].timeout_ms, TIMEOUT_MS);
}

static void a_proposal_is_repeated_after_a_pause_only(void **state)
{
    (void)state;
    row(WEIR_STREAM_STATE_RUNNING, 7, 0);
    beats(7, 0, 36000);
    assert_int_equal(due(36000), 1);
    assert_int_equal(due(36000), 0);
    beats(7, 37000, 41000);
    assert_int_equal(due(40999), 0);
    assert_int_equal(due(41000), 1);
}

static void playlist_requests_in_heartbeats_keep_it(void **state)
{
    (void)state;
    row(WEIR_STREAM_STATE_RUNNING, 7, 0);
    beats(7, 0, 39000);
    beat(7, 500, 40000);
    assert_int_equal(due(40000), 0);
    beats(7, 41000, 69000);
    assert_int_equal(due(69499), 0);
    assert_int_equal(due(69500), 1);
}

static void viewers_at_the_front_doors_keep_it(void **state)
{
    (void)state;
    row(WEIR_STREAM_STATE_RUNNING, 7, 0);
    beats(7, 0, 29000);
    struct weir_ev_viewers viewers = {.tenant_id = tenant, .stream_id = stream};
    idle_viewers(idle, &viewers, 29000);
    beats(7, 30000, 58000);
    assert_int_equal(due(58999), 0);
    assert_int_equal(due(59000), 1);
}

static void idle_time_starts_anew_after_a_gap_in_the_heartbeats(void **state)
{
    (void)state;
    row(WEIR_STREAM_STATE_RUNNING, 7, 0);
    beats(7, 0, 20000);
    beat(7, -1, 23001);
    beats(7, 24000, 53000);
    assert_int_equal(due(53000), 0);
    assert_int_equal(due(53001), 1);
}

static void nothing_is_proposed_while_the_worker_is_silent(void **state)
{
    (void)state;
    row(WEIR_STREAM_STATE_RUNNING, 7, 0);
    assert_int_equal(due(100000), 0);
    beats(7, 0, 10000);
    assert_int_equal(due(100000), 0);
}

static void a_new_generation_is_wanted_from_its_start(void **state)
{
    (void)state;
    row(WEIR_STREAM_STATE_RUNNING, 7, 0);
    beats(7, 0, 29000);
    row(WEIR_STREAM_STATE_PLACED, 8, 29500);
    beats(8, 30000, 59000);
    assert_int_equal(due(59000), 0);
    assert_int_equal(due(59500), 1);
}

static void heartbeats_of_an_older_generation_say_nothing(void **state)
{
    (void)state;
    row(WEIR_STREAM_STATE_RUNNING, 8, 0);
    beats(8, 0, 29000);
    beat(7, 0, 29500);
    assert_int_equal(due(30000), 1);
}

static void a_stream_that_comes_back_from_stopping_is_wanted_again(void **state)
{
    (void)state;
    row(WEIR_STREAM_STATE_RUNNING, 7, 0);
    beats(7, 0, 30000);
    assert_int_equal(due(30000), 1);
    row(WEIR_STREAM_STATE_STOPPING, 7, 30100);
    assert_int_equal(idle_watched(idle), 0);
    row(WEIR_STREAM_STATE_RUNNING, 7, 30300);
    beats(7, 31000, 60000);
    assert_int_equal(due(60000), 0);
    assert_int_equal(due(60300), 1);
}

static void the_camera_overrides_the_tenant_who_overrides_the_setting(void **state)
{
    (void)state;
    struct weir_ev_config_tenant t = {
        .tenant_id = tenant, .version = 1, .has_idle_timeout_s = true, .idle_timeout_s = 10};
    struct weir_ev_config_camera c = {
        .camera_id = camera, .version = 2, .has_idle_timeout_s = true, .idle_timeout_s = 5};
    row(WEIR_STREAM_STATE_RUNNING, 7, 0);
    idle_tenant(idle, &t);
    beats(7, 0, 10000);
    assert_int_equal(due(9999), 0);
    idle_camera(idle, &c);
    assert_int_equal(due(5000), 1);
    /* An older version that comes late changes nothing; a newer one without a timeout does. */
    c.version = 1;
    c.idle_timeout_s = 900;
    idle_camera(idle, &c);
    assert_int_equal(due(10000), 1);
    c.version = 3;
    c.has_idle_timeout_s = false;
    idle_camera(idle, &c);
    t.version = 2;
    t.has_idle_timeout_s = false;
    idle_tenant(idle, &t);
    beats(7, 11000, 20000);
    assert_int_equal(due(20000), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stream_nobody_asked_for_is_proposed_after_the_timeout),
        TEST(a_proposal_is_repeated_after_a_pause_only),
        TEST(playlist_requests_in_heartbeats_keep_it),
        TEST(viewers_at_the_front_doors_keep_it),
        TEST(idle_time_starts_anew_after_a_gap_in_the_heartbeats),
        TEST(nothing_is_proposed_while_the_worker_is_silent),
        TEST(a_new_generation_is_wanted_from_its_start),
        TEST(heartbeats_of_an_older_generation_say_nothing),
        TEST(a_stream_that_comes_back_from_stopping_is_wanted_again),
        TEST(the_camera_overrides_the_tenant_who_overrides_the_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
