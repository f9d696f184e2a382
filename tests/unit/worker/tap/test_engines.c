/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/engines.h"

#include "tests/unit/check.h"

static const struct tap_engines both = {
    .all = {{true, "/weir-xcode", NULL}, {true, "/weir-xcode-ffmpeg", "/ffmpeg"}},
    .first = WEIR_XCODE_ENGINE_LIBAV};

static void the_other_one_has_its_turn_after_three_ends_with_nothing_made(void **state)
{
    (void)state;
    struct tap_engine_turn turn;
    tap_engine_begin(&turn, &both);
    assert_int_equal(turn.now, WEIR_XCODE_ENGINE_LIBAV);
    assert_false(tap_engine_broke(&turn, &both, false, 1000));
    assert_false(tap_engine_broke(&turn, &both, false, 2000));
    assert_true(tap_engine_broke(&turn, &both, false, 3000));
    assert_int_equal(turn.now, WEIR_XCODE_ENGINE_FFMPEG);
}

static void what_made_something_is_tried_again(void **state)
{
    (void)state;
    struct tap_engine_turn turn;
    tap_engine_begin(&turn, &both);
    for (int i = 0; i < 20; i++)
        assert_false(tap_engine_broke(&turn, &both, i % 3 == 2, 1000 * i));
    assert_int_equal(turn.now, WEIR_XCODE_ENGINE_LIBAV);
}

static void the_first_one_is_tried_again_after_ten_minutes(void **state)
{
    (void)state;
    struct tap_engine_turn turn;
    tap_engine_begin(&turn, &both);
    assert_false(tap_engine_is_back(&turn, &both, INT64_MAX));
    for (int i = 0; i < 3; i++)
        (void)tap_engine_broke(&turn, &both, false, 1000);
    assert_false(tap_engine_is_back(&turn, &both, 1000 + TAP_ENGINE_BACK_MS - 1));
    assert_true(tap_engine_is_back(&turn, &both, 1000 + TAP_ENGINE_BACK_MS));
    assert_int_equal(turn.now, WEIR_XCODE_ENGINE_LIBAV);
    assert_false(tap_engine_is_back(&turn, &both, INT64_MAX));
}

static void hardware_is_for_weir_xcode_where_that_was_chosen(void **state)
{
    (void)state;
    struct tap_engine_turn turn;
    tap_engine_begin(&turn, &both);
    assert_true(tap_engine_is_hard(&turn, &both));
    for (int i = 0; i < 3; i++)
        (void)tap_engine_broke(&turn, &both, false, 1000);
    assert_false(tap_engine_is_hard(&turn, &both));
    struct tap_engines turned = both;
    turned.first = WEIR_XCODE_ENGINE_FFMPEG;
    tap_engine_begin(&turn, &turned);
    assert_false(tap_engine_is_hard(&turn, &turned));
    for (int i = 0; i < 3; i++)
        (void)tap_engine_broke(&turn, &turned, false, 1000);
    assert_int_equal(turn.now, WEIR_XCODE_ENGINE_LIBAV);
    assert_false(tap_engine_is_hard(&turn, &turned));
}

static void where_both_break_they_take_turns(void **state)
{
    (void)state;
    struct tap_engine_turn turn;
    tap_engine_begin(&turn, &both);
    int turns = 0;
    for (int i = 0; i < 12; i++)
        turns += tap_engine_broke(&turn, &both, false, 1000 * i);
    assert_int_equal(turns, 4);
    assert_int_equal(turn.now, WEIR_XCODE_ENGINE_LIBAV);
    assert_int_equal(turn.back_mono_ms, 0);
}

static void one_that_is_not_there_has_no_turn(void **state)
{
    (void)state;
    struct tap_engines one = both;
    struct tap_engine_turn turn;
    one.all[WEIR_XCODE_ENGINE_FFMPEG].is_there = false;
    tap_engine_begin(&turn, &one);
    for (int i = 0; i < 10; i++)
        assert_false(tap_engine_broke(&turn, &one, false, 1000));
    assert_int_equal(turn.now, WEIR_XCODE_ENGINE_LIBAV);
}

static void the_command_line_can_be_the_first_one(void **state)
{
    (void)state;
    struct tap_engines turned = both;
    struct tap_engine_turn turn;
    struct weir_err err;
    ASSERT_OK(weir_xcode_engine_parse("ffmpeg", &turned.first, &err), &err);
    tap_engine_begin(&turn, &turned);
    assert_int_equal(turn.now, WEIR_XCODE_ENGINE_FFMPEG);
    for (int i = 0; i < 3; i++)
        (void)tap_engine_broke(&turn, &turned, false, 0);
    assert_int_equal(turn.now, WEIR_XCODE_ENGINE_LIBAV);
    assert_true(tap_engine_is_back(&turn, &turned, TAP_ENGINE_BACK_MS));
    assert_int_equal(weir_xcode_engine_parse("", &turned.first, &err), WEIR_EINVAL);
    assert_int_equal(weir_xcode_engine_parse("FFmpeg", &turned.first, &err), WEIR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_other_one_has_its_turn_after_three_ends_with_nothing_made),
        cmocka_unit_test(what_made_something_is_tried_again),
        cmocka_unit_test(the_first_one_is_tried_again_after_ten_minutes),
        cmocka_unit_test(hardware_is_for_weir_xcode_where_that_was_chosen),
        cmocka_unit_test(where_both_break_they_take_turns),
        cmocka_unit_test(one_that_is_not_there_has_no_turn),
        cmocka_unit_test(the_command_line_can_be_the_first_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
