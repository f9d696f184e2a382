/* SPDX-License-Identifier: Apache-2.0 */
/* Built twice: with what this processor has, and with what any has. */
#include "worker/xcode/shrink.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "tests/unit/check.h"

enum { UNTOUCHED = 7 };

static const int ratios[][2] = {{4, 3}, {3, 2}, {2, 1}, {3, 1}, {4, 1}, {6, 1}, {8, 1}};
#define RATIOS (sizeof(ratios) / sizeof(ratios[0]))

/* Lines lie as close as they can, so that the sanitizer sees what is read outside. */
static struct shrink_plane plane_new(int width, int height)
{
    size_t size = (size_t)width * (size_t)height;
    struct shrink_plane plane = {weir_xalloc(size), width, width, height};
    memset(plane.bytes, UNTOUCHED, size);
    return plane;
}

static void fill(struct shrink_plane *plane)
{
    unsigned seed = 1;
    for (int i = 0; i < plane->width * plane->height; i++) {
        seed = seed * 1103515245U + 12345U;
        /* Half of the lines hold what is outermost. */
        plane->bytes[i] =
            i / plane->width % 4 < 2 ? (uint8_t)(seed >> 16) : (uint8_t)((seed >> 16 & 1) * 255);
    }
}

/* How much of [begin, begin + by) lies in sample `i`. */
static double part(int i, double begin, double by)
{
    double from = fmax(i, begin);
    double to = fmin(i + 1, begin + by);
    return to > from ? to - from : 0;
}

/* The mean of what sample `x`, `y` of `to` covers, in real numbers. */
static double mean(const struct shrink_plane *from, const struct shrink_plane *to, int x, int y)
{
    double by_x = (double)from->width / to->width;
    double by_y = (double)from->height / to->height;
    double sum = 0;
    for (int j = (int)(y * by_y); j < from->height && j < (y + 1) * by_y; j++) {
        for (int i = (int)(x * by_x); i < from->width && i < (x + 1) * by_x; i++)
            sum += part(i, x * by_x, by_x) * part(j, y * by_y, by_y) *
                   from->bytes[j * from->stride + i];
    }
    return sum / by_x / by_y;
}

static double level(enum shrink_levels levels, double sample)
{
    return levels == SHRINK_FULL_LUMA     ? sample * 219 / 255 + 16
           : levels == SHRINK_FULL_CHROMA ? (sample - 128) * 224 / 255 + 128
                                          : sample;
}

/* `most`: that a sample may be from what it is in real numbers; half a level is rounding. */
static void check_size(const int *across, const int *down, int groups, enum shrink_levels levels,
                       double most)
{
    struct shrink_plane from = plane_new(across[0] * groups, down[0] * 3);
    struct shrink_plane to = plane_new(across[1] * groups, down[1] * 3);
    fill(&from);
    assert_true(shrink_is_known(from.width, from.height, to.width, to.height));
    shrink_plane(&from, &to, levels);
    for (int y = 0; y < to.height; y++) {
        for (int x = 0; x < to.width; x++) {
            double is = to.bytes[y * to.stride + x];
            double meant = level(levels, mean(&from, &to, x, y));
            if (fabs(is - meant) > most)
                fail_msg("%dx%d to %dx%d, at %d,%d: %.0f and not %.3f", from.width, from.height,
                         to.width, to.height, x, y, is, meant);
        }
    }
    free(from.bytes);
    free(to.bytes);
}

static void check_all(enum shrink_levels levels, double most)
{
    for (size_t across = 0; across < RATIOS; across++) {
        for (size_t down = 0; down < RATIOS; down++) {
            check_size(ratios[across], ratios[down], 1, levels, most);
            check_size(ratios[across], ratios[down], 37, levels, most);
        }
    }
}

static void each_sample_is_the_mean_of_what_it_covers(void **state)
{
    (void)state;
    check_all(SHRINK_AS_THEY_ARE, 0.76);
    /* The sizes that nearly all have are exact. */
    check_size(ratios[1], ratios[1], 37, SHRINK_AS_THEY_ARE, 0.5001);
    check_size(ratios[2], ratios[2], 37, SHRINK_AS_THEY_ARE, 0.5001);
    check_size(ratios[3], ratios[3], 37, SHRINK_AS_THEY_ARE, 0.5001);
}

static void full_range_becomes_that_of_television(void **state)
{
    (void)state;
    check_all(SHRINK_FULL_LUMA, 0.76);
    check_all(SHRINK_FULL_CHROMA, 0.76);
}

static void levels_that_are_everywhere_the_same_stay(void **state)
{
    (void)state;
    for (int value = 0; value < 256; value++) {
        for (size_t i = 0; i < RATIOS; i++) {
            struct shrink_plane from = plane_new(ratios[i][0] * 8, ratios[i][0] * 2);
            struct shrink_plane to = plane_new(ratios[i][1] * 8, ratios[i][1] * 2);
            memset(from.bytes, value, (size_t)from.width * (size_t)from.height);
            shrink_plane(&from, &to, SHRINK_AS_THEY_ARE);
            for (int at = 0; at < to.width * to.height; at++)
                assert_int_equal(to.bytes[at], value);
            free(from.bytes);
            free(to.bytes);
        }
    }
}

static void what_is_between_lines_is_left_alone(void **state)
{
    (void)state;
    struct shrink_plane from = plane_new(48, 24);
    struct shrink_plane wide = plane_new(40, 16);
    struct shrink_plane to = {wide.bytes, wide.stride, 32, 16};
    fill(&from);
    memset(from.bytes, 200, 48);
    shrink_plane(&from, &to, SHRINK_AS_THEY_ARE);
    for (int y = 0; y < 16; y++) {
        for (int x = 32; x < 40; x++)
            assert_int_equal(wide.bytes[y * 40 + x], UNTOUCHED);
    }
    free(from.bytes);
    free(wide.bytes);
}

static void other_sizes_are_not_known(void **state)
{
    (void)state;
    assert_true(shrink_is_known(1920, 1080, 1280, 720));
    assert_true(shrink_is_known(960, 540, 640, 360));
    assert_true(shrink_is_known(3840, 2160, 640, 360));
    assert_true(shrink_is_known(1920, 1080, 640, 540));
    assert_false(shrink_is_known(1920, 1088, 1280, 720));
    assert_false(shrink_is_known(1920, 1080, 1279, 720));
    assert_false(shrink_is_known(1920, 1080, 854, 480));
    assert_false(shrink_is_known(1920, 1080, 1920, 1080));
    assert_false(shrink_is_known(640, 360, 1280, 720));
    assert_false(shrink_is_known(1920, 1080, 0, 0));
    assert_false(shrink_is_known(SHRINK_WIDTH_MAX * 2, 1080, SHRINK_WIDTH_MAX, 540));
}

static void only_whole_samples_make_no_difference(void **state)
{
    (void)state;
    assert_true(shrink_is_whole(1280, 720, 640, 360));
    assert_true(shrink_is_whole(1920, 1080, 640, 360));
    assert_true(shrink_is_whole(1280, 1080, 640, 360));
    assert_false(shrink_is_whole(1920, 1080, 1280, 720));
    assert_false(shrink_is_whole(1920, 1080, 640, 720));
    assert_false(shrink_is_whole(640, 480, 480, 360));
    assert_false(shrink_is_whole(640, 360, 640, 360));
    assert_false(shrink_is_whole(3200, 1800, 640, 360)); /* 5:1 is not known */
}

static void a_mean_of_means_is_the_mean(void **state)
{
    (void)state;
    struct shrink_plane from = plane_new(192, 108);
    struct shrink_plane between = plane_new(128, 72);
    struct shrink_plane direct = plane_new(64, 36);
    struct shrink_plane twice = plane_new(64, 36);
    fill(&from);
    shrink_plane(&from, &direct, SHRINK_AS_THEY_ARE);
    shrink_plane(&from, &between, SHRINK_AS_THEY_ARE);
    shrink_plane(&between, &twice, SHRINK_AS_THEY_ARE);
    for (int i = 0; i < 64 * 36; i++)
        assert_in_range(twice.bytes[i] + 1, direct.bytes[i], direct.bytes[i] + 2);
    free(from.bytes);
    free(between.bytes);
    free(direct.bytes);
    free(twice.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sample_is_the_mean_of_what_it_covers),
        cmocka_unit_test(full_range_becomes_that_of_television),
        cmocka_unit_test(levels_that_are_everywhere_the_same_stay),
        cmocka_unit_test(what_is_between_lines_is_left_alone),
        cmocka_unit_test(other_sizes_are_not_known),
        cmocka_unit_test(only_whole_samples_make_no_difference),
        cmocka_unit_test(a_mean_of_means_is_the_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
