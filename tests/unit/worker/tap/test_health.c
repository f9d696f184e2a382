/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts of a camera on a fake clock: an hour passes in a moment. */
#include "worker/tap/health.h"

#include "tests/unit/check.h"
#include "tests/unit/worker/feed.h"
#include "worker/tap/media.h"

#define MINUTE_MS 60000
#define HOUR_MS   (60 * MINUTE_MS)

struct world {
    struct feed_world feed;
    unsigned seen; /* faults that were there at some time */
    int64_t first_ms[WEIR_FAULT_N];
};

static void start(struct world *world, const struct feed *feed)
{
    *world = (struct world){.seen = 0};
    feed_start(&world->feed, feed);
}

static void run(struct world *world, int64_t ms)
{
    int64_t end_ms = world->feed.now_ms + ms;
    while (world->feed.now_ms < end_ms) {
        feed_tick(&world->feed);
        for (int i = 0; i < WEIR_FAULT_N; i++) {
            if (tap_health_has(&world->feed.health, (enum weir_fault)i) &&
                (world->seen >> i & 1U) == 0)
                world->first_ms[i] = world->feed.now_ms;
        }
        world->seen |= world->feed.health.faults;
    }
}

/* How long until the fault is told; fails when another one comes with it, but for `beside`. */
static int64_t found_after(struct world *world, enum weir_fault fault, unsigned beside,
                           int64_t most_ms)
{
    int64_t began_ms = world->feed.now_ms;
    assert_int_equal(world->seen, 0);
    run(world, most_ms);
    assert_int_equal(world->seen & ~beside, 1U << fault);
    return world->first_ms[fault] - began_ms;
}

static void assert_healthy(const struct world *world)
{
    assert_int_equal(world->seen, 0);
    assert_int_equal(world->feed.health.state, WEIR_PICTURE_HEALTH_HEALTHY);
}

static void reconnect(struct world *world)
{
    tap_health_down(&world->feed.health, world->feed.now_ms);
    tap_health_up(&world->feed.health, world->feed.now_ms);
    world->feed.packets = world->feed.lost = 0;
}

/* ---- nothing is wrong ---- */

static void an_hour_of_a_good_camera_raises_no_alarm(void **state)
{
    (void)state;
    struct world world;
    struct feed scene = feed_calm;
    scene.jitter_ms = 120;
    scene.pause_ms = 900; /* a wireless link now and then */
    scene.loss_ppm = 500;
    scene.skew_ppm = 80; /* a usual crystal */
    start(&world, &scene);
    run(&world, HOUR_MS);
    assert_healthy(&world);
    assert_in_range(world.feed.health.nominal_milli, 24500, 25500);
}

static void dusk_night_and_dawn_raise_no_alarm(void **state)
{
    (void)state;
    struct world world;
    struct feed scene = feed_calm;
    scene.skew_ppm = -60;
    start(&world, &scene);
    run(&world, 15 * MINUTE_MS);
    world.feed.feed.fps_milli = 12500; /* a longer shutter */
    world.feed.feed.gop_frames = 40;   /* and longer groups */
    run(&world, 30 * MINUTE_MS);
    world.feed.feed = scene;
    run(&world, 15 * MINUTE_MS);
    assert_healthy(&world);
}

static void slow_fast_and_reordering_cameras_raise_no_alarm(void **state)
{
    (void)state;
    static const struct feed scenes[] = {
        {.fps_milli = 1000, .gop_frames = 4, .jitter_ms = 200},
        {.fps_milli = 60000, .gop_frames = 120, .jitter_ms = 30, .skew_ppm = 50},
        {.fps_milli = 25000, .gop_frames = 52, .jitter_ms = 60, .has_b_frames = true},
        {.fps_milli = 29970, .gop_frames = 300, .jitter_ms = 60, .skew_ppm = -100},
    };
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        struct world world;
        start(&world, &scenes[i]);
        /* Of a long group nothing is known before its end. */
        run(&world, 20 * MINUTE_MS);
        assert_healthy(&world);
    }
}

/* ---- each fault in its time ---- */

static void silence_is_told_within_two_seconds_and_forgiven_in_a_few(void **state)
{
    (void)state;
    struct world world;
    start(&world, &feed_calm);
    run(&world, MINUTE_MS);
    world.feed.feed.is_silent = true;
    assert_in_range(found_after(&world, WEIR_FAULT_STALLED, 0, 4000), 1000, 2000);
    assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_STALLED);
    world.feed.feed.is_silent = false;
    run(&world, 5000);
    assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_HEALTHY);
    run(&world, MINUTE_MS);
    assert_int_equal(world.seen, 1U << WEIR_FAULT_STALLED);
    assert_int_equal(world.feed.health.counts[WEIR_FAULT_STALLED], 1);
}

static void missing_frames_are_told_within_twenty_seconds(void **state)
{
    (void)state;
    struct world world;
    start(&world, &feed_calm);
    run(&world, MINUTE_MS);
    world.feed.feed.skips_of_10 = 5;
    assert_in_range(found_after(&world, WEIR_FAULT_LOW_FPS, 0, 30000), 10000, 20000);
    assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_DEGRADED);
    world.feed.feed.skips_of_10 = 0;
    run(&world, 20000);
    assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_HEALTHY);
}

static void a_fifth_of_the_rate_is_low_however_even(void **state)
{
    (void)state;
    struct world world;
    start(&world, &feed_calm);
    run(&world, MINUTE_MS);
    world.feed.feed.fps_milli = 5000;
    world.feed.feed.gop_frames = 10;
    assert_in_range(found_after(&world, WEIR_FAULT_LOW_FPS, 0, 30000), 10000, 21000);
}

static void a_lower_rate_that_lasts_is_the_usual_one(void **state)
{
    (void)state;
    struct world world;
    start(&world, &feed_calm);
    run(&world, MINUTE_MS);
    world.feed.feed.fps_milli = 5000;
    world.feed.feed.gop_frames = 10;
    run(&world, 10 * MINUTE_MS);
    assert_int_equal(world.feed.health.faults, 1U << WEIR_FAULT_LOW_FPS);
    run(&world, 6 * MINUTE_MS);
    world.seen = 0;
    run(&world, MINUTE_MS);
    assert_healthy(&world);
    assert_in_range(world.feed.health.nominal_milli, 4900, 5100);
    world.feed.feed = feed_calm;
    run(&world, MINUTE_MS);
    assert_in_range(world.feed.health.nominal_milli, 24500, 25500);
    assert_healthy(&world);
}

static void another_connection_knows_the_rate_and_other_parameters_begin_anew(void **state)
{
    (void)state;
    struct world world;
    start(&world, &feed_calm);
    run(&world, MINUTE_MS);
    reconnect(&world);
    world.feed.feed.skips_of_10 = 5; /* from its first frame */
    assert_in_range(found_after(&world, WEIR_FAULT_LOW_FPS, 0, 30000), 10000, 30000);
    world.feed.feed = feed_calm;
    world.feed.feed.fps_milli = 8000; /* somebody set it */
    world.feed.feed.gop_frames = 16;
    tap_health_params(&world.feed.health, world.feed.now_ms);
    world.seen = 0;
    run(&world, 10 * MINUTE_MS);
    assert_int_equal(world.seen, 1U << WEIR_FAULT_PARAMETERS);
    assert_in_range(world.feed.health.nominal_milli, 7900, 8100);
}

static void more_frames_than_there_should_be_are_told_within_thirty_seconds(void **state)
{
    (void)state;
    static const struct feed scenes[] = {
        {.fps_milli = 500000, .gop_frames = 500, .jitter_ms = 5},
        {.fps_milli = 25000, .gop_frames = 50, .jitter_ms = 20, .pace_pct = 150},
    };
    struct world world;
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        unsigned drift = i == 0 ? 0 : 1U << WEIR_FAULT_DRIFT;
        start(&world, &scenes[i]);
        assert_in_range(found_after(&world, WEIR_FAULT_OVERSPEED, drift, 30000), 10000, 25000);
        assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_DEGRADED);
        world.feed.feed = feed_calm;
        run(&world, 16000);
        assert_false(tap_health_has(&world.feed.health, WEIR_FAULT_OVERSPEED));
    }
}

static void many_frames_and_more_than_before_are_no_overspeed(void **state)
{
    (void)state;
    struct world world;
    start(&world, &(struct feed){.fps_milli = 120000, .gop_frames = 240, .jitter_ms = 5});
    run(&world, 20 * MINUTE_MS);
    assert_healthy(&world);
    start(&world, &(struct feed){.fps_milli = 5000, .gop_frames = 10, .jitter_ms = 5});
    run(&world, 20 * MINUTE_MS);
    world.feed.feed = feed_calm;
    run(&world, 20 * MINUTE_MS);
    assert_healthy(&world);
}

static void keyframes_that_do_not_come_are_told_after_two_groups(void **state)
{
    (void)state;
    struct world world;
    start(&world, &feed_calm);
    run(&world, MINUTE_MS);
    world.feed.feed.has_no_keys = true;
    assert_in_range(found_after(&world, WEIR_FAULT_NO_KEYFRAME, 0, 10000), 2000, 4600);
    world.feed.feed.has_no_keys = false;
    run(&world, 5000); /* two of them */
    assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_HEALTHY);
}

static void groups_of_two_lengths_are_told_once(void **state)
{
    (void)state;
    struct world world;
    start(&world, &feed_calm);
    run(&world, MINUTE_MS);
    world.feed.feed.other_gop_frames = 250;
    assert_in_range(found_after(&world, WEIR_FAULT_NO_KEYFRAME, 0, 30000), 2000, 8000);
    run(&world, HOUR_MS);
    reconnect(&world);
    world.seen = 0;
    run(&world, HOUR_MS);
    assert_healthy(&world);
    assert_int_equal(world.feed.health.counts[WEIR_FAULT_NO_KEYFRAME], 1);
    assert_in_range(tap_health_group_ms(&world.feed.health), 9500, 10500);
    /* For hours it has groups of one length again. */
    world.feed.feed.other_gop_frames = 0;
    run(&world, 3 * HOUR_MS);
    assert_in_range(tap_health_group_ms(&world.feed.health), 1900, 2500);
    assert_healthy(&world);
}

static void one_gap_of_minutes_is_not_usual_but_a_group_of_minutes_may_be(void **state)
{
    (void)state;
    struct world world;
    start(&world, &feed_calm);
    run(&world, MINUTE_MS);
    world.feed.feed.has_no_keys = true;
    run(&world, 3 * MINUTE_MS);
    world.feed.feed.has_no_keys = false;
    run(&world, MINUTE_MS);
    assert_in_range(tap_health_group_ms(&world.feed.health), 1900, 2500);
    world.feed.feed.gop_frames = 3000; /* of two minutes */
    run(&world, 10 * MINUTE_MS);
    assert_in_range(tap_health_group_ms(&world.feed.health), 119000, 121000);
    reconnect(&world);
    world.seen = 0;
    run(&world, 10 * MINUTE_MS);
    assert_healthy(&world);
    tap_health_forget(&world.feed.health);
    assert_int_equal(tap_health_group_ms(&world.feed.health), 0);
}

static void loss_is_told_above_one_percent_only(void **state)
{
    (void)state;
    struct world world;
    struct feed scene = feed_calm;
    scene.loss_ppm = 4000;
    start(&world, &scene);
    run(&world, 20 * MINUTE_MS);
    assert_healthy(&world);
    world.feed.feed.loss_ppm = 40000;
    assert_in_range(found_after(&world, WEIR_FAULT_LOSS, 0, 15000), 1000, 10000);
    world.feed.feed.loss_ppm = 0;
    run(&world, 30000);
    assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_HEALTHY);
}

static void a_clock_that_runs_off_is_told_and_one_that_steps_is_not(void **state)
{
    (void)state;
    static const int64_t skews[] = {300, -300, 2500, -2500};
    struct world world;
    for (size_t i = 0; i < sizeof(skews) / sizeof(skews[0]); i++) {
        struct feed scene = feed_calm;
        scene.skew_ppm = skews[i];
        start(&world, &scene);
        bool is_fast = skews[i] > 1000 || skews[i] < -1000;
        int64_t took_ms = found_after(&world, WEIR_FAULT_DRIFT, 0, 15 * MINUTE_MS);
        assert_in_range(took_ms, MINUTE_MS, (is_fast ? 5 : 10) * MINUTE_MS);
        world.feed.feed.skew_ppm = 0;
        run(&world, 15 * MINUTE_MS);
        assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_HEALTHY);
    }
    start(&world, &feed_calm);
    run(&world, 10 * MINUTE_MS);
    world.feed.clock_us += 30000000; /* it was set */
    run(&world, 10 * MINUTE_MS);
    assert_healthy(&world);
}

static void changed_parameters_are_told_for_a_while(void **state)
{
    (void)state;
    struct world world;
    start(&world, &feed_calm);
    run(&world, MINUTE_MS);
    tap_health_params(&world.feed.health, world.feed.now_ms);
    assert_in_range(found_after(&world, WEIR_FAULT_PARAMETERS, 0, 5000), 0, 500);
    run(&world, 10000);
    assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_HEALTHY);
}

static void a_connection_begins_anew_and_counts_go_on(void **state)
{
    (void)state;
    struct world world;
    start(&world, &feed_calm);
    run(&world, MINUTE_MS);
    world.feed.feed.is_silent = true;
    run(&world, 4000);
    tap_health_down(&world.feed.health, world.feed.now_ms);
    assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_DOWN);
    assert_int_equal(world.feed.health.faults, 0);
    assert_false(tap_health_tick(&world.feed.health, 0, 0, world.feed.now_ms + 250));
    tap_health_up(&world.feed.health, world.feed.now_ms);
    assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_STARTING);
    world.feed.feed.is_silent = false;
    world.feed.packets = world.feed.lost = 0;
    run(&world, 29000);
    assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_STARTING);
    run(&world, 2000);
    assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_HEALTHY);
    reconnect(&world);
    run(&world, 2000); /* the one before was well */
    assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_HEALTHY);
    assert_int_equal(world.feed.health.counts[WEIR_FAULT_STALLED], 1);
}

static void one_that_hangs_after_every_connect_is_never_well(void **state)
{
    (void)state;
    struct world world;
    start(&world, &feed_calm);
    run(&world, MINUTE_MS);
    for (int i = 0; i < 10; i++) {
        world.feed.feed.is_silent = true;
        run(&world, MINUTE_MS);
        assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_STALLED);
        reconnect(&world);
        world.feed.feed.is_silent = false;
        for (int64_t end_ms = world.feed.now_ms + 10000; world.feed.now_ms < end_ms;) {
            feed_tick(&world.feed);
            assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_STARTING);
        }
    }
    world.feed.feed.is_silent = true;
    run(&world, 5000);
    world.feed.feed.is_silent = false; /* by itself */
    run(&world, 20000);
    assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_STARTING);
    run(&world, 20000);
    assert_int_equal(world.feed.health.state, WEIR_PICTURE_HEALTH_HEALTHY);
}

static void times_that_make_no_sense_do_no_harm(void **state)
{
    (void)state;
    struct tap_health health = {0};
    uint32_t dice = 3;
    tap_health_up(&health, 0);
    for (int64_t now_ms = 0; now_ms < 10 * MINUTE_MS; now_ms += 20) {
        dice = dice * 1664525U + 1013904223U;
        int64_t pts = (int64_t)dice << (dice % 30);
        pts = dice % 7 == 0 ? TAP_NO_TIME : dice % 5 == 0 ? -pts : pts;
        tap_health_frame(&health, pts, dice % 11 == 0, now_ms);
        tap_health_tick(&health, dice % 1000, dice % 77, now_ms);
        assert_true(health.faults < 1U << WEIR_FAULT_N);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_hour_of_a_good_camera_raises_no_alarm),
        cmocka_unit_test(dusk_night_and_dawn_raise_no_alarm),
        cmocka_unit_test(slow_fast_and_reordering_cameras_raise_no_alarm),
        cmocka_unit_test(silence_is_told_within_two_seconds_and_forgiven_in_a_few),
        cmocka_unit_test(missing_frames_are_told_within_twenty_seconds),
        cmocka_unit_test(a_fifth_of_the_rate_is_low_however_even),
        cmocka_unit_test(a_lower_rate_that_lasts_is_the_usual_one),
        cmocka_unit_test(another_connection_knows_the_rate_and_other_parameters_begin_anew),
        cmocka_unit_test(more_frames_than_there_should_be_are_told_within_thirty_seconds),
        cmocka_unit_test(many_frames_and_more_than_before_are_no_overspeed),
        cmocka_unit_test(keyframes_that_do_not_come_are_told_after_two_groups),
        cmocka_unit_test(groups_of_two_lengths_are_told_once),
        cmocka_unit_test(one_gap_of_minutes_is_not_usual_but_a_group_of_minutes_may_be),
        cmocka_unit_test(loss_is_told_above_one_percent_only),
        cmocka_unit_test(a_clock_that_runs_off_is_told_and_one_that_steps_is_not),
        cmocka_unit_test(changed_parameters_are_told_for_a_while),
        cmocka_unit_test(a_connection_begins_anew_and_counts_go_on),
        cmocka_unit_test(one_that_hangs_after_every_connect_is_never_well),
        cmocka_unit_test(times_that_make_no_sense_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
