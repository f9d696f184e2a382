/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/steady.h"

#include "tests/unit/check.h"

/* Looks each second, and says how often it moved. */
static int look(struct tap_steady *steady, int64_t is, int64_t measured, int64_t from_s,
                int64_t until_s)
{
    int moved = 0;
    for (int64_t s = from_s; s < until_s; s++)
        moved += tap_steady_moved(steady, is, measured, s * 1000);
    return moved;
}

static void a_fifth_is_nothing(void **state)
{
    (void)state;
    struct tap_steady steady = {0};
    assert_int_equal(look(&steady, 25000, 20000, 0, 60), 0);
    assert_int_equal(look(&steady, 25000, 30000, 60, 120), 0);
    assert_int_equal(look(&steady, 25000, 19900, 120, 126), 1);
    assert_int_equal(look(&steady, 25000, 30100, 126, 132), 1);
}

static void what_does_not_last_is_nothing(void **state)
{
    (void)state;
    struct tap_steady steady = {0};
    for (int64_t s = 0; s < 100; s += 5) {
        assert_int_equal(look(&steady, 25000, 6000, s, s + 4), 0);
        assert_int_equal(look(&steady, 25000, 24000, s + 4, s + 5), 0);
    }
}

static void it_is_waited_for_until_it_stands_still(void **state)
{
    (void)state;
    struct tap_steady steady = {0};
    int64_t s = 0;
    for (int64_t fps = 25000; fps > 6000; fps -= 1900, s++)
        assert_false(tap_steady_moved(&steady, 25000, fps, s * 1000));
    assert_int_equal(look(&steady, 25000, 6000, s, s + 5), 0);
    assert_int_equal(look(&steady, 25000, 6100, s + 5, s + 6), 1);
}

static void what_is_so_for_a_while_lasts(void **state)
{
    (void)state;
    struct tap_steady steady = {0};
    assert_false(tap_steady_lasts(&steady, true, 1000));
    assert_false(tap_steady_lasts(&steady, true, 1000 + TAP_STEADY_MS - 1));
    assert_false(tap_steady_lasts(&steady, false, 1000 + TAP_STEADY_MS));
    assert_false(tap_steady_lasts(&steady, true, 2000 + TAP_STEADY_MS));
    assert_true(tap_steady_lasts(&steady, true, 2000 + 2 * TAP_STEADY_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fifth_is_nothing),
        cmocka_unit_test(what_does_not_last_is_nothing),
        cmocka_unit_test(it_is_waited_for_until_it_stands_still),
        cmocka_unit_test(what_is_so_for_a_while_lasts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
