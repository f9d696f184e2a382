/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/cell_clock.h"

#include "tests/unit/check.h"

#define NOON ((int64_t)1800000000000)
#define HOUR ((int64_t)3600 * 1000)
#define BOOT ((int64_t)5000)

/* A term whose takeover the broker stamped `stamp_ms`, after a last decision at NOON. */
static struct cell_clock term(int64_t stamp_ms)
{
    struct cell_clock clock;
    cell_clock_begin(&clock, NOON, NOON - HOUR, BOOT);
    cell_clock_anchor(&clock, stamp_ms, BOOT + 20);
    return clock;
}

static void time_stands_until_the_takeover_is_in_the_log(void **state)
{
    (void)state;
    struct cell_clock clock;
    cell_clock_begin(&clock, NOON, NOON + HOUR, BOOT);
    assert_int_equal(cell_clock_now(&clock, BOOT + 9000), NOON);
    cell_clock_anchor(&clock, NOON + 700, BOOT + 9000);
    assert_int_equal(cell_clock_now(&clock, BOOT + 9000), NOON + 700);
    assert_int_equal(cell_clock_now(&clock, BOOT + 9500), NOON + 1200);
}

static void the_wall_clock_counts_only_before_the_very_first_takeover(void **state)
{
    (void)state;
    struct cell_clock clock;
    cell_clock_begin(&clock, 0, NOON - HOUR, BOOT);
    assert_int_equal(cell_clock_now(&clock, BOOT), NOON - HOUR);
    cell_clock_anchor(&clock, NOON - 1, BOOT);
    assert_int_equal(cell_clock_now(&clock, BOOT), NOON - 1);
}

static void time_never_goes_back_and_leaps_an_hour_at_most(void **state)
{
    (void)state;
    struct cell_clock behind = term(NOON - HOUR);
    assert_int_equal(cell_clock_now(&behind, BOOT + 20), NOON);
    struct cell_clock ahead = term(NOON + 5 * HOUR);
    assert_int_equal(cell_clock_now(&ahead, BOOT + 20), NOON + HOUR);
}

/* Hears the broker each second for `seconds`; the broker is `off_ms` ahead of true time. */
static int64_t run(struct cell_clock *clock, int64_t *boot_ms, int seconds, int64_t off_ms)
{
    int64_t last = cell_clock_now(clock, *boot_ms);
    for (int i = 0; i < seconds; i++) {
        *boot_ms += 1000;
        int64_t now = cell_clock_now(clock, *boot_ms);
        assert_true(now >= last + 900 && now <= last + 1100);
        cell_clock_heard(clock, NOON + off_ms + *boot_ms - BOOT, *boot_ms);
        assert_int_equal(cell_clock_now(clock, *boot_ms), now);
        last = now;
    }
    return last - (NOON + *boot_ms - BOOT);
}

static void a_time_that_is_ahead_turns_back_without_stopping_a_timer(void **state)
{
    (void)state;
    struct cell_clock clock = term(NOON - HOUR);
    int64_t boot_ms = BOOT + 20;
    int64_t off = run(&clock, &boot_ms, 600, -HOUR);
    assert_true(off <= -59000 && off >= -61000);
    off = run(&clock, &boot_ms, 36000, -HOUR);
    assert_true(off >= -HOUR - 1100 && off <= -HOUR + 1100);
}

static void a_time_that_is_behind_is_made_up(void **state)
{
    (void)state;
    struct cell_clock clock = term(NOON + 5 * HOUR);
    int64_t boot_ms = BOOT + 20;
    int64_t off = run(&clock, &boot_ms, 5 * 36000, 5 * HOUR);
    assert_true(off >= 5 * HOUR - 1100 && off <= 5 * HOUR + 1100);
}

static void a_record_s_way_is_no_difference_of_clocks(void **state)
{
    (void)state;
    struct cell_clock clock = term(NOON);
    int64_t boot_ms = BOOT + 20;
    assert_int_equal(run(&clock, &boot_ms, 600, -900), -20);
}

static void a_command_s_age_is_the_difference_of_two_stamps(void **state)
{
    (void)state;
    struct cell_clock clock = term(NOON + 40000);
    assert_int_equal(cell_clock_age(&clock, NOON + 10000, BOOT + 20), 30000);
    assert_int_equal(cell_clock_age(&clock, NOON + 10000, BOOT + 1020), 31000);
    assert_int_equal(cell_clock_age(&clock, NOON + 50000, BOOT + 1020), 0);
}

static void a_command_cannot_be_older_than_since_its_topic_was_read(void **state)
{
    (void)state;
    struct cell_clock clock = term(NOON);
    cell_clock_read(&clock, BOOT + 60000);
    cell_clock_read(&clock, BOOT + 50000);
    /* The broker's clock went back an hour. */
    assert_int_equal(cell_clock_age(&clock, NOON - HOUR + 60100, BOOT + 60200), 200);
    /* And forth. */
    assert_int_equal(cell_clock_age(&clock, NOON + HOUR + 60100, BOOT + 60200), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_stands_until_the_takeover_is_in_the_log),
        cmocka_unit_test(the_wall_clock_counts_only_before_the_very_first_takeover),
        cmocka_unit_test(time_never_goes_back_and_leaps_an_hour_at_most),
        cmocka_unit_test(a_time_that_is_ahead_turns_back_without_stopping_a_timer),
        cmocka_unit_test(a_time_that_is_behind_is_made_up),
        cmocka_unit_test(a_record_s_way_is_no_difference_of_clocks),
        cmocka_unit_test(a_command_s_age_is_the_difference_of_two_stamps),
        cmocka_unit_test(a_command_cannot_be_older_than_since_its_topic_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
