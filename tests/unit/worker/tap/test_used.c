/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/used.h"

#include "tests/unit/check.h"

static void cpu_time_becomes_a_share_of_a_core(void **state)
{
    struct tap_used used = {0};
    (void)state;
    assert_int_equal(tap_used_look(&used, 700000, 1000000), -1);
    assert_int_equal(tap_used_look(&used, 1700000, 6000000), 200);
    assert_int_equal(tap_used_look(&used, 1700000, 6000000), -1);
    assert_int_equal(tap_used_look(&used, 1700000, 11000000), 0);
    /* Another process: it took what it has. */
    assert_int_equal(tap_used_look(&used, 500000, 16000000), 100);
}

static void it_is_shared_by_pixels(void **state)
{
    const int64_t weights[] = {1280 * 720 * 25, 640 * 360 * 5, 640 * 360 * 5};
    const int64_t one = 1;
    (void)state;
    assert_int_equal(tap_used_part(300, weights, 3, 0), 272);
    assert_int_equal(tap_used_part(300, weights, 3, 1), 13);
    assert_int_equal(tap_used_part(300, weights, 3, 2), 13);
    assert_int_equal(tap_used_part(300, &one, 1, 0), 300);
    assert_int_equal(tap_used_part(300, weights, 0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_time_becomes_a_share_of_a_core),
        cmocka_unit_test(it_is_shared_by_pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
