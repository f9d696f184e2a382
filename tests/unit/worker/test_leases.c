/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/base/log.h"
#include "worker/calls.h"
#include "worker/worker.h"

/* A worker with one lease and an api where nobody listens. */
struct cell {
    struct worker worker;
    struct worker_settings settings;
    struct weir_timer *deadline;
    struct weir_lease_row row;
};

static void stop(void *ctx)
{
    struct cell *cell = ctx;
    weir_loop_stop(cell->worker.loop);
}

static int set_up(void **state)
{
    static struct cell cell;
    weir_log_init("test", WEIR_LOG_ERROR);
    cell = (struct cell){
        .settings = {.api_internal_url = "http://127.0.0.1:1", .worker_secret = "secret"},
        .row = {.incarnation = 42, .lease_generation = 5, .state = WEIR_LEASE_STATE_WARM}};
    cell.worker.settings = &cell.settings;
    cell.worker.incarnation = 42;
    cell.worker.loop = weir_loop_new();
    cell.worker.leases = weir_map_new(sizeof(struct weir_id));
    cell.worker.heard = weir_versions_new(8);
    cell.worker.api_calls = calls_new(cell.worker.loop, cell.settings.api_internal_url);
    cell.worker.pass = weir_timer_new(cell.worker.loop, stop, &cell);
    cell.deadline = weir_timer_new(cell.worker.loop, stop, &cell);
    *state = &cell;
    return 0;
}

static int tear_down(void **state)
{
    struct cell *cell = *state;
    leases_drop_all(&cell->worker);
    calls_free(cell->worker.api_calls);
    weir_timer_free(&cell->worker.pass);
    weir_timer_free(&cell->deadline);
    weir_loop_free(cell->worker.loop);
    weir_map_free(cell->worker.leases);
    weir_versions_free(cell->worker.heard);
    return 0;
}

/* Until something asks for a pass, or for two seconds. */
static void run(struct cell *cell)
{
    weir_timer_set(cell->deadline, 2000);
    weir_loop_run(cell->worker.loop);
}

static void an_address_that_cannot_be_had_is_told(void **state)
{
    struct cell *cell = *state;
    leases_take_row(&cell->worker, &cell->row);
    leases_pass(&cell->worker);
    const struct lease *lease = leases_find(&cell->worker, &cell->row.camera_id);
    assert_true(lease->is_fetching);
    run(cell);
    assert_false(lease->is_fetching);
    assert_true(lease->is_failing);
    assert_string_equal(lease->trouble.reason, "source_unknown");
}

static void a_lease_renewed_while_its_address_is_on_the_way_asks_again(void **state)
{
    struct cell *cell = *state;
    leases_take_row(&cell->worker, &cell->row);
    leases_pass(&cell->worker);
    cell->row.lease_generation = 6;
    cell->row.state = WEIR_LEASE_STATE_ACTIVE;
    leases_take_row(&cell->worker, &cell->row);
    leases_pass(&cell->worker);
    run(cell);
    const struct lease *lease = leases_find(&cell->worker, &cell->row.camera_id);
    assert_false(lease->is_fetching);
    assert_true(lease->is_failing);
    assert_int_equal(lease->attempts, 1);
}

static struct lease *with_source(struct cell *cell)
{
    leases_take_row(&cell->worker, &cell->row);
    struct lease *lease = leases_find(&cell->worker, &cell->row.camera_id);
    lease->has_source = true;
    return lease;
}

static void a_tenant_that_changed_has_its_cameras_fetched_again(void **state)
{
    struct cell *cell = *state;
    const struct weir_id other = {.b = {7}};
    struct lease *lease = with_source(cell);
    lease->source.tenant_version = 2;
    leases_tenant_changed(&cell->worker, &cell->row.tenant_id, 2);
    assert_false(lease->is_stale);
    leases_tenant_changed(&cell->worker, &other, 3);
    assert_false(lease->is_stale);
    leases_tenant_changed(&cell->worker, &cell->row.tenant_id, 3);
    assert_true(lease->is_stale);
}

static void a_change_is_remembered_before_the_camera_is_had(void **state)
{
    struct cell *cell = *state;
    struct lease *lease = with_source(cell);
    lease->source.version = 3;
    lease->source.camera_version = 5;
    leases_config_changed(&cell->worker, &cell->row.camera_id, 5);
    assert_false(lease->is_stale);
    leases_config_changed(&cell->worker, &cell->row.camera_id, 6);
    assert_true(lease->is_stale);
    assert_int_equal(weir_versions_least(cell->worker.heard, &cell->row.camera_id), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_address_that_cannot_be_had_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lease_renewed_while_its_address_is_on_the_way_asks_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tenant_that_changed_has_its_cameras_fetched_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_change_is_remembered_before_the_camera_is_had, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
