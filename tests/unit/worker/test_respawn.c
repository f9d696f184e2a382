/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include "worker/respawn.h"

#define T0 1000000

/* Ends right after each start, `n` times; the last delay. */
static int64_t crash(struct respawn *respawn, int64_t *now_ms, int n)
{
    int64_t delay_ms = -1;
    for (int i = 0; i < n; i++) {
        respawn_started(respawn, *now_ms);
        *now_ms += 10;
        delay_ms = respawn_ended(respawn, *now_ms);
        *now_ms += delay_ms;
    }
    return delay_ms;
}

static void the_first_ends_cost_no_time(void **state)
{
    struct respawn respawn = {0};
    int64_t now_ms = T0;
    (void)state;
    for (int i = 0; i < RESPAWN_AT_ONCE; i++) {
        assert_int_equal(crash(&respawn, &now_ms, 1), 0);
    }
}

static void what_ends_again_and_again_waits_twice_as_long_each_time_up_to_a_bound(void **state)
{
    struct respawn respawn = {0};
    int64_t now_ms = T0;
    (void)state;
    crash(&respawn, &now_ms, RESPAWN_AT_ONCE);
    assert_int_equal(crash(&respawn, &now_ms, 1), 500);
    assert_int_equal(crash(&respawn, &now_ms, 1), 1000);
    assert_int_equal(crash(&respawn, &now_ms, 1), 2000);
    assert_int_equal(crash(&respawn, &now_ms, 100), RESPAWN_MOST_MS);
}

static void what_lived_for_a_while_is_trusted_again(void **state)
{
    struct respawn respawn = {0};
    int64_t now_ms = T0;
    (void)state;
    crash(&respawn, &now_ms, RESPAWN_AT_ONCE + 4);
    respawn_started(&respawn, now_ms);
    assert_int_equal(respawn_ended(&respawn, now_ms + RESPAWN_TRUST_MS), 0);
    respawn_started(&respawn, now_ms);
    assert_int_equal(respawn_ended(&respawn, now_ms + RESPAWN_TRUST_MS - 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_ends_cost_no_time),
        cmocka_unit_test(what_ends_again_and_again_waits_twice_as_long_each_time_up_to_a_bound),
        cmocka_unit_test(what_lived_for_a_while_is_trusted_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
