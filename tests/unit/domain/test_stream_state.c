/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/stream_state.h"

#include "tests/unit/check.h"

#define S(state) WEIR_STREAM_STATE_##state

static void the_usual_life_is_legal(void **state)
{
    (void)state;
    static const enum weir_stream_state life[] = {S(QUEUED),  S(PLACED),   S(STARTING),
                                                  S(RUNNING), S(STOPPING), S(STOPPED)};
    for (size_t i = 0; i + 1 < sizeof(life) / sizeof(life[0]); i++) {
        assert_true(weir_stream_state_is_legal(life[i], life[i + 1]));
    }
}

static void an_ended_stream_only_comes_back_through_the_queue(void **state)
{
    (void)state;
    for (int from = 0; from < WEIR_STREAM_STATE_N; from++) {
        if (!weir_stream_state_is_final((enum weir_stream_state)from)) {
            continue;
        }
        for (int to = 0; to < WEIR_STREAM_STATE_N; to++) {
            assert_int_equal(weir_stream_state_is_legal((enum weir_stream_state)from,
                                                        (enum weir_stream_state)to),
                             to == (int)S(QUEUED));
        }
    }
}

static void every_placed_state_can_lose_its_worker(void **state)
{
    (void)state;
    for (int from = 0; from < WEIR_STREAM_STATE_N; from++) {
        if (weir_stream_state_is_placed((enum weir_stream_state)from)) {
            assert_true(weir_stream_state_is_legal((enum weir_stream_state)from, S(QUEUED)));
            assert_true(weir_stream_state_is_legal((enum weir_stream_state)from, S(STOPPED)));
        }
    }
}

static void a_watched_stream_may_come_back_from_stopping(void **state)
{
    (void)state;
    assert_true(weir_stream_state_is_legal(S(STOPPING), S(RUNNING)));
    assert_false(weir_stream_state_is_live(S(STOPPING)));
    assert_true(weir_stream_state_is_placed(S(STOPPING)));
}

static void a_queued_stream_is_live_but_not_placed(void **state)
{
    (void)state;
    assert_true(weir_stream_state_is_live(S(QUEUED)));
    assert_false(weir_stream_state_is_placed(S(QUEUED)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_life_is_legal),
        cmocka_unit_test(an_ended_stream_only_comes_back_through_the_queue),
        cmocka_unit_test(every_placed_state_can_lose_its_worker),
        cmocka_unit_test(a_watched_stream_may_come_back_from_stopping),
        cmocka_unit_test(a_queued_stream_is_live_but_not_placed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
