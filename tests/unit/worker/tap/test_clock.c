/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/clock.h"

#include "tests/unit/check.h"

#define NOW INT64_C(1800000000000000) /* us */

static int64_t map(struct tap_clock *clock, int64_t line_us, int64_t camera_us, int64_t arrival_us)
{
    struct tap_unit unit = {.camera_us = camera_us, .arrival_us = arrival_us};
    tap_clock_map(clock, &unit, line_us);
    return unit.capture_us;
}

static void without_reports_the_least_delay_is_believed(void **state)
{
    (void)state;
    struct tap_clock clock = {0};
    int64_t offset;
    assert_int_equal(map(&clock, 0, TAP_NO_TIME, NOW + 50000), NOW + 50000);
    assert_int_equal(map(&clock, 40000, TAP_NO_TIME, NOW + 40000 + 10000), NOW + 50000);
    /* A late packet is not believed to be a late frame. */
    assert_in_range(map(&clock, 80000, TAP_NO_TIME, NOW + 80000 + 900000), NOW + 90000,
                    NOW + 90200);
    assert_false(tap_clock_offset(&clock, &offset));
}

static void a_camera_that_knows_the_time_is_believed_exactly(void **state)
{
    (void)state;
    struct tap_clock clock = {0};
    int64_t offset = 0;
    assert_int_equal(map(&clock, 0, NOW - 80000, NOW), NOW - 80000);
    assert_int_equal(map(&clock, 40000, NOW - 40000, NOW + 500000), NOW - 40000);
    assert_true(tap_clock_offset(&clock, &offset));
    assert_int_equal(offset, -80000);
}

static void a_camera_in_1970_is_moved_to_our_time(void **state)
{
    (void)state;
    struct tap_clock clock = {0};
    int64_t offset = 0;
    assert_int_equal(map(&clock, 0, 1000000, NOW), NOW);
    assert_int_equal(map(&clock, 40000, 1040000, NOW + 40000), NOW + 40000);
    assert_in_range(map(&clock, 80000, 1080000, NOW + 700000), NOW + 80000, NOW + 80200);
    assert_true(tap_clock_offset(&clock, &offset));
    assert_int_equal(offset, 1000000 - NOW);
}

static void slow_drift_is_followed(void **state)
{
    (void)state;
    struct tap_clock clock = {0};
    /* The camera's line runs 100 ppm slow against us for an hour. */
    int64_t capture = 0;
    int64_t arrival = 0;
    for (int64_t s = 0; s <= 3600; s++) {
        arrival = NOW + s * 1000000 + s * 100;
        capture = map(&clock, s * 1000000, TAP_NO_TIME, arrival);
    }
    assert_in_range(arrival - capture, 0, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_reports_the_least_delay_is_believed),
        cmocka_unit_test(a_camera_that_knows_the_time_is_believed_exactly),
        cmocka_unit_test(a_camera_in_1970_is_moved_to_our_time),
        cmocka_unit_test(slow_drift_is_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
