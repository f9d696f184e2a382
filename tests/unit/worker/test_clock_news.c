/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/clock_news.h"

#include "tests/unit/check.h"

static void a_clock_that_is_set_is_told_once(void **state)
{
    (void)state;
    struct clock_news news = {0};
    int64_t before_us = 7;
    clock_news_take(&news, 0, 0);
    assert_false(clock_news_say(&news, 1000, &before_us));
    clock_news_take(&news, 1, -20000);
    assert_true(clock_news_say(&news, 2000, &before_us));
    assert_int_equal(before_us, -20000);
    clock_news_take(&news, 1, -20000);
    assert_false(clock_news_say(&news, 2000 + 10 * CLOCK_NEWS_PAUSE_MS, &before_us));
}

static void many_in_a_while_are_told_as_one_from_before_the_first(void **state)
{
    (void)state;
    struct clock_news news = {0};
    int64_t before_us = 0;
    int said = 0;
    int64_t now_ms = 1000;
    for (int64_t jumps = 1; jumps <= 120; jumps++, now_ms += 1000) {
        clock_news_take(&news, jumps, jumps * 10);
        said += clock_news_say(&news, now_ms, &before_us);
    }
    assert_int_equal(said, 4);
    assert_int_equal(before_us, 620); /* of the 62nd, the first one behind those told before */
}

static void what_got_lost_is_told_again_with_what_came_since(void **state)
{
    (void)state;
    struct clock_news news = {0};
    int64_t before_us = 0;
    clock_news_take(&news, 1, -20000);
    assert_true(clock_news_say(&news, 1000, &before_us));
    clock_news_take(&news, 2, 5);
    clock_news_lost(&news, before_us);
    assert_false(clock_news_say(&news, 2000, &before_us));
    assert_true(clock_news_say(&news, 1000 + CLOCK_NEWS_PAUSE_MS, &before_us));
    assert_int_equal(before_us, -20000);
    assert_false(clock_news_say(&news, 1000 + 9 * CLOCK_NEWS_PAUSE_MS, &before_us));
}

static void a_new_tap_counts_anew_and_says_nothing_by_that(void **state)
{
    (void)state;
    struct clock_news news = {0};
    int64_t before_us = 0;
    clock_news_take(&news, 5, 1);
    assert_true(clock_news_say(&news, 1000, &before_us));
    clock_news_take(&news, 0, 0);
    assert_false(clock_news_say(&news, 1000 + CLOCK_NEWS_PAUSE_MS, &before_us));
    clock_news_take(&news, 1, 3);
    assert_true(clock_news_say(&news, 2000 + CLOCK_NEWS_PAUSE_MS, &before_us));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_is_set_is_told_once),
        cmocka_unit_test(many_in_a_while_are_told_as_one_from_before_the_first),
        cmocka_unit_test(what_got_lost_is_told_again_with_what_came_since),
        cmocka_unit_test(a_new_tap_counts_anew_and_says_nothing_by_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
