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

/* Ten frames a second for `s` seconds, a report each `every` of them that is `noise[..]` off. */
static int64_t run(struct tap_clock *clock, int64_t from_s, int64_t s, int64_t ppm,
                   int64_t (*noise)(int64_t n))
{
    int64_t worst = 0;
    for (int64_t frame = from_s * 10; frame < (from_s + s) * 10; frame++) {
        int64_t line_us = frame * 100000;
        int64_t true_us = NOW + line_us + line_us / 1000000 * ppm;
        int64_t reported_us = true_us + noise(frame / 50);
        int64_t off = map(clock, line_us, reported_us, true_us + 80000) - true_us;
        /* From the eighth report on. */
        if (frame >= from_s * 10 + 400) {
            off = off < 0 ? -off : off;
            worst = off > worst ? off : worst;
        }
    }
    return worst;
}

static int64_t no_noise(int64_t n)
{
    (void)n;
    return 0;
}

static int64_t twelve_ms(int64_t n)
{
    static const int64_t some[] = {12000, -9000, 3000, -12000, 7000, -4000, 11000, -8000, 1000};
    return some[n % 9];
}

static void chance_in_reports_is_evened_out(void **state)
{
    (void)state;
    /* 12000 by the newest alone, 8000 by a line through eight of which all is believed. */
    for (int64_t ppm = -100; ppm <= 100; ppm += 100) {
        struct tap_clock clock = {0};
        run(&clock, 0, 100, ppm, twelve_ms);
        assert_in_range(run(&clock, 100, 600, ppm, twelve_ms), 0, 5000);
        assert_int_equal(clock.jumps, 0);
    }
}

static void how_far_reports_scatter_is_told(void **state)
{
    (void)state;
    int64_t scatter_us = -1;
    struct tap_clock noisy = {0};
    assert_false(tap_clock_scatter(&noisy, &scatter_us));
    run(&noisy, 0, 10, 0, twelve_ms);
    assert_false(tap_clock_scatter(&noisy, &scatter_us)); /* two reports */
    run(&noisy, 10, 590, 0, twelve_ms);
    assert_true(tap_clock_scatter(&noisy, &scatter_us));
    assert_in_range(scatter_us, 6000, 11000); /* 8500 of all nine */
    for (int64_t ppm = -100; ppm <= 100; ppm += 100) {
        struct tap_clock clock = {0};
        run(&clock, 0, 600, ppm, no_noise);
        assert_true(tap_clock_scatter(&clock, &scatter_us));
        assert_in_range(scatter_us, 0, 300);
    }
    struct tap_clock far = {0};
    for (int64_t line_us = 0; line_us < 60000000; line_us += 5000000)
        map(&far, line_us, 1000000 + line_us, NOW + line_us);
    assert_false(tap_clock_scatter(&far, &scatter_us));
}

static void skew_is_followed_without_lag(void **state)
{
    (void)state;
    for (int64_t ppm = -150; ppm <= 150; ppm += 100) {
        struct tap_clock clock = {0};
        assert_in_range(run(&clock, 0, 600, ppm, no_noise), 0, 1000);
        assert_int_equal(clock.jumps, 0);
    }
}

static void a_clock_that_is_set_begins_anew(void **state)
{
    (void)state;
    static const int64_t sets[] = {150000, -150000, 5000000, -5000000};
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        struct tap_clock clock = {0};
        struct tap_unit unit = {0};
        int64_t offset = 0;
        run(&clock, 0, 60, 0, no_noise);
        int64_t line_us = 60 * 1000000;
        /* At once by the new clock, not by a mean of both. */
        assert_int_equal(map(&clock, line_us, NOW + line_us + sets[i], NOW + line_us + 80000),
                         NOW + line_us + sets[i]);
        assert_int_equal(clock.jumps, 1);
        assert_true(tap_clock_offset(&clock, &offset));
        assert_int_equal(offset, sets[i] - 80000);
        unit = (struct tap_unit){.camera_us = NOW + line_us + 100000 + sets[i],
                                 .arrival_us = NOW + line_us + 180000};
        tap_clock_map(&clock, &unit, line_us + 100000);
        assert_true(unit.is_cameras);
        assert_int_equal(clock.jumps, 1);
        tap_clock_restart(&clock);
        assert_int_equal(clock.jumps, 1);
    }
}

/* GStreamer's first one tells of a pipeline that does not run yet. */
static void a_first_report_that_is_far_off_does_not_count(void **state)
{
    (void)state;
    static const int64_t offs[] = {35000, 82000, 200000, -60000};
    for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
        struct tap_clock clock = {0};
        map(&clock, 0, NOW + offs[i], NOW + 80000);
        for (int64_t line_us = 100000; line_us < 60000000; line_us += 100000) {
            assert_in_range(map(&clock, line_us, NOW + line_us, NOW + line_us + 80000) - NOW,
                            line_us - 1, line_us + 1);
        }
        assert_int_equal(clock.jumps, 0);
    }
}

static void one_that_is_off_among_many_is_left_out(void **state)
{
    (void)state;
    struct tap_clock clock = {0};
    run(&clock, 0, 60, 0, no_noise);
    assert_in_range(map(&clock, 60000000, NOW + 60070000, NOW + 60080000) - NOW, 59999999,
                    60000001);
    assert_int_equal(clock.jumps, 0);
}

static void sound_does_not_count_as_a_report(void **state)
{
    (void)state;
    struct tap_clock clock = {0};
    struct tap_unit sound = {
        .track = TAP_AUDIO, .camera_us = NOW + 300000, .arrival_us = NOW + 390000};
    map(&clock, 0, NOW, NOW + 80000);
    tap_clock_map(&clock, &sound, 0);
    assert_int_equal(sound.capture_us, NOW + 300000);
    assert_int_equal(map(&clock, 40000, NOW + 40000, NOW + 120000), NOW + 40000);
    assert_int_equal(clock.jumps, 0);
}

static void the_encoders_delay_is_taken_out_at_once(void **state)
{
    (void)state;
    struct tap_clock clock = {.delay_us = 660000};
    int64_t offset = 0;
    assert_int_equal(map(&clock, 0, TAP_NO_TIME, NOW + 50000), NOW + 50000 - 660000);
    assert_int_equal(map(&clock, 0, NOW, NOW + 50000), NOW - 660000);
    /* A camera in 1970: what stands in for its clock is arrival, which the encoder delays too. */
    struct tap_clock far = {.delay_us = 660000};
    assert_int_equal(map(&far, 0, 1000000, NOW), NOW - 660000);
    /* While it plays: no clock was set by that, and none is told to be off. */
    run(&clock, 0, 60, 0, no_noise);
    clock.delay_us = 100000;
    assert_int_equal(map(&clock, 60000000, NOW + 60000000, NOW + 60080000), NOW + 59900000);
    assert_int_equal(clock.jumps, 0);
    assert_true(tap_clock_offset(&clock, &offset));
    assert_in_range(offset + 80000, 0, 30000 + 200 * 60);
    tap_clock_restart(&clock);
    assert_int_equal(map(&clock, 0, NOW, NOW + 50000), NOW - 100000);
}

static void the_offset_before_a_jump_is_kept(void **state)
{
    (void)state;
    struct tap_clock clock = {0};
    int64_t offset = 0;
    assert_false(tap_clock_is_near(&clock));
    run(&clock, 0, 60, 0, no_noise);
    assert_true(tap_clock_is_near(&clock));
    map(&clock, 60000000, NOW + 60000000 + 20000000, NOW + 60080000);
    assert_true(tap_clock_offset(&clock, &offset));
    assert_int_equal(clock.jumps, 1);
    assert_in_range(clock.before_us + 80000 + 12000, 0, 24000);
    assert_int_equal(offset, 20000000 - 80000);
    assert_false(tap_clock_is_near(&clock));
}

static void now_is_by_the_cameras_clock_where_that_is_believed(void **state)
{
    (void)state;
    static const struct {
        int64_t off_us;
        int64_t shift_us;
    } rows[] = {{4000000, 4000000 - 80000},
                {-4000000, -4000000 - 80000},
                {0, 0}, /* the way takes 80 ms */
                {-900000, 0},
                {100000, 20000},
                {11000000, 0},
                {-11000000, 0}};
    struct tap_clock clock = {0};
    assert_int_equal(tap_clock_now_shift(&clock), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        clock = (struct tap_clock){0};
        map(&clock, 0, NOW + rows[i].off_us, NOW + 80000);
        assert_int_equal(tap_clock_now_shift(&clock), rows[i].shift_us);
    }
}

/* Our own clock is set by `set_us` while it plays; the way of the frames takes 80 ms all along. */
static void set_ours(int64_t set_us, bool has_reports)
{
    struct tap_clock clock = {0};
    int64_t offset = 0;
    for (int64_t line_us = 0; line_us < 60000000; line_us += 100000) {
        int64_t ours_us = line_us < 30000000 ? 0 : set_us;
        int64_t camera_us = has_reports ? NOW + line_us : TAP_NO_TIME;
        int64_t is_us = NOW + line_us;
        tap_clock_set_wall(&clock, NOW + ours_us);
        int64_t found = map(&clock, line_us, camera_us, is_us + 80000 + ours_us);
        if (!has_reports || set_us > TAP_CLOCK_TRUST_US || set_us < -TAP_CLOCK_TRUST_US)
            is_us += ours_us;
        if (has_reports && ours_us == 0)
            assert_int_equal(found, NOW + line_us);
        else
            assert_in_range(found, is_us, is_us + 80000);
        if (has_reports) {
            assert_true(tap_clock_offset(&clock, &offset));
            assert_in_range(offset + 80000 + ours_us + 12000, 0, 24000);
        }
    }
    assert_int_equal(clock.jumps, 0);
}

static void our_own_clock_may_be_set(void **state)
{
    (void)state;
    static const int64_t sets[] = {300000, -300000, 3600000000, -3600000000};
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        set_ours(sets[i], false);
        set_ours(sets[i], true);
    }
}

/* It is not the camera's that was set while nobody looked. */
static void our_own_clock_may_be_set_between_two_connections(void **state)
{
    (void)state;
    struct tap_clock clock = {0};
    tap_clock_set_wall(&clock, NOW);
    run(&clock, 0, 60, 0, no_noise);
    tap_clock_restart(&clock);
    tap_clock_set_wall(&clock, NOW + 3000000);
    for (int64_t line_us = 60000000; line_us < 90000000; line_us += 5000000)
        map(&clock, line_us, NOW + line_us, NOW + line_us + 3090000);
    assert_int_equal(clock.jumps, 0);
}

/* Of two reports one may be chance, but not by so much. */
static void soon_after_the_start_only_a_large_jump_counts(void **state)
{
    (void)state;
    static const struct {
        int64_t set_us;
        uint64_t jumps;
    } cases[] = {{3000000, 1}, {-3000000, 1}, {200000, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tap_clock clock = {0};
        map(&clock, 0, NOW, NOW + 80000);
        map(&clock, 5000000, NOW + 5000000, NOW + 5080000);
        map(&clock, 6000000, NOW + 6000000 + cases[i].set_us, NOW + 6080000);
        assert_int_equal(clock.jumps, cases[i].jumps);
    }
}

/* The line begins anew, as after a reconnect, and the camera's clock is `set_us` ahead of before.
 */
static struct tap_clock begun_anew(int64_t set_us, int64_t reports)
{
    struct tap_clock clock = {0};
    run(&clock, 0, 60, 0, no_noise);
    tap_clock_restart(&clock);
    for (int64_t i = 0; i < reports; i++) {
        int64_t line_us = 60000000 + i * 5000000;
        map(&clock, line_us, NOW + line_us + set_us, NOW + line_us + 90000);
    }
    return clock;
}

static void a_clock_that_was_set_while_nobody_looked_is_found_by_the_third_report(void **state)
{
    (void)state;
    struct tap_clock clock = begun_anew(-3000000, 2);
    assert_int_equal(clock.jumps, 0); /* the first one of a session may be anything */
    clock = begun_anew(-3000000, 3);
    assert_int_equal(clock.jumps, 1);
    assert_in_range(clock.before_us + 80000 + 12000, 0, 24000);
    clock = begun_anew(-3000000, 8);
    assert_int_equal(clock.jumps, 1);
    clock = begun_anew(200000, 8); /* the way there may be another one */
    assert_int_equal(clock.jumps, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_reports_the_least_delay_is_believed),
        cmocka_unit_test(a_camera_that_knows_the_time_is_believed_exactly),
        cmocka_unit_test(a_camera_in_1970_is_moved_to_our_time),
        cmocka_unit_test(slow_drift_is_followed),
        cmocka_unit_test(chance_in_reports_is_evened_out),
        cmocka_unit_test(how_far_reports_scatter_is_told),
        cmocka_unit_test(skew_is_followed_without_lag),
        cmocka_unit_test(a_clock_that_is_set_begins_anew),
        cmocka_unit_test(a_first_report_that_is_far_off_does_not_count),
        cmocka_unit_test(one_that_is_off_among_many_is_left_out),
        cmocka_unit_test(sound_does_not_count_as_a_report),
        cmocka_unit_test(the_offset_before_a_jump_is_kept),
        cmocka_unit_test(now_is_by_the_cameras_clock_where_that_is_believed),
        cmocka_unit_test(our_own_clock_may_be_set),
        cmocka_unit_test(our_own_clock_may_be_set_between_two_connections),
        cmocka_unit_test(soon_after_the_start_only_a_large_jump_counts),
        cmocka_unit_test(a_clock_that_was_set_while_nobody_looked_is_found_by_the_third_report),
        cmocka_unit_test(the_encoders_delay_is_taken_out_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
