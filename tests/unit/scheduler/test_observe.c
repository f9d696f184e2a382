/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/observe.h"

#include "tests/unit/check.h"

static const struct weir_id worker_id = {{1}};
static const struct weir_id stream_id = {{2}};
static const struct weir_id tenant_id = {{3}};
static const struct weir_id camera_id = {{4}};

static struct weir_event heartbeat(int64_t incarnation, struct weir_ev_heartbeat_streams *streams,
                                   size_t n)
{
    struct weir_event event = {.type = WEIR_EV_HEARTBEAT};
    event.u.heartbeat.worker_id = worker_id;
    event.u.heartbeat.incarnation = incarnation;
    event.u.heartbeat.streams = streams;
    event.u.heartbeat.n_streams = n;
    return event;
}

static void a_heartbeat_of_a_life_that_is_over_is_not_heard(void **state)
{
    (void)state;
    struct observations *seen = observations_new(1000);
    struct weir_event event = heartbeat(7, NULL, 0);
    observations_take(seen, &event, 2000);
    event = heartbeat(5, NULL, 0);
    observations_take(seen, &event, 3000);
    assert_int_equal(observations_worker(seen, &worker_id)->heard_ms, 2000);
    assert_int_equal(observations_worker(seen, &worker_id)->incarnation, 7);
    observations_free(seen);
}

static void running_is_counted_from_the_first_heartbeat_that_says_so(void **state)
{
    (void)state;
    struct observations *seen = observations_new(1000);
    struct weir_ev_heartbeat_streams listed = {
        .stream_id = stream_id,
        .generation = 5,
        .state = WEIR_EV_HEARTBEAT_STREAMS_STATE_STARTING,
    };
    struct weir_event event = heartbeat(7, &listed, 1);
    observations_take(seen, &event, 2000);
    assert_int_equal(observations_run(seen, &stream_id, listed.generation)->running_since_ms, 0);
    listed.state = WEIR_EV_HEARTBEAT_STREAMS_STATE_RUNNING;
    observations_take(seen, &event, 3000);
    observations_take(seen, &event, 4000);
    assert_int_equal(observations_run(seen, &stream_id, listed.generation)->running_since_ms, 3000);
    assert_int_equal(observations_run(seen, &stream_id, listed.generation)->listed_ms, 4000);
    listed.generation = 6;
    observations_take(seen, &event, 5000);
    assert_int_equal(observations_run(seen, &stream_id, listed.generation)->running_since_ms, 5000);
    observations_free(seen);
}

static void a_request_seen_by_the_origin_counts_at_its_own_age(void **state)
{
    (void)state;
    struct observations *seen = observations_new(1000);
    struct weir_ev_heartbeat_streams listed = {
        .stream_id = stream_id,
        .generation = 5,
        .has_last_request_age_ms = true,
        .last_request_age_ms = 1500,
    };
    struct weir_event event = heartbeat(7, &listed, 1);
    observations_take(seen, &event, 10000);
    assert_int_equal(observations_stream(seen, &stream_id)->activity_ms, 8500);
    listed.last_request_age_ms = 9000; /* an older one changes nothing */
    observations_take(seen, &event, 11000);
    assert_int_equal(observations_stream(seen, &stream_id)->activity_ms, 8500);
    listed.last_request_age_ms = INT64_MAX / 2; /* nonsense of a worker neither */
    observations_take(seen, &event, 12000);
    assert_int_equal(observations_stream(seen, &stream_id)->activity_ms, 8500);
    observations_free(seen);
}

static void an_older_configuration_does_not_undo_a_newer_one(void **state)
{
    (void)state;
    struct observations *seen = observations_new(1000);
    struct weir_event event = {.type = WEIR_EV_CONFIG_CAMERA};
    event.u.config_camera.camera_id = camera_id;
    event.u.config_camera.tenant_id = tenant_id;
    event.u.config_camera.version = 5;
    event.u.config_camera.deleted = true;
    observations_take(seen, &event, 2000);
    event.u.config_camera.version = 4;
    event.u.config_camera.deleted = false;
    observations_take(seen, &event, 2000);
    assert_true(observations_is_gone(seen, &tenant_id, &camera_id));
    observations_free(seen);
}

static void inputs_that_stood_still_begin_anew(void **state)
{
    (void)state;
    struct observations *seen = observations_new(1000);
    assert_false(observations_are_live(seen, 1000));
    observations_live(seen, 1200);
    observations_live(seen, 2000);
    assert_int_equal(observations_since(seen), 1200);
    assert_true(observations_are_live(seen, 3000));
    assert_false(observations_are_live(seen, 9000));
    observations_live(seen, 9500);
    assert_int_equal(observations_since(seen), 9500);
    observations_free(seen);
}

static void what_the_ledger_forgot_is_swept(void **state)
{
    (void)state;
    struct observations *seen = observations_new(1000);
    struct weir_ledger *ledger = weir_ledger_new();
    observations_activity(seen, &stream_id, 1000);
    observations_heard(seen, &worker_id, 1, 1000);
    observations_sweep(seen, ledger);
    assert_null(observations_stream(seen, &stream_id));
    assert_null(observations_worker(seen, &worker_id));
    weir_ledger_free(ledger);
    observations_free(seen);
}

static void sweep_often(struct observations *seen, const struct weir_ledger *ledger)
{
    for (int i = 0; i < 2 * OBSERVATIONS_KEEP_SWEEPS; i++) {
        observations_sweep(seen, ledger);
    }
}

static void a_deleted_camera_is_known_as_long_as_it_has_a_lease(void **state)
{
    (void)state;
    struct observations *seen = observations_new(1000);
    struct weir_ledger *ledger = weir_ledger_new();
    struct weir_event camera = {.type = WEIR_EV_CONFIG_CAMERA};
    camera.u.config_camera.camera_id = camera_id;
    camera.u.config_camera.tenant_id = tenant_id;
    camera.u.config_camera.deleted = true;
    struct weir_event tenant = {.type = WEIR_EV_CONFIG_TENANT};
    tenant.u.config_tenant.tenant_id = tenant_id;
    tenant.u.config_tenant.deleted = true;
    observations_take(seen, &camera, 2000);
    observations_take(seen, &tenant, 2000);
    struct weir_event lease = {.type = WEIR_EV_STATE_LEASE};
    lease.u.state_lease.camera_id = camera_id;
    lease.u.state_lease.tenant_id = tenant_id;
    lease.u.state_lease.state = WEIR_LEASE_STATE_ACTIVE;
    struct weir_err err;
    ASSERT_OK(weir_ledger_restore(ledger, &lease, &err), &err);
    sweep_often(seen, ledger);
    assert_non_null(observations_camera(seen, &camera_id));
    assert_non_null(observations_tenant(seen, &tenant_id));
    weir_ledger_reset(ledger);
    observations_sweep(seen, ledger);
    assert_true(observations_is_gone(seen, &tenant_id, &camera_id));
    sweep_often(seen, ledger);
    assert_null(observations_camera(seen, &camera_id));
    assert_null(observations_tenant(seen, &tenant_id));
    weir_ledger_free(ledger);
    observations_free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heartbeat_of_a_life_that_is_over_is_not_heard),
        cmocka_unit_test(running_is_counted_from_the_first_heartbeat_that_says_so),
        cmocka_unit_test(a_request_seen_by_the_origin_counts_at_its_own_age),
        cmocka_unit_test(an_older_configuration_does_not_undo_a_newer_one),
        cmocka_unit_test(inputs_that_stood_still_begin_anew),
        cmocka_unit_test(what_the_ledger_forgot_is_swept),
        cmocka_unit_test(a_deleted_camera_is_known_as_long_as_it_has_a_lease),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
