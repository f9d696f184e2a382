/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts of what cameras show, on a fake clock: an hour of looks passes in a moment. */
#include "worker/still/scene.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/worker/stage.h"

#define EVERY_MS 10000
#define HOUR_MS  3600000
#define FROZEN   (1U << WEIR_FAULT_FROZEN)
#define BLACK    (1U << WEIR_FAULT_BLACK)
#define COVERED  (1U << WEIR_FAULT_COVERED)

struct world {
    struct scene scene;
    struct stage stage;
    bool has_before;
    unsigned seen;
    uint8_t before[WEIR_LUMA_BYTES];
};

static void start(struct world *world, const struct show *show)
{
    memset(world, 0, sizeof(*world));
    world->stage.show = *show;
    world->stage.now_ms = 5000000;
    world->stage.dice = 11;
}

static void look(struct world *world)
{
    struct scene_look is;
    stage_shoot(&world->stage);
    scene_look(world->stage.now, world->has_before ? world->before : NULL, &is);
    scene_judge(&world->scene, &is, world->stage.now_ms);
    memcpy(world->before, world->stage.now, sizeof(world->before));
    world->has_before = true;
    world->seen |= world->scene.faults;
    world->stage.now_ms += scene_is_pressing(&world->scene) ? SCENE_SOON_MS : EVERY_MS;
}

static void watch(struct world *world, int64_t for_ms)
{
    int64_t until_ms = world->stage.now_ms + for_ms;
    while (world->stage.now_ms < until_ms) {
        look(world);
    }
}

/* How long after now it is found; the fault began just behind the last look. */
static int64_t found_after(struct world *world, unsigned fault)
{
    int64_t began_ms = world->has_before ? world->scene.looked_ms : world->stage.now_ms;
    while (world->stage.now_ms < began_ms + HOUR_MS && (world->scene.faults & fault) == 0) {
        look(world);
    }
    assert_int_equal(world->scene.faults, fault);
    return world->scene.looked_ms - began_ms;
}

static int64_t gone_after(struct world *world)
{
    int64_t began_ms = world->scene.looked_ms;
    while (world->stage.now_ms < began_ms + HOUR_MS && world->scene.faults != 0) {
        look(world);
    }
    assert_int_equal(world->scene.faults, 0);
    return world->scene.looked_ms - began_ms;
}

static struct world the_world;
static const struct show room = {.view = VIEW_ROOM, .light = 100, .noise = 3};

/* ---- what is well ---- */

static void check_hour(const struct show *show)
{
    struct world *world = &the_world;
    start(world, show);
    watch(world, HOUR_MS);
    assert_int_equal(world->seen, 0);
    assert_int_equal(world->scene.n_looks, HOUR_MS / EVERY_MS);
}

static void an_empty_room_is_well(void **state)
{
    (void)state;
    check_hour(&room);
    check_hour(&(struct show){.view = VIEW_ROOM, .light = 100, .noise = 1});
    check_hour(&(struct show){.view = VIEW_ROOM, .light = 100, .noise = 3, .has_clock = true});
}

static void a_night_full_of_noise_is_well(void **state)
{
    (void)state;
    check_hour(&(struct show){.view = VIEW_ROOM, .light = 12, .noise = 9});
    check_hour(&(struct show){.view = VIEW_ROOM, .light = 5, .noise = 4});
}

static void rain_is_well(void **state)
{
    (void)state;
    check_hour(&(struct show){.view = VIEW_ROOM, .light = 80, .noise = 3, .rain = 150});
}

static void an_encoder_of_constant_bitrate_is_well(void **state)
{
    (void)state;
    check_hour(&(struct show){.view = VIEW_ROOM, .light = 100, .noise = 3, .coarse = 5});
}

static void a_road_is_well(void **state)
{
    (void)state;
    check_hour(&(struct show){.view = VIEW_ROAD, .light = 100, .noise = 2});
}

static void a_test_picture_without_noise_is_well(void **state)
{
    (void)state;
    check_hour(&(struct show){.view = VIEW_BALL});
}

static void dusk_and_dawn_are_well(void **state)
{
    (void)state;
    struct world *world = &the_world;
    start(world, &room);
    for (int step = 0; step <= 170; step++) {
        int down = step < 85 ? step : 170 - step;
        world->stage.show.light = 100 - down;
        world->stage.show.noise = 2 + down / 12;
        watch(world, HOUR_MS / 170);
    }
    assert_int_equal(world->seen, 0);
}

static void a_light_that_is_switched_is_well(void **state)
{
    (void)state;
    struct world *world = &the_world;
    start(world, &(struct show){.view = VIEW_ROOM, .light = 30, .noise = 9});
    for (int i = 0; i < 12; i++) {
        world->stage.show.light = i % 2 != 0 ? 110 : 30;
        world->stage.show.noise = i % 2 != 0 ? 1 : 9; /* its noise is a ninth with the light on */
        watch(world, HOUR_MS / 12);
    }
    assert_int_equal(world->seen, 0);
}

static void a_camera_that_turns_and_rests_is_well(void **state)
{
    (void)state;
    struct world *world = &the_world;
    start(world, &room);
    for (int i = 0; i < 12; i++) {
        for (int turns = 0; turns < 15; turns++) {
            world->stage.show.turn += 37;
            look(world);
        }
        watch(world, HOUR_MS / 24);
    }
    assert_int_equal(world->seen, 0);
}

static void rain_that_ends_is_well(void **state)
{
    (void)state;
    struct world *world = &the_world;
    start(world, &room);
    for (int i = 0; i < 30; i++) { /* it takes two minutes to end */
        int phase = i % 10;
        world->stage.show.rain = phase < 4 ? 100 : phase < 8 ? 100 - 25 * (phase - 4) : 0;
        watch(world, HOUR_MS / 30);
    }
    assert_int_equal(world->seen, 0);
}

/* The one alarm that cannot be told from a freeze at first: it is short, and does not come again.
 */
static void a_fountain_that_is_switched_off_alarms_once_for_minutes(void **state)
{
    (void)state;
    struct world *world = &the_world;
    start(world, &(struct show){.view = VIEW_ROOM, .light = 100, .noise = 14});
    watch(world, HOUR_MS / 12);
    world->stage.show.noise = 2;
    found_after(world, FROZEN);
    assert_in_range(gone_after(world), 1, SCENE_LIVES * EVERY_MS);
    for (int i = 0; i < 4; i++) {
        world->seen = 0;
        world->stage.show.noise = i % 2 == 0 ? 14 : 2;
        watch(world, HOUR_MS / 8);
        assert_int_equal(world->seen, 0);
    }
    world->stage.show.is_held = true;
    assert_in_range(found_after(world, FROZEN), 1, 30000);
}

/* ---- faults ---- */

static void a_frozen_picture_is_found_in_thirty_seconds(void **state)
{
    (void)state;
    struct world *world = &the_world;
    const struct show shows[] = {room,
                                 {.view = VIEW_ROAD, .light = 100, .noise = 2},
                                 {.view = VIEW_ROOM, .light = 12, .noise = 9},
                                 {.view = VIEW_ROOM, .light = 80, .noise = 3, .rain = 150},
                                 {.view = VIEW_ROOM, .light = 100, .noise = 3, .has_clock = true}};
    for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]); i++) {
        start(world, &shows[i]);
        watch(world, HOUR_MS / 12);
        assert_int_equal(world->seen, 0);
        world->stage.show.is_held = true;
        world->stage.now_ms -= 10; /* the next look is the first of the frozen picture */
        assert_in_range(found_after(world, FROZEN), 1, 30000);
        watch(world, HOUR_MS / 12);
        assert_int_equal(world->scene.faults, FROZEN);
        world->stage.show.is_held = false;
        assert_in_range(gone_after(world), 1, 20000);
    }
}

static void a_frozen_picture_that_is_encoded_anew_is_found(void **state)
{
    (void)state;
    struct world *world = &the_world;
    /* What is measured of an encoder: 0.9 to 1.4 with noise, then 1.04, 0.38, 0.23 (thousandths).
     */
    const int64_t rests[] = {1040, 380, 230, 150, 120};
    struct scene_look is;
    start(world, &room);
    stage_shoot(&world->stage);
    scene_look(world->stage.now, world->stage.now, &is);
    for (int i = 0; i < 60; i++) {
        is.changed = is.rest = 900 + (int64_t)(stage_roll(&world->stage) % 500);
        scene_judge(&world->scene, &is, world->stage.now_ms += EVERY_MS);
    }
    int64_t began_ms = world->stage.now_ms;
    for (int i = 0; i < 5 && world->scene.faults == 0; i++) {
        world->stage.now_ms += scene_is_pressing(&world->scene) ? SCENE_SOON_MS : EVERY_MS;
        is.changed = is.rest = rests[i];
        scene_judge(&world->scene, &is, world->stage.now_ms);
    }
    assert_int_equal(world->scene.faults, FROZEN);
    assert_in_range(world->stage.now_ms - began_ms, 1, 30000);
}

static void a_camera_that_was_frozen_before_is_found_in_minutes(void **state)
{
    (void)state;
    struct world *world = &the_world;
    start(world, &room);
    stage_shoot(&world->stage);
    world->stage.show.is_held = true;
    assert_in_range(found_after(world, FROZEN), 120000, 150000);
}

static void black_is_found_with_noise_and_without(void **state)
{
    (void)state;
    struct world *world = &the_world;
    for (int noise = 0; noise <= 6; noise += 3) {
        start(world, &room);
        watch(world, HOUR_MS / 12);
        world->stage.show =
            (struct show){.view = VIEW_NOTHING, .noise = noise, .has_clock = noise == 3};
        assert_in_range(found_after(world, BLACK), 1, 20000);
        watch(world, HOUR_MS / 12);
        assert_int_equal(world->scene.faults, BLACK);
        world->stage.show = room;
        assert_in_range(gone_after(world), 1, 20000);
        watch(world, HOUR_MS / 12);
        assert_int_equal(world->scene.faults, 0);
    }
}

static void a_camera_that_was_black_before_is_found(void **state)
{
    (void)state;
    struct world *world = &the_world;
    start(world, &(struct show){.view = VIEW_NOTHING, .noise = 5});
    assert_in_range(found_after(world, BLACK), 0, 30000);
}

static void a_covered_lens_is_found(void **state)
{
    (void)state;
    struct world *world = &the_world;
    for (int noise = 1; noise <= 7; noise += 3) {
        start(world, &room);
        watch(world, HOUR_MS / 12);
        world->stage.show = (struct show){.view = VIEW_HAND, .noise = noise};
        assert_in_range(found_after(world, COVERED), 1, 30000);
        watch(world, HOUR_MS / 8);
        assert_int_equal(world->scene.faults, COVERED);
        world->stage.show = room;
        assert_in_range(gone_after(world), 1, 20000);
        watch(world, HOUR_MS / 12);
        assert_int_equal(world->scene.faults, 0);
    }
}

/* Another process looks from now on. */
static void restart(struct world *world)
{
    int64_t noise = scene_noise(&world->scene, world->stage.now_ms);
    scene_resume(&world->scene, world->scene.faults, noise);
    world->has_before = false;
    world->seen = 0;
}

static void a_fault_that_stands_outlives_who_found_it(void **state)
{
    (void)state;
    struct world *world = &the_world;
    struct show held = room;
    held.is_held = true;
    held.coarse = 4;
    struct show written = {.view = VIEW_NOTHING, .noise = 3, .has_clock = true};
    const struct {
        struct show show;
        unsigned fault;
    } cases[] = {{{.view = VIEW_HAND, .noise = 3}, COVERED},
                 {{.view = VIEW_NOTHING, .noise = 3}, BLACK},
                 {written, BLACK},
                 {held, FROZEN}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int is_over = 0; is_over < 2; is_over++) {
            start(world, &room);
            world->stage.show.coarse = held.coarse;
            watch(world, HOUR_MS / 6);
            world->stage.show = cases[i].show;
            found_after(world, cases[i].fault);
            watch(world, HOUR_MS / 60);
            restart(world);
            if (is_over == 0) {
                watch(world, HOUR_MS / 8);
                assert_int_equal(world->scene.faults, cases[i].fault);
                assert_int_equal(world->seen, cases[i].fault);
            }
            world->stage.show = room;
            look(world);
            gone_after(world);
            watch(world, HOUR_MS / 6);
            assert_int_equal(world->scene.faults, 0);
        }
    }
}

static void two_strange_looks_are_no_fault(void **state)
{
    (void)state;
    struct world *world = &the_world;
    start(world, &room);
    watch(world, HOUR_MS / 10);
    for (int i = 0; i < 30; i++) {
        const struct show strange[] = {{.view = VIEW_HAND, .noise = 3}, {.view = VIEW_NOTHING}};
        world->stage.show = i % 3 == 2 ? room : strange[i / 3 % 2];
        world->stage.show.is_held = i % 3 == 1;
        look(world);
    }
    assert_int_equal(world->seen, 0);
}

static void looks_far_apart_begin_anew(void **state)
{
    (void)state;
    struct world *world = &the_world;
    start(world, &room);
    watch(world, HOUR_MS / 10);
    world->stage.show.is_held = true;
    found_after(world, FROZEN);
    world->stage.now_ms += SCENE_STALE_MS;
    look(world);
    assert_int_equal(world->scene.faults, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_room_is_well),
        cmocka_unit_test(a_night_full_of_noise_is_well),
        cmocka_unit_test(rain_is_well),
        cmocka_unit_test(an_encoder_of_constant_bitrate_is_well),
        cmocka_unit_test(a_road_is_well),
        cmocka_unit_test(a_test_picture_without_noise_is_well),
        cmocka_unit_test(dusk_and_dawn_are_well),
        cmocka_unit_test(a_light_that_is_switched_is_well),
        cmocka_unit_test(a_camera_that_turns_and_rests_is_well),
        cmocka_unit_test(rain_that_ends_is_well),
        cmocka_unit_test(a_fountain_that_is_switched_off_alarms_once_for_minutes),
        cmocka_unit_test(a_frozen_picture_is_found_in_thirty_seconds),
        cmocka_unit_test(a_frozen_picture_that_is_encoded_anew_is_found),
        cmocka_unit_test(a_camera_that_was_frozen_before_is_found_in_minutes),
        cmocka_unit_test(black_is_found_with_noise_and_without),
        cmocka_unit_test(a_camera_that_was_black_before_is_found),
        cmocka_unit_test(a_covered_lens_is_found),
        cmocka_unit_test(a_fault_that_stands_outlives_who_found_it),
        cmocka_unit_test(two_strange_looks_are_no_fault),
        cmocka_unit_test(looks_far_apart_begin_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
