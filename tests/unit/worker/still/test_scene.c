/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts of what cameras show, on a fake clock: an hour of looks passes in a moment. */
#include "worker/still/scene.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

#define EVERY_MS 10000
#define HOUR_MS  3600000
#define FROZEN   (1U << WEIR_FAULT_FROZEN)
#define BLACK    (1U << WEIR_FAULT_BLACK)
#define COVERED  (1U << WEIR_FAULT_COVERED)

enum view { VIEW_ROOM, VIEW_ROAD, VIEW_HAND, VIEW_NOTHING, VIEW_BALL };

/* What the camera shows. */
struct show {
    enum view view;
    int light;    /* per cent of the room's brightness */
    int noise;    /* of the sensor, levels */
    int rain;     /* streaks, thousandths of all pixels */
    int turn;     /* the camera looks that many pixels further to the right */
    int coarse;   /* the encoder's steps, levels, at most; it is never the same for long */
    bool is_held; /* the sensor's picture stands still */
    bool has_clock;
};

struct world {
    struct scene scene;
    struct show show;
    int64_t now_ms;
    uint32_t dice;
    bool has_before;
    unsigned seen;
    uint8_t held[WEIR_LUMA_BYTES]; /* what the sensor gave last */
    uint8_t now[WEIR_LUMA_BYTES];
    uint8_t before[WEIR_LUMA_BYTES];
};

static uint32_t roll(struct world *world)
{
    world->dice = world->dice * 1664525U + 1013904223U;
    return world->dice >> 8;
}

#define POOL   (1U << 17)
#define SPREAD 37 /* of what the pool holds */

/* About normal; four dice in one. Made once, for an hour has twenty million pixels. */
static const int8_t *noise_pool(struct world *world)
{
    static int8_t pool[POOL];
    static bool is_made;
    for (size_t i = 0; !is_made && i < POOL; i++) {
        uint32_t dice = roll(world);
        pool[i] = (int8_t)((int)(dice & 63) + (int)(dice >> 6 & 63) + (int)(dice >> 12 & 63) +
                           (int)(dice >> 18 & 63) - 126);
    }
    is_made = true;
    return pool + roll(world) % (POOL - WEIR_LUMA_BYTES);
}

/* A wall, a door, shelves and a window: edges, slopes and plain parts. */
static int draw_room_at(int x, int y)
{
    int level = 90 + x / 8 - y / 6;
    level = x > 40 && x < 90 && y > 50 ? 45 + y / 10 : level;
    level = x > 200 && y > 30 && y < 90 ? 210 : level;
    level = x > 110 && x < 190 && y / 12 % 2 == 0 ? 70 + (x / 10 * 37 + y / 12 * 53) % 90 : level;
    return y > 150 ? 60 + (x / 16 + y / 8) % 2 * 25 : level;
}

static int room_at(int x, int y)
{
    static uint8_t drawn[WEIR_LUMA_BYTES]; /* once; 0: not yet */
    uint8_t *at = &drawn[y * WEIR_LUMA_WIDTH + x];
    if (*at == 0) {
        *at = (uint8_t)draw_room_at(x, y);
    }
    return *at;
}

static int level_at(const struct world *world, int x, int y)
{
    switch (world->show.view) {
    case VIEW_ROOM:
        return room_at((x + world->show.turn) % WEIR_LUMA_WIDTH, y) * world->show.light / 100;
    case VIEW_ROAD: { /* with a car that has gone on since */
        int64_t car = world->now_ms / 100 % WEIR_LUMA_WIDTH;
        bool is_car = y > 90 && y < 130 && x > car && x < car + 70;
        return (is_car ? 30 + (x - (int)car) * 2 : room_at(x, y)) * world->show.light / 100;
    }
    case VIEW_HAND:
        return 40 + x / 40;
    case VIEW_NOTHING:
        return 0;
    case VIEW_BALL: { /* a test picture, without any noise */
        int64_t at = world->now_ms / 50 % 300;
        return x >= at && x < at + 12 && y > 80 && y < 92 ? 255 : 0;
    }
    }
    return 0;
}

static uint8_t clamp(int level)
{
    return (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
}

static void expose(struct world *world)
{
    const int8_t *noise = noise_pool(world);
    for (int i = 0; i < (int)WEIR_LUMA_BYTES; i++) {
        int level = level_at(world, i % WEIR_LUMA_WIDTH, i / WEIR_LUMA_WIDTH);
        level += noise[i] * world->show.noise / SPREAD;
        bool is_rain = world->show.rain > 0 && (int)(roll(world) % 1000) < world->show.rain;
        world->held[i] = clamp(is_rain ? level + 60 : level);
    }
}

/* An encoder of constant bitrate: what is left of the noise is another thing each time. */
static void encode(struct world *world)
{
    int step = world->show.coarse > 1 ? 1 + (int)(roll(world) % (uint32_t)world->show.coarse) : 1;
    memcpy(world->now, world->held, WEIR_LUMA_BYTES);
    for (int i = 0; step > 1 && i < (int)WEIR_LUMA_BYTES; i++) {
        world->now[i] = clamp((world->held[i] + step / 2) / step * step);
    }
    for (int i = 0; world->show.has_clock && i < 60 * 8; i++) {
        world->now[(2 + i / 60) * WEIR_LUMA_WIDTH + 4 + i % 60] = (uint8_t)(roll(world) & 255);
    }
}

static void start(struct world *world, const struct show *show)
{
    memset(world, 0, sizeof(*world));
    world->show = *show;
    world->now_ms = 5000000;
    world->dice = 11;
}

static void look(struct world *world)
{
    struct scene_look is;
    if (!world->show.is_held) {
        expose(world);
    }
    encode(world);
    scene_look(world->now, world->has_before ? world->before : NULL, &is);
    scene_judge(&world->scene, &is, world->now_ms);
    memcpy(world->before, world->now, sizeof(world->before));
    world->has_before = true;
    world->seen |= world->scene.faults;
    world->now_ms += scene_is_pressing(&world->scene) ? SCENE_SOON_MS : EVERY_MS;
}

static void watch(struct world *world, int64_t for_ms)
{
    int64_t until_ms = world->now_ms + for_ms;
    while (world->now_ms < until_ms) {
        look(world);
    }
}

/* How long after now it is found; the fault began just behind the last look. */
static int64_t found_after(struct world *world, unsigned fault)
{
    int64_t began_ms = world->has_before ? world->scene.looked_ms : world->now_ms;
    while (world->now_ms < began_ms + HOUR_MS && (world->scene.faults & fault) == 0) {
        look(world);
    }
    assert_int_equal(world->scene.faults, fault);
    return world->scene.looked_ms - began_ms;
}

static int64_t gone_after(struct world *world)
{
    int64_t began_ms = world->scene.looked_ms;
    while (world->now_ms < began_ms + HOUR_MS && world->scene.faults != 0) {
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
        world->show.light = 100 - down;
        world->show.noise = 2 + down / 12;
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
        world->show.light = i % 2 != 0 ? 110 : 30;
        world->show.noise = i % 2 != 0 ? 1 : 9; /* its noise is a ninth with the light on */
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
            world->show.turn += 37;
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
        world->show.rain = phase < 4 ? 100 : phase < 8 ? 100 - 25 * (phase - 4) : 0;
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
    world->show.noise = 2;
    found_after(world, FROZEN);
    assert_in_range(gone_after(world), 1, SCENE_LIVES * EVERY_MS);
    for (int i = 0; i < 4; i++) {
        world->seen = 0;
        world->show.noise = i % 2 == 0 ? 14 : 2;
        watch(world, HOUR_MS / 8);
        assert_int_equal(world->seen, 0);
    }
    world->show.is_held = true;
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
        world->show.is_held = true;
        world->now_ms -= 10; /* the next look is the first of the frozen picture */
        assert_in_range(found_after(world, FROZEN), 1, 30000);
        watch(world, HOUR_MS / 12);
        assert_int_equal(world->scene.faults, FROZEN);
        world->show.is_held = false;
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
    expose(world);
    encode(world);
    scene_look(world->now, world->now, &is);
    for (int i = 0; i < 60; i++) {
        is.changed = is.rest = 900 + (int64_t)(roll(world) % 500);
        scene_judge(&world->scene, &is, world->now_ms += EVERY_MS);
    }
    int64_t began_ms = world->now_ms;
    for (int i = 0; i < 5 && world->scene.faults == 0; i++) {
        world->now_ms += scene_is_pressing(&world->scene) ? SCENE_SOON_MS : EVERY_MS;
        is.changed = is.rest = rests[i];
        scene_judge(&world->scene, &is, world->now_ms);
    }
    assert_int_equal(world->scene.faults, FROZEN);
    assert_in_range(world->now_ms - began_ms, 1, 30000);
}

static void a_camera_that_was_frozen_before_is_found_in_minutes(void **state)
{
    (void)state;
    struct world *world = &the_world;
    start(world, &room);
    expose(world);
    world->show.is_held = true;
    assert_in_range(found_after(world, FROZEN), 120000, 150000);
}

static void black_is_found_with_noise_and_without(void **state)
{
    (void)state;
    struct world *world = &the_world;
    for (int noise = 0; noise <= 6; noise += 3) {
        start(world, &room);
        watch(world, HOUR_MS / 12);
        world->show = (struct show){.view = VIEW_NOTHING, .noise = noise, .has_clock = noise == 3};
        assert_in_range(found_after(world, BLACK), 1, 20000);
        watch(world, HOUR_MS / 12);
        assert_int_equal(world->scene.faults, BLACK);
        world->show = room;
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
        world->show = (struct show){.view = VIEW_HAND, .noise = noise};
        assert_in_range(found_after(world, COVERED), 1, 30000);
        watch(world, HOUR_MS / 8);
        assert_int_equal(world->scene.faults, COVERED);
        world->show = room;
        assert_in_range(gone_after(world), 1, 20000);
        watch(world, HOUR_MS / 12);
        assert_int_equal(world->scene.faults, 0);
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
        world->show = i % 3 == 2 ? room : strange[i / 3 % 2];
        world->show.is_held = i % 3 == 1;
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
    world->show.is_held = true;
    found_after(world, FROZEN);
    world->now_ms += SCENE_STALE_MS;
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
        cmocka_unit_test(two_strange_looks_are_no_fault),
        cmocka_unit_test(looks_far_apart_begin_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
