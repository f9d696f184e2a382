/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include "lib/base/str.h"
#include "worker/origin/continuity.h"

#define PLACED 1700000000000

static struct weir_playlist playlist(const char *muxer, int64_t sequence, int64_t n)
{
    struct weir_playlist made = {.is_media = true, .media_sequence = sequence, .n_segments = n};
    WEIR_STR_SET(made.muxer, muxer);
    return made;
}

/* The base that a playlist read `after_ms` after the placement is moved by. */
static int64_t taken(struct continuity *is, const char *muxer, int64_t sequence, int64_t after_ms)
{
    struct weir_playlist read = playlist(muxer, sequence, 7);
    return continuity_take(is, &read, PLACED + after_ms).media_sequence;
}

static void the_first_muxer_has_exactly_the_base(void **state)
{
    struct continuity is;
    (void)state;
    continuity_init(&is, 640, PLACED);
    assert_int_equal(taken(&is, "aaa", 0, 1500), 640);
    assert_int_equal(taken(&is, "aaa", 55, 60000), 640);
}

static void the_first_muxer_has_it_however_late_somebody_looks(void **state)
{
    struct continuity is;
    (void)state;
    continuity_init(&is, 640, PLACED);
    assert_int_equal(taken(&is, "aaa", 3600, 3600000), 640);
}

static void a_later_muxer_begins_above_what_was_given_out(void **state)
{
    struct continuity is;
    (void)state;
    continuity_init(&is, 640, PLACED);
    taken(&is, "aaa", 50, 60000);
    assert_int_equal(taken(&is, "bbb", 0, 61000), 640 + 57 + 1);
    assert_int_equal(taken(&is, "bbb", 9, 70000), 640 + 57 + 1);
    assert_int_equal(taken(&is, "ccc", 0, 70001), 640 + 57 + 1 + 16 + 1);
}

static void an_origin_that_takes_over_goes_on_with_the_same_numbers(void **state)
{
    struct continuity before;
    struct continuity after;
    (void)state;
    continuity_init(&before, 640, PLACED);
    taken(&before, "aaa", 1, 1000);
    int64_t base = taken(&before, "bbb", 1, 5000);
    continuity_init(&after, 640, PLACED);
    continuity_resume(&after, before.muxer, before.base);
    assert_int_equal(taken(&after, "bbb", 2, 6000), base);
    assert_int_equal(continuity_engine_msn(&after, base + 3), 3);
}

static void a_muxer_that_began_while_no_origin_was_there_is_above_the_one_before(void **state)
{
    struct continuity is;
    (void)state;
    continuity_init(&is, 640, PLACED);
    continuity_resume(&is, "aaa", 700);
    assert_int_equal(taken(&is, "bbb", 0, 3000), 701);
    continuity_init(&is, 640, PLACED);
    continuity_resume(&is, "aaa", 640);
    assert_int_equal(taken(&is, "bbb", 0, 61000), 640 + 4 * 61);
}

/* A leader that was away for long counts less time than went by: what the engines really gave must
 * stay below what it computes for the next placement. */
static void restarts_of_engines_cost_no_numbers(void **state)
{
    static const char *const muxers[] = {"a1", "b2", "c3", "d4", "e5"};
    struct continuity is;
    int64_t base = 0;
    (void)state;
    continuity_init(&is, 0, PLACED);
    for (size_t i = 0; i < 5; i++) {
        base = taken(&is, muxers[i], 593, (int64_t)(i + 1) * 600000);
    }
    assert_int_equal(base, 4 * (593 + 7 + 1));
}

static void the_discontinuity_sequence_rises_with_each_muxer(void **state)
{
    static const char *const muxers[] = {"a1", "b2", "c3", "d4", "e5"};
    struct continuity is;
    int64_t last = -1;
    (void)state;
    continuity_init(&is, 12, PLACED);
    for (size_t i = 0; i < 5; i++) {
        struct weir_playlist read = playlist(muxers[i], 0, 1);
        int64_t now = continuity_take(&is, &read, PLACED).discontinuity_sequence;
        assert_true(now > last);
        last = now;
    }
}

static void a_placement_that_is_still_to_come_counts_as_no_time(void **state)
{
    struct continuity is;
    (void)state;
    continuity_init(&is, 640, PLACED);
    taken(&is, "aaa", 0, -4000);
    assert_int_equal(taken(&is, "bbb", 0, -3000), 648);
    continuity_init(&is, 640, PLACED);
    continuity_resume(&is, "aaa", 640);
    assert_int_equal(taken(&is, "bbb", 0, -3000), 641);
}

static void a_playlist_of_the_muxer_before_is_known_as_such(void **state)
{
    struct continuity is;
    struct weir_playlist old = playlist("aaa", 4, 7);
    struct weir_playlist new = playlist("bbb", 0, 2);
    (void)state;
    continuity_init(&is, 0, PLACED);
    assert_false(continuity_is_past(&is, &old));
    continuity_take(&is, &old, PLACED);
    continuity_take(&is, &new, PLACED);
    assert_true(continuity_is_past(&is, &old));
    assert_false(continuity_is_past(&is, &new));
}

static void msn_is_translated_back_for_this_muxer_only(void **state)
{
    struct continuity is;
    (void)state;
    continuity_init(&is, 640, PLACED);
    assert_int_equal(continuity_engine_msn(&is, 650), -1);
    taken(&is, "aaa", 3, 1000);
    assert_int_equal(continuity_engine_msn(&is, 650), 10);
    assert_int_equal(continuity_engine_msn(&is, 640), 0);
    assert_int_equal(continuity_engine_msn(&is, 639), -1);
}

static void files_of_other_muxers_are_not_there(void **state)
{
    struct continuity is;
    (void)state;
    continuity_init(&is, 0, PLACED);
    assert_true(continuity_has_file(&is, "aaa_video1_seg0.mp4"));
    taken(&is, "aaa", 0, 1000);
    assert_true(continuity_has_file(&is, "aaa_video1_seg0.mp4"));
    assert_false(continuity_has_file(&is, "aaab_video1_seg0.mp4"));
    assert_false(continuity_has_file(&is, "bbb_video1_seg0.mp4"));
    assert_false(continuity_has_file(&is, "aaa"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_muxer_has_exactly_the_base),
        cmocka_unit_test(the_first_muxer_has_it_however_late_somebody_looks),
        cmocka_unit_test(a_later_muxer_begins_above_what_was_given_out),
        cmocka_unit_test(an_origin_that_takes_over_goes_on_with_the_same_numbers),
        cmocka_unit_test(a_muxer_that_began_while_no_origin_was_there_is_above_the_one_before),
        cmocka_unit_test(restarts_of_engines_cost_no_numbers),
        cmocka_unit_test(the_discontinuity_sequence_rises_with_each_muxer),
        cmocka_unit_test(a_placement_that_is_still_to_come_counts_as_no_time),
        cmocka_unit_test(a_playlist_of_the_muxer_before_is_known_as_such),
        cmocka_unit_test(msn_is_translated_back_for_this_muxer_only),
        cmocka_unit_test(files_of_other_muxers_are_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
