/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/fit.h"

#include "tests/unit/check.h"

static void expect_size(struct fit_size is, int width, int height)
{
    assert_int_equal(is.width, width);
    assert_int_equal(is.height, height);
}

static void a_picture_is_made_smaller_and_keeps_its_shape(void **state)
{
    (void)state;
    expect_size(fit_into(1920, 1080, 0, 0, 640, 360), 640, 360);
    expect_size(fit_into(2560, 1920, 1, 1, 640, 360), 480, 360);
    expect_size(fit_into(5120, 1440, 1, 1, 640, 360), 640, 180);
    expect_size(fit_into(1920, 1080, 1, 1, 1280, 720), 1280, 720);
}

static void nothing_is_enlarged(void **state)
{
    (void)state;
    expect_size(fit_into(320, 180, 1, 1, 640, 360), 320, 180);
    expect_size(fit_into(640, 360, 1, 1, 1920, 1080), 640, 360);
    expect_size(fit_into(1, 1, 1, 1, 640, 360), 2, 2);
}

static void an_upright_picture_gets_an_upright_box(void **state)
{
    (void)state;
    expect_size(fit_into(1080, 1920, 1, 1, 640, 360), 360, 640);
    expect_size(fit_into(720, 720, 1, 1, 640, 360), 360, 360);
}

static void sides_are_even(void **state)
{
    (void)state;
    expect_size(fit_into(1919, 1079, 1, 1, 1920, 1080), 1918, 1078);
    for (int width = 3; width < 2000; width += 97) {
        for (int height = 3; height < 2000; height += 89) {
            struct fit_size is = fit_into(width, height, 4, 3, 640, 360);
            assert_true(is.width % 2 == 0 && is.height % 2 == 0);
            assert_true(is.width >= 2 && is.height >= 2);
            assert_true((is.width <= 640 && is.height <= 360) ||
                        (is.width <= 360 && is.height <= 640));
            assert_true(is.width <= width || is.width == 2);
            assert_true(is.height <= height || is.height == 2);
        }
    }
}

static void pixels_become_square(void **state)
{
    (void)state;
    /* PAL in 16:9, of 64:45 pixels: 720 wide stays, 576 high becomes 405. */
    expect_size(fit_into(720, 576, 64, 45, 1280, 720), 720, 404);
    /* A camera that sends half of the width. */
    expect_size(fit_into(960, 1080, 2, 1, 1280, 720), 960, 540);
    expect_size(fit_into(1920, 540, 1, 2, 1280, 720), 960, 540);
    /* Nobody's pixels are 100 times as wide as high. */
    expect_size(fit_into(640, 360, 100, 1, 1280, 720), 640, 360);
}

static int count(uint32_t fps_milli, int source_fps, int seconds, int jitter)
{
    struct fit_pace pace = {0};
    int kept = 0;
    for (int i = 0; i < source_fps * seconds; i++) {
        int64_t ts = (int64_t)i * FIT_TICKS / source_fps + (i % 2 ? jitter : -jitter);
        if (fit_is_due(&pace, ts, fps_milli)) {
            fit_keep(&pace, ts, fps_milli);
            kept++;
        }
    }
    return kept;
}

static void as_many_frames_are_kept_as_asked_for(void **state)
{
    (void)state;
    assert_in_range(count(15000, 25, 10, 0), 149, 151);
    assert_in_range(count(5000, 25, 10, 0), 50, 51);
    assert_in_range(count(1000, 30, 10, 0), 10, 11);
    assert_in_range(count(24000, 25, 10, 0), 239, 241);
}

static void no_frame_is_dropped_where_there_are_no_more(void **state)
{
    (void)state;
    assert_int_equal(count(25000, 25, 10, 0), 250);
    assert_int_equal(count(25000, 25, 10, 90), 250);
    assert_int_equal(count(60000, 25, 10, 0), 250);
}

static void what_is_kept_is_not_what_the_encoder_reckons_with(void **state)
{
    (void)state;
    struct weir_xcode_rendition spec = {.long_side = 640,
                                        .short_side = 360,
                                        .bitrate_bps = 400000,
                                        .fps_milli = 23148,
                                        .pace_milli = 60000,
                                        .segment_ms = 1000};
    assert_true(fit_is_sane(&spec));
    assert_int_equal(fit_pace_milli(&spec), 60000);
    spec.pace_milli = 0;
    assert_true(fit_is_sane(&spec));
    assert_int_equal(fit_pace_milli(&spec), 23148);
    spec.pace_milli = 99;
    assert_false(fit_is_sane(&spec));
    spec.pace_milli = 1000001;
    assert_false(fit_is_sane(&spec));
}

static void a_gap_is_not_made_up_for(void **state)
{
    (void)state;
    struct fit_pace pace = {0};
    fit_keep(&pace, 0, 5000);
    int64_t ts = 60 * FIT_TICKS;
    assert_true(fit_is_due(&pace, ts, 5000));
    fit_keep(&pace, ts, 5000);
    assert_false(fit_is_due(&pace, ts + FIT_TICKS / 25, 5000));
    assert_true(fit_is_due(&pace, ts + FIT_TICKS / 5, 5000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_is_made_smaller_and_keeps_its_shape),
        cmocka_unit_test(nothing_is_enlarged),
        cmocka_unit_test(an_upright_picture_gets_an_upright_box),
        cmocka_unit_test(sides_are_even),
        cmocka_unit_test(pixels_become_square),
        cmocka_unit_test(as_many_frames_are_kept_as_asked_for),
        cmocka_unit_test(no_frame_is_dropped_where_there_are_no_more),
        cmocka_unit_test(what_is_kept_is_not_what_the_encoder_reckons_with),
        cmocka_unit_test(a_gap_is_not_made_up_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
