/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/deinterlace.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "tests/unit/check.h"

enum { WIDTH = 48, HEIGHT = 32 };

static const struct weir_deinterlace_plane nothing = {0};

static struct weir_deinterlace_plane plane_of(uint8_t picture[HEIGHT][WIDTH])
{
    return (struct weir_deinterlace_plane){&picture[0][0], WIDTH, 8};
}

static uint8_t texture(int x, int y)
{
    return (uint8_t)(x * 37 + y * 91 + x * y * 13);
}

/* A bright slanted bar on grey, `at` samples from the left. */
static void draw_bar_line(uint8_t line[WIDTH], int y, int at)
{
    for (int x = 0; x < WIDTH; x++)
        line[x] = x >= at + y / 2 && x < at + y / 2 + 8 ? 220 : 60;
}

/* Fields of a bar that goes 3 samples a field, from field number `first` on. */
static void draw_fields(uint8_t picture[HEIGHT][WIDTH], bool is_top_first, int first)
{
    for (int y = 0; y < HEIGHT; y++) {
        bool is_first = (y % 2 == 0) == is_top_first;
        draw_bar_line(picture[y], y, 3 * (first + (is_first ? 0 : 1)));
    }
}

static void what_stands_still_keeps_every_line(void **state)
{
    (void)state;
    uint8_t picture[HEIGHT][WIDTH];
    uint8_t out[HEIGHT][WIDTH] = {{0}};
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++)
            picture[y][x] = texture(x, y);
    }
    struct weir_deinterlace_plane now = plane_of(picture);
    for (int is_top = 0; is_top < 2; is_top++) {
        weir_deinterlace_plane(&now, &now, WIDTH, HEIGHT, is_top == 1, &out[0][0], WIDTH);
        assert_memory_equal(out, picture, sizeof(out));
    }
}

/* Sum of what is wrong, over all samples. */
static long wrong(uint8_t is[HEIGHT][WIDTH], int at)
{
    long sum = 0;
    for (int y = 0; y < HEIGHT; y++) {
        uint8_t truth[WIDTH];
        draw_bar_line(truth, y, at);
        for (int x = 0; x < WIDTH; x++)
            sum += labs((long)is[y][x] - truth[x]);
    }
    return sum;
}

static void what_moves_is_whole_at_the_time_of_the_first_field(void **state)
{
    (void)state;
    for (int is_top = 0; is_top < 2; is_top++) {
        uint8_t past[HEIGHT][WIDTH];
        uint8_t picture[HEIGHT][WIDTH];
        uint8_t out[HEIGHT][WIDTH];
        draw_fields(past, is_top == 1, 0);
        draw_fields(picture, is_top == 1, 2);
        struct weir_deinterlace_plane now = plane_of(picture);
        struct weir_deinterlace_plane before = plane_of(past);
        long combed = wrong(picture, 6);
        weir_deinterlace_plane(&now, &before, WIDTH, HEIGHT, is_top == 1, &out[0][0], WIDTH);
        assert_true(wrong(out, 6) * 5 < combed);
        weir_deinterlace_plane(&now, &nothing, WIDTH, HEIGHT, is_top == 1, &out[0][0], WIDTH);
        assert_true(wrong(out, 6) * 5 < combed);
        /* The lines of the first field are as they were. */
        for (int y = is_top == 1 ? 0 : 1; y < HEIGHT; y += 2)
            assert_memory_equal(out[y], picture[y], WIDTH);
    }
}

/* Long lines are drawn many samples at once, short ones one by one: of noise, both the same. */
static void how_many_samples_are_drawn_at_once_makes_no_difference(void **state)
{
    (void)state;
    enum { LONG = 200, SHORT = 39 };
    static uint8_t past[3][LONG], picture[3][LONG], out[3][LONG], part[3][SHORT];
    uint32_t dice = 7;
    for (int i = 0; i < 3 * LONG; i++) {
        dice = dice * 1664525 + 1013904223;
        picture[i / LONG][i % LONG] = (uint8_t)(dice >> 24);
        past[i / LONG][i % LONG] = (uint8_t)((dice >> 24) + (dice >> 16) % 9);
    }
    for (int has_before = 0; has_before < 2; has_before++) {
        struct weir_deinterlace_plane now = {&picture[0][0], LONG, 8};
        struct weir_deinterlace_plane before = {has_before == 1 ? &past[0][0] : NULL, LONG, 8};
        weir_deinterlace_plane(&now, &before, LONG, 3, true, &out[0][0], LONG);
        for (int x = 0; x + SHORT <= LONG; x += SHORT - 4) {
            now.bytes = &picture[0][x];
            before.bytes = has_before == 1 ? &past[0][x] : NULL;
            weir_deinterlace_plane(&now, &before, SHORT, 3, true, &part[0][0], SHORT);
            assert_memory_equal(&out[1][x + 2], &part[1][2], SHORT - 4);
        }
    }
}

static void more_bits_become_eight(void **state)
{
    (void)state;
    uint16_t deep[HEIGHT][WIDTH];
    uint8_t out[HEIGHT][WIDTH];
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++)
            deep[y][x] = (uint16_t)(texture(x, y) << 2 | 3);
    }
    struct weir_deinterlace_plane now = {(const uint8_t *)deep, sizeof(deep[0]), 10};
    weir_deinterlace_plane(&now, &now, WIDTH, HEIGHT, true, &out[0][0], WIDTH);
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++)
            assert_int_equal(out[y][x], texture(x, y));
    }
}

/* Each size has memory of its own, so that the sanitizer sees what is read outside. */
static void pictures_of_any_size_are_taken(void **state)
{
    (void)state;
    for (int width = 1; width < 9; width++) {
        for (int height = 1; height < 5; height++) {
            size_t size = (size_t)width * (size_t)height;
            uint8_t *picture = weir_xalloc(size);
            uint8_t *out = weir_xalloc(size);
            memset(picture, 99, size);
            struct weir_deinterlace_plane now = {picture, width, 8};
            weir_deinterlace_plane(&now, &nothing, width, height, height % 2 == 0, out, width);
            assert_memory_equal(out, picture, size);
            free(picture);
            free(out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_still_keeps_every_line),
        cmocka_unit_test(what_moves_is_whole_at_the_time_of_the_first_field),
        cmocka_unit_test(how_many_samples_are_drawn_at_once_makes_no_difference),
        cmocka_unit_test(more_bits_become_eight),
        cmocka_unit_test(pictures_of_any_size_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
