/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include "api/play_past.h"

static const struct weir_id stream = {{1}};
static const struct weir_id other = {{2}};

static const struct play_route first = {.generation = 5, .upstream = "a:1"};
static const struct play_route second = {.generation = 9, .upstream = "b:2"};

static void a_stream_that_never_moved_has_no_past(void **state)
{
    struct play_past *past = play_past_new();
    struct play_route before = {0};
    (void)state;
    assert_false(play_past_note(past, &stream, &first, 0, &before));
    assert_false(play_past_note(past, &stream, &first, 5000, &before));
    assert_false(play_past_note(past, &other, &second, 5000, &before));
    play_past_free(past);
}

static void a_stream_that_moved_is_remembered_for_a_minute(void **state)
{
    struct play_past *past = play_past_new();
    struct play_route before = {0};
    (void)state;
    assert_false(play_past_note(past, &stream, &first, 1000, &before));
    assert_true(play_past_note(past, &stream, &second, 2000, &before));
    assert_int_equal(before.generation, 5);
    assert_string_equal(before.upstream, "a:1");
    assert_true(play_past_note(past, &stream, &second, 2000 + PLAY_PAST_MS - 1, &before));
    assert_false(play_past_note(past, &stream, &second, 2000 + PLAY_PAST_MS, &before));
    play_past_free(past);
}

static void an_older_generation_is_no_move(void **state)
{
    struct play_past *past = play_past_new();
    struct play_route before = {0};
    (void)state;
    assert_false(play_past_note(past, &stream, &second, 0, &before));
    assert_false(play_past_note(past, &stream, &first, 1, &before));
    play_past_free(past);
}

static void too_many_streams_are_forgotten_together(void **state)
{
    struct play_past *past = play_past_new();
    struct play_route before = {0};
    (void)state;
    assert_false(play_past_note(past, &stream, &first, 0, &before));
    for (int i = 0; i < PLAY_PAST_MAX; i++) {
        struct weir_id id = {{3, (uint8_t)(i >> 8), (uint8_t)i}};
        play_past_note(past, &id, &first, 0, &before);
    }
    assert_false(play_past_note(past, &stream, &second, 1, &before));
    play_past_free(past);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_that_never_moved_has_no_past),
        cmocka_unit_test(a_stream_that_moved_is_remembered_for_a_minute),
        cmocka_unit_test(an_older_generation_is_no_move),
        cmocka_unit_test(too_many_streams_are_forgotten_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
