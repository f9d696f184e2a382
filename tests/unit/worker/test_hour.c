/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two hours of one camera on a fake clock, packets and pictures together: what the tap judges of
 * each frame, what weir-still judges of a keyframe now and then, and what the worker makes of both.
 * In the first everything happens that is well; in the second each fault comes once, is found in
 * its time, alone, and goes.
 */
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/worker/feed.h"
#include "tests/unit/worker/stage.h"
#include "worker/still/scene.h"
#include "worker/worker.h"

#define SECOND_MS 1000
#define MINUTE_MS 60000
#define EVERY_MS  10000
#define GROUP_MS  2000 /* a look shows what was at its beginning */
#define HOLDS_MS  180000
#define BIT(name) (1U << WEIR_FAULT_##name)

struct world {
    struct feed_world feed;
    struct stage stage;
    struct scene scene;
    struct lease lease;
    int64_t look_at_ms;
    int64_t looked_key; /* the number of the keyframe that was looked at last */
    int64_t n_looks;
    bool has_before;
    uint8_t before[WEIR_LUMA_BYTES];
    struct weir_ctl_tap_stats_cameras now; /* as the api shows it */
    unsigned seen;
};

static struct world world;

/* As looks.c does: of a keyframe that was seen already the same is told again, one with a hole is
 * no look. */
static void look(void)
{
    struct scene_look is;
    bool is_new = world.feed.keys != world.looked_key;
    world.look_at_ms = world.feed.now_ms + EVERY_MS;
    if (world.feed.keys == 0 || (is_new && world.feed.key_has_hole))
        return;
    if (is_new) {
        world.looked_key = world.feed.keys;
        world.stage.now_ms = world.feed.now_ms;
        stage_shoot(&world.stage);
        scene_look(world.stage.now, world.has_before ? world.before : NULL, &is);
        scene_judge(&world.scene, &is, world.feed.now_ms);
        memcpy(world.before, world.stage.now, sizeof(world.before));
        world.has_before = true;
        world.n_looks++;
    }
    world.lease.sights = world.scene.faults;
    world.lease.sights_until_ms = world.feed.now_ms + HOLDS_MS;
    if (scene_is_pressing(&world.scene))
        world.look_at_ms = world.feed.now_ms + SCENE_SOON_MS;
}

static void step(void)
{
    feed_tick(&world.feed);
    if (world.feed.now_ms >= world.look_at_ms)
        look();
    world.now = (struct weir_ctl_tap_stats_cameras){
        .has_health = true, .health = world.feed.health.state, .faults = world.feed.health.faults};
    sights_join(&world.lease, world.feed.now_ms, &world.now);
    world.seen |= (unsigned)world.now.faults;
}

static void run(int64_t ms)
{
    for (int64_t end_ms = world.feed.now_ms + ms; world.feed.now_ms < end_ms;)
        step();
}

static void start(void)
{
    memset(&world, 0, sizeof(world));
    feed_start(&world.feed, &feed_calm);
    world.feed.feed.skew_ppm = 60;
    world.stage.show = (struct show){.view = VIEW_ROOM, .light = 100, .noise = 3};
    world.stage.dice = 11;
    world.lease.is_up = true;
}

static void assert_well(const char *when)
{
    if (world.seen != 0 || world.now.health != WEIR_PICTURE_HEALTH_HEALTHY) {
        char faults[WEIR_FAULTS_TEXT_MAX];
        fail_msg("%s: %s, faults \"%s\"", when, weir_picture_health_name(world.now.health),
                 weir_faults_format(world.seen, faults));
    }
}

/* ---- an hour of what is well ---- */

static void rains(void)
{
    world.stage.show.rain = 150;
    world.stage.show.light = 80;
    world.feed.feed.jitter_ms = 120; /* the wireless link does not like it */
    world.feed.feed.pause_ms = 900;
    world.feed.feed.loss_ppm = 500;
    run(10 * MINUTE_MS);
    assert_well("rain");
    for (int rain = 100; rain >= 0; rain -= 25) {
        world.stage.show.rain = rain;
        run(MINUTE_MS);
    }
    world.feed.feed.jitter_ms = 40;
    world.feed.feed.pause_ms = world.feed.feed.loss_ppm = 0;
    run(MINUTE_MS);
    assert_well("the end of the rain");
}

/* Longer shutter, half the frames, longer groups, and ever more noise. */
static void falls_night(void)
{
    for (int light = 80; light >= 12; light -= 4) {
        world.stage.show.light = light;
        world.stage.show.noise = 3 + (80 - light) / 11;
        if (light == 40) {
            world.feed.feed.fps_milli = 12500;
            world.feed.feed.gop_frames = 40;
        }
        run(20 * SECOND_MS);
    }
    run(10 * MINUTE_MS);
    assert_well("night");
}

static void comes_morning(void)
{
    world.stage.show.light = 100; /* somebody switched it on */
    world.stage.show.noise = 2;
    world.feed.feed.fps_milli = 25000;
    world.feed.feed.gop_frames = 50;
    run(5 * MINUTE_MS);
    assert_well("morning");
}

static void is_empty(void)
{
    world.stage.show.has_clock = true;
    world.stage.show.noise = 1;
    world.feed.feed.has_b_frames = true;
    world.feed.feed.gop_frames = 52;
    run(10 * MINUTE_MS);
    world.feed.clock_us += 30000000; /* its clock was set */
    run(5 * MINUTE_MS);
    assert_well("an empty room");
}

static void an_hour_of_what_is_well_raises_no_alarm(void **state)
{
    (void)state;
    start();
    int64_t began_ms = world.feed.now_ms;
    run(5 * MINUTE_MS);
    assert_well("the first minutes");
    rains();
    falls_night();
    comes_morning();
    is_empty();
    world.stage.show = (struct show){.view = VIEW_ROAD, .light = 100, .noise = 2, .coarse = 4};
    run(10 * MINUTE_MS);
    assert_well("a road");
    assert_true(world.feed.now_ms - began_ms >= 60 * MINUTE_MS);
    assert_in_range(world.n_looks, 350, 420); /* it was looked at all the time */
}

/* ---- an hour of faults ---- */

/* Found within `most_ms`, the only one meanwhile and for two minutes more. */
static void assert_found(enum weir_fault fault, int64_t least_ms, int64_t most_ms)
{
    char faults[WEIR_FAULTS_TEXT_MAX];
    int64_t began_ms = world.feed.now_ms;
    world.seen = 0;
    while (world.seen == 0 && world.feed.now_ms - began_ms <= most_ms)
        step();
    int64_t took_ms = world.feed.now_ms - began_ms;
    run(2 * MINUTE_MS);
    if (world.seen != 1U << fault || took_ms < least_ms || took_ms > most_ms) {
        fail_msg("%s: \"%s\" was found, after %lld ms", weir_fault_name(fault),
                 weir_faults_format(world.seen, faults), (long long)took_ms);
    }
}

/* All is well again within `most_ms`, and stays so. */
static void assert_over(int64_t most_ms)
{
    run(most_ms);
    world.seen = (unsigned)world.now.faults;
    run(4 * MINUTE_MS);
    assert_well("after it");
}

static void packets_fail(void)
{
    struct feed *feed = &world.feed.feed;
    feed->is_silent = true;
    assert_found(WEIR_FAULT_STALLED, 1000, 2000);
    assert_int_equal(world.now.health, WEIR_PICTURE_HEALTH_STALLED);
    feed->is_silent = false;
    assert_over(5 * SECOND_MS);
    feed->skips_of_10 = 5;
    assert_found(WEIR_FAULT_LOW_FPS, 10 * SECOND_MS, 20 * SECOND_MS);
    feed->skips_of_10 = 0;
    assert_over(20 * SECOND_MS);
    feed->has_no_keys = true;
    assert_found(WEIR_FAULT_NO_KEYFRAME, 2000, 4600);
    feed->has_no_keys = false;
    assert_over(5 * SECOND_MS);
    feed->loss_ppm = 40000;
    assert_found(WEIR_FAULT_LOSS, 1000, 10 * SECOND_MS);
    feed->loss_ppm = 0;
    assert_over(30 * SECOND_MS);
    feed->skew_ppm = 2500;
    assert_found(WEIR_FAULT_DRIFT, MINUTE_MS, 5 * MINUTE_MS);
    feed->skew_ppm = 60;
    assert_over(15 * MINUTE_MS);
}

/* A camera whose groups are longer while nothing moves is not well once: then that is how it is. */
static void groups_grow(void)
{
    struct feed *feed = &world.feed.feed;
    feed->other_gop_frames = 250;
    assert_found(WEIR_FAULT_NO_KEYFRAME, 2000, 8000);
    world.seen = (unsigned)world.now.faults;
    run(10 * MINUTE_MS);
    assert_well("groups of two lengths");
    feed->other_gop_frames = 0;
}

static void parameters_change(void)
{
    world.seen = 0;
    tap_health_params(&world.feed.health, world.feed.now_ms);
    run(SECOND_MS);
    assert_int_equal(world.seen, BIT(PARAMETERS));
    assert_over(11 * SECOND_MS);
}

static void pictures_fail(void)
{
    const struct show room = world.stage.show;
    world.stage.show.is_held = true;
    assert_found(WEIR_FAULT_FROZEN, 1000, 30 * SECOND_MS + GROUP_MS);
    world.stage.show.is_held = false;
    assert_over(30 * SECOND_MS);
    world.stage.show = (struct show){.view = VIEW_NOTHING, .noise = 3};
    assert_found(WEIR_FAULT_BLACK, 1000, 30 * SECOND_MS + GROUP_MS);
    world.stage.show = room;
    assert_over(30 * SECOND_MS);
    world.stage.show = (struct show){.view = VIEW_HAND, .noise = 3};
    assert_found(WEIR_FAULT_COVERED, 1000, 30 * SECOND_MS + GROUP_MS);
    assert_int_equal(world.now.health, WEIR_PICTURE_HEALTH_DEGRADED);
    world.stage.show = room;
    assert_over(30 * SECOND_MS);
}

static void each_fault_of_an_hour_is_found_in_its_time_and_alone(void **state)
{
    (void)state;
    start();
    int64_t began_ms = world.feed.now_ms;
    run(5 * MINUTE_MS);
    assert_well("before");
    packets_fail();
    groups_grow();
    parameters_change();
    pictures_fail();
    assert_true(world.feed.now_ms - began_ms >= 60 * MINUTE_MS);
}

/* Two at once: a camera that shows black, and loses packets. */
static void what_packets_and_pictures_say_is_told_together(void **state)
{
    (void)state;
    start();
    run(5 * MINUTE_MS);
    world.stage.show = (struct show){.view = VIEW_NOTHING, .noise = 3};
    world.feed.feed.skips_of_10 = 5;
    run(MINUTE_MS);
    assert_int_equal(world.now.faults, BIT(BLACK) | BIT(LOW_FPS));
    assert_int_equal(world.now.health, WEIR_PICTURE_HEALTH_DEGRADED);
    assert_int_equal(world.seen, BIT(BLACK) | BIT(LOW_FPS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_hour_of_what_is_well_raises_no_alarm),
        cmocka_unit_test(each_fault_of_an_hour_is_found_in_its_time_and_alone),
        cmocka_unit_test(what_packets_and_pictures_say_is_told_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
