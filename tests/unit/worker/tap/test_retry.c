/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/retry.h"

#include "tests/unit/check.h"

static void delays_double_up_to_the_ceiling_and_jitter_down_to_half(void **state)
{
    (void)state;
    static const int64_t most[] = {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};
    for (unsigned i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
        for (uint32_t chance = 0; chance < 100000; chance += 77)
            assert_in_range(tap_retry_delay_ms(i + 1, chance), most[i] / 2, most[i]);
    }
    assert_int_equal(tap_retry_delay_ms(1, 0), 250);
    assert_int_equal(tap_retry_delay_ms(1, 250), 500);
    assert_in_range(tap_retry_delay_ms(4000000000U, 1), 15000, 30000);
}

static void connects_to_a_host_are_spaced_evenly(void **state)
{
    (void)state;
    struct tap_pace pace = {0};
    int64_t now = 5000;
    assert_int_equal(tap_pace_take(&pace, 10, now), 0);
    assert_int_equal(tap_pace_take(&pace, 10, now), 100);
    assert_int_equal(tap_pace_take(&pace, 10, now + 60), 40);
    assert_int_equal(tap_pace_take(&pace, 10, now + 100), 0);
    assert_int_equal(tap_pace_take(&pace, 10, now + 9000), 0);
    assert_int_equal(tap_pace_take(&pace, 10, now + 9000), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_double_up_to_the_ceiling_and_jitter_down_to_half),
        cmocka_unit_test(connects_to_a_host_are_spaced_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
