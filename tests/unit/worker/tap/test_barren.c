/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/barren.h"

#include "tests/unit/check.h"

static void it_takes_some_keyframes_and_some_seconds(void **state)
{
    (void)state;
    struct tap_barren barren = {0};
    for (int64_t ms = 0; ms < TAP_BARREN_MS; ms += 40) /* each image of Motion JPEG is one */
        assert_false(tap_barren_key(&barren, 1000 + ms));
    assert_true(tap_barren_key(&barren, 1000 + TAP_BARREN_MS));
    struct tap_barren rare = {0};
    assert_false(tap_barren_key(&rare, 1000));
    assert_false(tap_barren_key(&rare, 1000 + TAP_BARREN_MS));
    assert_true(tap_barren_key(&rare, 1000 + 2 * TAP_BARREN_MS));
}

static void it_is_told_once(void **state)
{
    (void)state;
    struct tap_barren barren = {0};
    int told = 0;
    for (int64_t ms = 0; ms < 20 * TAP_BARREN_MS; ms += 500)
        told += tap_barren_key(&barren, ms);
    assert_int_equal(told, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_takes_some_keyframes_and_some_seconds),
        cmocka_unit_test(it_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
