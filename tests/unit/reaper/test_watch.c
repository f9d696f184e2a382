/* SPDX-License-Identifier: Apache-2.0 */
#include "reaper/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct weir_id tenant = {.b = {1}};
static const struct weir_id camera = {.b = {2}};
static const struct weir_id stream = {.b = {3}};

struct fixture {
    struct reaper_watch *watch;
    struct reaper_timeouts *timeouts;
};

static int begin(void **state)
{
    static struct fixture fixture;
    fixture.watch = reaper_watch_new();
    fixture.timeouts = reaper_timeouts_new(30000);
    *state = &fixture;
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    reaper_watch_free(fixture->watch);
    reaper_timeouts_free(fixture->timeouts);
    return 0;
}

static void change(struct fixture *fixture, enum weir_stream_state from, enum weir_stream_state to,
                   int64_t generation, int64_t now_ms)
{
    struct weir_stream_row row = {.stream_id = stream,
                                  .tenant_id = tenant,
                                  .camera_id = camera,
                                  .state = to,
                                  .generation = generation};
    reaper_watch_changed(fixture->watch, &row, false, from, now_ms);
}

static void beat(struct fixture *fixture, int64_t generation, int64_t now_ms)
{
    struct weir_ev_heartbeat_streams listed = {
        .stream_id = stream, .tenant_id = tenant, .generation = generation};
    struct weir_event event = {.type = WEIR_EV_HEARTBEAT};
    event.u.heartbeat.streams = &listed;
    event.u.heartbeat.n_streams = 1;
    reaper_watch_take(fixture->watch, &event, now_ms, now_ms);
}

/* Second by second; returns when the first proposal comes, -1 when none does. */
static int64_t first_due(struct fixture *fixture, int64_t generation, int64_t from_ms,
                         int64_t to_ms, struct reaper_proposal *ret)
{
    for (int64_t now_ms = from_ms; now_ms <= to_ms; now_ms += 1000) {
        size_t at = 0;
        beat(fixture, generation, now_ms);
        if (reaper_watch_next_due(fixture->watch, fixture->timeouts, now_ms, &at, ret))
            return now_ms;
    }
    return -1;
}

static void a_running_stream_is_proposed_with_what_was_seen(void **state)
{
    struct fixture *fixture = *state;
    struct reaper_proposal proposal;
    change(fixture, WEIR_STREAM_STATE_STARTING, WEIR_STREAM_STATE_RUNNING, 7, 0);
    assert_int_equal(first_due(fixture, 7, 0, 60000, &proposal), 30000);
    assert_memory_equal(&proposal.stream_id, &stream, sizeof(stream));
    assert_memory_equal(&proposal.tenant_id, &tenant, sizeof(tenant));
    assert_int_equal(proposal.generation, 7);
    assert_int_equal(proposal.idle_ms, 30000);
    assert_int_equal(proposal.timeout_ms, 30000);
    assert_int_equal(proposal.attempt, 0);
}

static void a_viewer_puts_it_off(void **state)
{
    struct fixture *fixture = *state;
    struct reaper_proposal proposal;
    struct weir_event event = {.type = WEIR_EV_VIEWERS};
    event.u.viewers.stream_id = stream;
    change(fixture, WEIR_STREAM_STATE_STARTING, WEIR_STREAM_STATE_RUNNING, 7, 0);
    assert_int_equal(first_due(fixture, 7, 0, 29000, &proposal), -1);
    reaper_watch_take(fixture->watch, &event, 29500, 29500);
    assert_int_equal(first_due(fixture, 7, 30000, 90000, &proposal), 60000);
}

static void a_stopped_stream_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct reaper_proposal proposal;
    change(fixture, WEIR_STREAM_STATE_STARTING, WEIR_STREAM_STATE_RUNNING, 7, 0);
    assert_int_equal(reaper_watch_count(fixture->watch), 1);
    change(fixture, WEIR_STREAM_STATE_RUNNING, WEIR_STREAM_STATE_STOPPING, 7, 1000);
    assert_int_equal(reaper_watch_count(fixture->watch), 0);
    assert_int_equal(first_due(fixture, 7, 2000, 90000, &proposal), -1);
}

static void a_stream_that_came_back_from_stopping_begins_anew(void **state)
{
    struct fixture *fixture = *state;
    struct reaper_proposal proposal;
    change(fixture, WEIR_STREAM_STATE_STARTING, WEIR_STREAM_STATE_RUNNING, 7, 0);
    change(fixture, WEIR_STREAM_STATE_RUNNING, WEIR_STREAM_STATE_STOPPING, 7, 30000);
    change(fixture, WEIR_STREAM_STATE_STOPPING, WEIR_STREAM_STATE_RUNNING, 7, 31000);
    assert_int_equal(first_due(fixture, 7, 31000, 90000, &proposal), 61000);
}

static void a_source_that_comes_and_goes_does_not_keep_it_alive(void **state)
{
    struct fixture *fixture = *state;
    struct reaper_proposal proposal;
    change(fixture, WEIR_STREAM_STATE_STARTING, WEIR_STREAM_STATE_RUNNING, 7, 0);
    assert_int_equal(first_due(fixture, 7, 0, 19000, &proposal), -1);
    change(fixture, WEIR_STREAM_STATE_RUNNING, WEIR_STREAM_STATE_BACKOFF, 7, 20000);
    change(fixture, WEIR_STREAM_STATE_BACKOFF, WEIR_STREAM_STATE_RUNNING, 7, 25000);
    assert_int_equal(first_due(fixture, 7, 20000, 90000, &proposal), 30000);
}

static void a_new_generation_begins_anew(void **state)
{
    struct fixture *fixture = *state;
    struct reaper_proposal proposal;
    change(fixture, WEIR_STREAM_STATE_STARTING, WEIR_STREAM_STATE_RUNNING, 7, 0);
    change(fixture, WEIR_STREAM_STATE_SUSPECT, WEIR_STREAM_STATE_RUNNING, 8, 10000);
    assert_int_equal(first_due(fixture, 7, 10000, 12000, &proposal), -1);
    assert_int_equal(first_due(fixture, 8, 12000, 90000, &proposal), 40000);
    assert_int_equal(proposal.idle_ms, 30000);
}

/* Of the new one nothing was heard for longer than a gap: its idle time begins where it was. */
static void what_is_heard_of_an_old_generation_fills_no_gap(void **state)
{
    struct fixture *fixture = *state;
    struct reaper_proposal proposal;
    change(fixture, WEIR_STREAM_STATE_STARTING, WEIR_STREAM_STATE_RUNNING, 7, 0);
    change(fixture, WEIR_STREAM_STATE_SUSPECT, WEIR_STREAM_STATE_RUNNING, 8, 10000);
    assert_int_equal(first_due(fixture, 7, 0, 50000, &proposal), -1);
    assert_int_equal(first_due(fixture, 8, 50000, 90000, &proposal), 80000);
    assert_int_equal(proposal.idle_ms, 30000);
}

static void the_cameras_timeout_wins_over_the_tenants_over_the_default(void **state)
{
    struct fixture *fixture = *state;
    struct weir_event of_tenant = {.type = WEIR_EV_CONFIG_TENANT};
    of_tenant.u.config_tenant.tenant_id = tenant;
    of_tenant.u.config_tenant.has_idle_timeout_s = true;
    of_tenant.u.config_tenant.idle_timeout_s = 60;
    struct weir_event of_camera = {.type = WEIR_EV_CONFIG_CAMERA};
    of_camera.u.config_camera.camera_id = camera;
    of_camera.u.config_camera.has_idle_timeout_s = true;
    of_camera.u.config_camera.idle_timeout_s = 5;
    assert_int_equal(reaper_timeouts_ms(fixture->timeouts, &tenant, &camera), 30000);
    reaper_timeouts_take(fixture->timeouts, &of_tenant);
    assert_int_equal(reaper_timeouts_ms(fixture->timeouts, &tenant, &camera), 60000);
    reaper_timeouts_take(fixture->timeouts, &of_camera);
    assert_int_equal(reaper_timeouts_ms(fixture->timeouts, &tenant, &camera), 5000);
    of_camera.u.config_camera.deleted = true;
    reaper_timeouts_take(fixture->timeouts, &of_camera);
    assert_int_equal(reaper_timeouts_ms(fixture->timeouts, &tenant, &camera), 60000);
    of_tenant.u.config_tenant.has_idle_timeout_s = false;
    reaper_timeouts_take(fixture->timeouts, &of_tenant);
    assert_int_equal(reaper_timeouts_ms(fixture->timeouts, &tenant, &camera), 30000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_running_stream_is_proposed_with_what_was_seen),
        TEST(a_viewer_puts_it_off),
        TEST(a_stopped_stream_is_forgotten),
        TEST(a_stream_that_came_back_from_stopping_begins_anew),
        TEST(a_source_that_comes_and_goes_does_not_keep_it_alive),
        TEST(a_new_generation_begins_anew),
        TEST(what_is_heard_of_an_old_generation_fills_no_gap),
        TEST(the_cameras_timeout_wins_over_the_tenants_over_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
