/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/xcode_watch.h"

#include "tests/unit/check.h"

#define T 1000000 /* any time */

static bool is_hung(const struct tap_xcode_watch *watch, int64_t ms)
{
    return tap_xcode_watch_is_hung(watch, T + ms);
}

static bool takes(struct tap_xcode_watch *watch, enum tap_xcode_item item, int64_t ms)
{
    return tap_xcode_watch_take(watch, item, T + ms);
}

static void who_answers_nothing_for_three_seconds_is_hung_and_not_before(void **state)
{
    (void)state;
    struct tap_xcode_watch watch;
    assert_int_equal(TAP_XCODE_HANG_MS, 3000);
    tap_xcode_watch_begin(&watch, false, T - 60000);
    tap_xcode_watch_give(&watch, false, T);
    /* A second one changes nothing: the first one waits. */
    tap_xcode_watch_give(&watch, false, T + 2000);
    assert_false(is_hung(&watch, 3000));
    assert_true(is_hung(&watch, 3001));
    assert_false(watch.is_inside);
}

static void each_answer_is_a_sign_of_life(void **state)
{
    (void)state;
    struct tap_xcode_watch watch;
    tap_xcode_watch_begin(&watch, false, T);
    tap_xcode_watch_give(&watch, false, T);
    tap_xcode_watch_give(&watch, false, T);
    assert_true(takes(&watch, TAP_XCODE_DONE, 2900));
    assert_false(is_hung(&watch, 5900));
    assert_true(is_hung(&watch, 5901));
    /* What it makes of what it was given is no answer to what waits. */
    assert_true(takes(&watch, TAP_XCODE_UNIT, 5900));
    assert_true(is_hung(&watch, 5901));
}

static void who_was_given_nothing_does_not_hang(void **state)
{
    (void)state;
    struct tap_xcode_watch watch;
    tap_xcode_watch_begin(&watch, true, T);
    assert_false(is_hung(&watch, 1000000));
    tap_xcode_watch_begin(&watch, false, T);
    tap_xcode_watch_give(&watch, false, T);
    assert_true(takes(&watch, TAP_XCODE_DONE, 10));
    assert_false(is_hung(&watch, 1000000));
    /* The wait of the next one begins with it. */
    tap_xcode_watch_give(&watch, false, T + 1000000);
    assert_false(is_hung(&watch, 1003000));
    assert_true(is_hung(&watch, 1003001));
}

static void what_was_not_given_is_not_answered(void **state)
{
    (void)state;
    struct tap_xcode_watch watch;
    tap_xcode_watch_begin(&watch, false, T);
    assert_false(takes(&watch, TAP_XCODE_DONE, 0));
    assert_true(takes(&watch, TAP_XCODE_UNIT, 0));
}

static void the_answers_come_in_the_order_of_the_units(void **state)
{
    (void)state;
    struct tap_xcode_watch watch;
    static const bool is_key[] = {true, false, true, false, false};
    enum { N = sizeof(is_key) / sizeof(is_key[0]) };
    tap_xcode_watch_begin(&watch, false, T);
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < N; i++) {
            tap_xcode_watch_give(&watch, is_key[i], T);
        }
        for (int i = 0; i < N; i++) {
            assert_true(takes(&watch, TAP_XCODE_UNIT, 0));
            assert_false(watch.has_done_key);
            assert_true(takes(&watch, TAP_XCODE_DONE, 0));
            assert_int_equal(watch.has_done_key, is_key[i]);
        }
    }
}

static void a_driver_may_take_long_to_open_and_is_then_waited_for_anew(void **state)
{
    (void)state;
    struct tap_xcode_watch watch;
    tap_xcode_watch_begin(&watch, true, T);
    assert_true(watch.is_inside);
    tap_xcode_watch_give(&watch, false, T);
    assert_false(is_hung(&watch, 10000));
    assert_true(is_hung(&watch, 10001));
    /* This one took 4 s. */
    assert_true(takes(&watch, TAP_XCODE_LEAVE, 4000));
    assert_false(watch.is_inside);
    assert_false(is_hung(&watch, 4001));
    assert_false(is_hung(&watch, 7000));
    assert_true(is_hung(&watch, 7001));
    /* That is said once: it does not buy more time. */
    assert_true(takes(&watch, TAP_XCODE_LEAVE, 6900));
    assert_true(is_hung(&watch, 7001));
}

static void inside_the_engine_three_seconds_count_from_the_door(void **state)
{
    (void)state;
    struct tap_xcode_watch watch;
    tap_xcode_watch_begin(&watch, true, T);
    tap_xcode_watch_give(&watch, false, T);
    assert_true(takes(&watch, TAP_XCODE_LEAVE, 100));
    assert_true(takes(&watch, TAP_XCODE_ENTER, 2000));
    assert_true(watch.is_inside);
    assert_false(is_hung(&watch, 5000));
    assert_true(is_hung(&watch, 5001));
    assert_true(takes(&watch, TAP_XCODE_UNIT, 5002));
    assert_false(watch.is_inside);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_answers_nothing_for_three_seconds_is_hung_and_not_before),
        cmocka_unit_test(each_answer_is_a_sign_of_life),
        cmocka_unit_test(who_was_given_nothing_does_not_hang),
        cmocka_unit_test(what_was_not_given_is_not_answered),
        cmocka_unit_test(the_answers_come_in_the_order_of_the_units),
        cmocka_unit_test(a_driver_may_take_long_to_open_and_is_then_waited_for_anew),
        cmocka_unit_test(inside_the_engine_three_seconds_count_from_the_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
