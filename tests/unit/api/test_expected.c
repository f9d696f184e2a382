/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include "api/expected.h"

static const struct weir_stream_row first = {.stream_id = {{1}}, .fps = 1};
static const struct weir_stream_row second = {.stream_id = {{2}}, .fps = 2};

static void count_dropped(void *ctx, const struct weir_id *stream_id)
{
    (void)stream_id;
    ++*(unsigned *)ctx;
}

static bool is_shown(struct api_expected *expected, const struct weir_stream_row *row, int64_t now)
{
    return api_expected_find(expected, &row->stream_id, now) != NULL;
}

static void a_start_is_shown_until_its_command_is_decided(void **state)
{
    (void)state;
    struct api_expected *expected = api_expected_new();
    unsigned dropped = 0;
    assert_true(api_expected_put(expected, &first, 7, 1000));
    api_expected_decided(expected, 7, count_dropped, &dropped);
    assert_true(is_shown(expected, &first, 0));
    api_expected_decided(expected, 8, count_dropped, &dropped);
    assert_false(is_shown(expected, &first, 0));
    assert_int_equal(dropped, 1);
    api_expected_free(expected);
}

static void a_decision_read_before_the_acknowledgement_leaves_nothing_to_expect(void **state)
{
    (void)state;
    struct api_expected *expected = api_expected_new();
    api_expected_decided(expected, 8, NULL, NULL);
    assert_false(api_expected_put(expected, &first, 7, 1000));
    assert_false(is_shown(expected, &first, 0));
    api_expected_free(expected);
}

static void an_expired_start_that_is_sent_again_is_shown_again(void **state)
{
    (void)state;
    struct api_expected *expected = api_expected_new();
    assert_true(api_expected_put(expected, &first, 7, 1000));
    api_expected_decided(expected, 8, NULL, NULL);
    assert_true(api_expected_put(expected, &first, 9, 2000));
    assert_true(is_shown(expected, &first, 1500));
    api_expected_free(expected);
}

static void of_two_starts_of_a_stream_the_later_one_counts(void **state)
{
    (void)state;
    struct api_expected *expected = api_expected_new();
    struct weir_stream_row later = first;
    later.fps = 30;
    assert_true(api_expected_put(expected, &later, 9, 1000));
    assert_false(api_expected_put(expected, &first, 7, 1000));
    api_expected_decided(expected, 8, NULL, NULL);
    assert_int_equal(api_expected_find(expected, &first.stream_id, 0)->fps, 30);
    api_expected_free(expected);
}

static void nothing_is_expected_for_ever(void **state)
{
    (void)state;
    struct api_expected *expected = api_expected_new();
    api_expected_put(expected, &first, 7, 1000);
    api_expected_put(expected, &second, 8, 3000);
    assert_true(is_shown(expected, &first, 1000));
    assert_false(is_shown(expected, &first, 1001));
    api_expected_drop_late(expected, 2000);
    assert_int_equal(api_expected_count(expected), 1);
    const struct weir_stream_row *row = NULL;
    size_t at = 0;
    assert_true(api_expected_next(expected, &at, &row));
    assert_int_equal(row->fps, 2);
    assert_false(api_expected_next(expected, &at, &row));
    api_expected_free(expected);
}

static void a_log_that_began_anew_decides_from_its_own_start(void **state)
{
    (void)state;
    struct api_expected *expected = api_expected_new();
    api_expected_decided(expected, 100, NULL, NULL);
    api_expected_decided(expected, 3, NULL, NULL);
    assert_true(api_expected_put(expected, &first, 3, 1000));
    api_expected_free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_is_shown_until_its_command_is_decided),
        cmocka_unit_test(a_decision_read_before_the_acknowledgement_leaves_nothing_to_expect),
        cmocka_unit_test(an_expired_start_that_is_sent_again_is_shown_again),
        cmocka_unit_test(of_two_starts_of_a_stream_the_later_one_counts),
        cmocka_unit_test(nothing_is_expected_for_ever),
        cmocka_unit_test(a_log_that_began_anew_decides_from_its_own_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
