/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"
#include "worker/worker.h"

#define BIT(fault) (1 << WEIR_FAULT_##fault)

static struct worker_settings settings = {.look_every_s = 10, .looks_per_s = 20};
static struct worker worker;
static struct lease lease;

static int begin(void **state)
{
    (void)state;
    worker = (struct worker){.settings = &settings, .leases = weir_map_new(sizeof(struct weir_id))};
    lease = (struct lease){.is_wanted = true, .is_given = true, .is_up = true};
    lease.row.camera_id.b[0] = 7;
    weir_map_put(worker.leases, lease.row.camera_id.b, &lease);
    return 0;
}

static int end(void **state)
{
    (void)state;
    weir_map_free(worker.leases);
    return 0;
}

static void see(unsigned faults)
{
    struct weir_ctl_still_scene scene = {.camera_id = lease.row.camera_id, .faults = faults};
    sights_take(&worker, &scene);
}

static struct weir_ctl_tap_stats_cameras joined(enum weir_picture_health health, int64_t faults,
                                                int64_t in_ms)
{
    struct weir_ctl_tap_stats_cameras stats = {.has_health = true,
                                               .health = health,
                                               .faults = faults,
                                               .health_ms = 500000,
                                               .faults_seen = 2};
    sights_join(&lease, worker_now_ms() + in_ms, &stats);
    return stats;
}

static void what_is_seen_joins_what_packets_say(void **state)
{
    (void)state;
    see(BIT(FROZEN));
    struct weir_ctl_tap_stats_cameras is = joined(WEIR_PICTURE_HEALTH_HEALTHY, 0, 0);
    assert_int_equal(is.health, WEIR_PICTURE_HEALTH_DEGRADED);
    assert_int_equal(is.faults, BIT(FROZEN));
    assert_int_equal(is.faults_seen, 3);
    assert_in_range(is.health_ms, 0, 5000);
    is = joined(WEIR_PICTURE_HEALTH_DEGRADED, BIT(LOSS), 0);
    assert_int_equal(is.faults, BIT(LOSS) | BIT(FROZEN));
    see(0);
    is = joined(WEIR_PICTURE_HEALTH_HEALTHY, 0, 0);
    assert_int_equal(is.health, WEIR_PICTURE_HEALTH_HEALTHY);
    assert_int_equal(is.faults, 0);
    assert_int_equal(is.faults_seen, 3);
    assert_in_range(is.health_ms, 0, 5000);
}

static void the_same_seen_again_is_one_fault(void **state)
{
    (void)state;
    see(BIT(BLACK));
    see(BIT(BLACK));
    see(BIT(COVERED));
    assert_int_equal(joined(WEIR_PICTURE_HEALTH_HEALTHY, 0, 0).faults_seen, 4);
}

static void a_camera_that_is_not_read_shows_nothing(void **state)
{
    (void)state;
    see(BIT(BLACK));
    lease.is_up = false;
    struct weir_ctl_tap_stats_cameras is = joined(WEIR_PICTURE_HEALTH_DOWN, 0, 0);
    assert_int_equal(is.health, WEIR_PICTURE_HEALTH_DOWN);
    assert_int_equal(is.faults, 0);
    assert_int_equal(is.health_ms, 500000);
    lease.is_up = true;
    assert_int_equal(joined(WEIR_PICTURE_HEALTH_STARTING, 0, 0).faults, 0);
}

static void what_nobody_looks_at_any_more_is_forgotten(void **state)
{
    (void)state;
    see(BIT(FROZEN));
    assert_int_equal(joined(WEIR_PICTURE_HEALTH_HEALTHY, 0, 120000).faults, BIT(FROZEN));
    struct weir_ctl_tap_stats_cameras is = joined(WEIR_PICTURE_HEALTH_HEALTHY, 0, 190000);
    assert_int_equal(is.faults, 0);
    assert_in_range(is.health_ms, 9000, 100000); /* since it is forgotten */
    /* It is seen again, long after that: as another one. */
    lease.sights_until_ms = worker_now_ms() - 20000;
    see(0);
    assert_in_range(joined(WEIR_PICTURE_HEALTH_HEALTHY, 0, 0).health_ms, 20000, 100000);
    see(BIT(FROZEN));
    lease.sights_until_ms = worker_now_ms() - 20000;
    see(BIT(FROZEN));
    is = joined(WEIR_PICTURE_HEALTH_HEALTHY, 0, 0);
    assert_in_range(is.health_ms, 0, 5000);
    assert_int_equal(is.faults_seen, 5);
}

static void faults_that_packets_tell_are_not_taken_from_a_picture(void **state)
{
    (void)state;
    see(BIT(STALLED) | BIT(LOSS) | 512);
    assert_int_equal(joined(WEIR_PICTURE_HEALTH_HEALTHY, 0, 0).faults, 0);
}

static void a_suspicion_brings_the_next_look_forward(void **state)
{
    (void)state;
    struct weir_ctl_still_scene scene = {
        .camera_id = lease.row.camera_id, .has_again_ms = true, .again_ms = 3000};
    lease.look_at_ms = worker_now_ms() + 9000;
    sights_take(&worker, &scene);
    assert_in_range(lease.look_at_ms - worker_now_ms(), 1, 3000);
}

/* A child that is down, so that what it is told goes nowhere; its plan is what is looked at. */
static struct child *a_child(struct weir_loop *loop)
{
    static const char *const env[] = {NULL};
    return child_new(
        &(struct child_config){.name = "none", .path = "/bin/false", .env = env, .loop = loop});
}

static void each_camera_has_its_turn(void **state)
{
    (void)state;
    struct weir_loop *loop = weir_loop_new();
    worker.still = a_child(loop);
    sights_tick(&worker);
    assert_in_range(lease.look_at_ms - worker_now_ms(), 0, 10000);
    lease.look_at_ms = worker_now_ms();
    sights_tick(&worker);
    assert_in_range(lease.look_at_ms - worker_now_ms(), 9000, 10000);
    lease.is_up = false;
    sights_tick(&worker);
    assert_int_equal(lease.look_at_ms, 0);
    child_free(worker.still);
    weir_loop_free(loop);
}

static void nobody_looks_where_that_is_off(void **state)
{
    (void)state;
    struct worker_settings off = {.look_every_s = 0, .looks_per_s = 1};
    worker.settings = &off;
    sights_tick(&worker);
    assert_int_equal(lease.look_at_ms, 0);
}

static void all_together_keep_within_the_limit(void **state)
{
    (void)state;
    struct worker_settings slow = {.look_every_s = 1, .looks_per_s = 2};
    struct weir_loop *loop = weir_loop_new();
    struct lease more[7];
    worker.settings = &slow;
    worker.still = a_child(loop);
    int64_t now_ms = worker_now_ms();
    lease.look_at_ms = now_ms;
    for (int i = 0; i < 7; i++) {
        more[i] = lease;
        more[i].row.camera_id.b[1] = (uint8_t)(i + 1);
        weir_map_put(worker.leases, more[i].row.camera_id.b, &more[i]);
    }
    sights_tick(&worker);
    int n = lease.look_at_ms > now_ms;
    assert_in_range(lease.look_at_ms - now_ms, 4000, 5000); /* eight cameras, two a second */
    for (int i = 0; i < 7; i++) {
        n += more[i].look_at_ms > now_ms;
    }
    assert_int_equal(n, 2);
    child_free(worker.still);
    weir_loop_free(loop);
}

static void what_stands_is_told_to_who_looks_next(void **state)
{
    (void)state;
    struct weir_ctl_still_look ask;
    struct weir_ctl_still_scene scene = {
        .camera_id = lease.row.camera_id, .faults = BIT(FROZEN), .has_noise = true, .noise = 900};
    sights_ask(&lease, worker_now_ms(), &ask);
    assert_false(ask.has_faults || ask.has_noise);
    sights_take(&worker, &scene);
    sights_ask(&lease, worker_now_ms(), &ask);
    assert_true(ask.has_faults && ask.has_noise);
    assert_int_equal(ask.faults, BIT(FROZEN));
    assert_int_equal(ask.noise, 900);
    sights_ask(&lease, worker_now_ms() + 190000, &ask);
    assert_false(ask.has_faults || ask.has_noise);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_seen_joins_what_packets_say, begin, end),
        cmocka_unit_test_setup_teardown(the_same_seen_again_is_one_fault, begin, end),
        cmocka_unit_test_setup_teardown(a_camera_that_is_not_read_shows_nothing, begin, end),
        cmocka_unit_test_setup_teardown(what_nobody_looks_at_any_more_is_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(faults_that_packets_tell_are_not_taken_from_a_picture,
                                        begin, end),
        cmocka_unit_test_setup_teardown(each_camera_has_its_turn, begin, end),
        cmocka_unit_test_setup_teardown(nobody_looks_where_that_is_off, begin, end),
        cmocka_unit_test_setup_teardown(all_together_keep_within_the_limit, begin, end),
        cmocka_unit_test_setup_teardown(a_suspicion_brings_the_next_look_forward, begin, end),
        cmocka_unit_test_setup_teardown(what_stands_is_told_to_who_looks_next, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
