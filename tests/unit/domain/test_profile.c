/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/profile.h"

#include "tests/unit/check.h"

enum { SOURCE = WEIR_QUALITY_SOURCE, LOW, MEDIUM, HIGH, ULTRA };

static void expect_capped(int quality, int64_t fps, int max_quality, int64_t max_fps,
                          int is_quality, int64_t is_fps)
{
    struct weir_profile profile = {(enum weir_quality)quality, fps};
    const struct weir_ceiling ceiling = {(enum weir_quality)max_quality, max_fps};
    bool is_other = quality != is_quality || fps != is_fps;
    assert_int_equal(weir_profile_cap(&profile, &ceiling), is_other);
    assert_int_equal(profile.quality, is_quality);
    assert_int_equal(profile.fps, is_fps);
    assert_false(weir_profile_cap(&profile, &ceiling));
    assert_true(!is_other || weir_profile_is_at(&profile, &ceiling));
}

static void what_passes_a_ceiling_is_lowered_to_it(void **state)
{
    (void)state;
    expect_capped(ULTRA, 30, MEDIUM, 10, MEDIUM, 10);
    expect_capped(LOW, 5, MEDIUM, 10, LOW, 5);
    expect_capped(LOW, 30, MEDIUM, 10, LOW, 10);
    expect_capped(ULTRA, 5, MEDIUM, 10, MEDIUM, 5);
    expect_capped(MEDIUM, 10, MEDIUM, 10, MEDIUM, 10);
    expect_capped(ULTRA, 60, SOURCE, 0, ULTRA, 60);
}

static void the_source_is_above_all_and_no_number_of_frames_is_above_sixty(void **state)
{
    (void)state;
    expect_capped(SOURCE, 0, ULTRA, 0, ULTRA, 0);
    expect_capped(SOURCE, 0, SOURCE, 60, SOURCE, 60);
    expect_capped(SOURCE, 0, LOW, 1, LOW, 1);
    expect_capped(SOURCE, 0, SOURCE, 0, SOURCE, 0);
}

static void of_two_ceilings_each_part_is_the_lower_one(void **state)
{
    (void)state;
    const struct weir_ceiling none = {WEIR_QUALITY_SOURCE, 0};
    const struct weir_ceiling small = {WEIR_QUALITY_LOW, 25};
    const struct weir_ceiling slow = {WEIR_QUALITY_HIGH, 5};
    struct weir_ceiling is = weir_ceiling_lower(&small, &slow);
    assert_true(is.quality == WEIR_QUALITY_LOW && is.fps == 5);
    is = weir_ceiling_lower(&slow, &small);
    assert_true(is.quality == WEIR_QUALITY_LOW && is.fps == 5);
    is = weir_ceiling_lower(&none, &slow);
    assert_true(weir_ceiling_is_same(&is, &slow));
    is = weir_ceiling_lower(&slow, &none);
    assert_true(weir_ceiling_is_same(&is, &slow));
    is = weir_ceiling_lower(&none, &none);
    assert_true(weir_ceiling_is_none(&is));
}

static void only_what_lies_at_a_ceiling_is_said_to(void **state)
{
    (void)state;
    const struct weir_ceiling none = {WEIR_QUALITY_SOURCE, 0};
    const struct weir_ceiling ceiling = {WEIR_QUALITY_MEDIUM, 10};
    assert_true(weir_profile_is_at(&(struct weir_profile){WEIR_QUALITY_MEDIUM, 5}, &ceiling));
    assert_true(weir_profile_is_at(&(struct weir_profile){WEIR_QUALITY_LOW, 10}, &ceiling));
    assert_false(weir_profile_is_at(&(struct weir_profile){WEIR_QUALITY_LOW, 5}, &ceiling));
    assert_false(weir_profile_is_at(&(struct weir_profile){WEIR_QUALITY_SOURCE, 0}, &none));
}

static void expect_text(enum weir_quality quality, int64_t fps, const char *expected)
{
    char text[WEIR_CEILING_TEXT_MAX];
    const struct weir_ceiling ceiling = {quality, fps};
    assert_string_equal(weir_ceiling_format(&ceiling, text), expected);
}

static void a_ceiling_is_named_in_words(void **state)
{
    (void)state;
    expect_text(WEIR_QUALITY_MEDIUM, 60, "the ceiling is medium at 60 fps");
    expect_text(WEIR_QUALITY_LOW, 0, "the ceiling is low");
    expect_text(WEIR_QUALITY_SOURCE, 5, "the ceiling is 5 fps");
    expect_text(WEIR_QUALITY_SOURCE, 0, "");
}

static void a_picture_has_the_lowest_quality_that_holds_it(void **state)
{
    (void)state;
    assert_int_equal(weir_quality_of_picture(640, 360), WEIR_QUALITY_LOW);
    assert_int_equal(weir_quality_of_picture(360, 640), WEIR_QUALITY_LOW);
    assert_int_equal(weir_quality_of_picture(640, 480), WEIR_QUALITY_MEDIUM);
    assert_int_equal(weir_quality_of_picture(1920, 1080), WEIR_QUALITY_HIGH);
    assert_int_equal(weir_quality_of_picture(1921, 1080), WEIR_QUALITY_ULTRA);
    assert_int_equal(weir_quality_of_picture(8000, 8000), WEIR_QUALITY_ULTRA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_passes_a_ceiling_is_lowered_to_it),
        cmocka_unit_test(the_source_is_above_all_and_no_number_of_frames_is_above_sixty),
        cmocka_unit_test(of_two_ceilings_each_part_is_the_lower_one),
        cmocka_unit_test(only_what_lies_at_a_ceiling_is_said_to),
        cmocka_unit_test(a_ceiling_is_named_in_words),
        cmocka_unit_test(a_picture_has_the_lowest_quality_that_holds_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
