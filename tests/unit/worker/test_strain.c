/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/strain.h"

#include "tests/unit/check.h"

#define AT 400000

/* Each second from `from_s` on; what was said last. */
static int64_t go(struct strain *strain, int64_t psi_ppm, int from_s, int seconds)
{
    int64_t ppm = 0;
    for (int s = from_s; s < from_s + seconds; s++)
        ppm = strain_judge(strain, psi_ppm, AT, s * 1000);
    return ppm;
}

static void frames_go_step_by_step_and_come_back_slower(void **state)
{
    (void)state;
    struct strain strain = {0};
    assert_int_equal(go(&strain, 900000, 0, 10), STRAIN_ALL_PPM);
    assert_int_equal(go(&strain, 900000, 10, 1), 700000);
    assert_int_equal(go(&strain, 900000, 11, 9), 700000);
    assert_int_equal(go(&strain, 900000, 20, 1), 500000);
    assert_int_equal(go(&strain, 900000, 21, 300), 250000); /* and no less */
    assert_int_equal(go(&strain, 0, 321, 30), 250000);
    assert_int_equal(go(&strain, 0, 351, 1), 350000);
    assert_int_equal(go(&strain, 0, 352, 300), STRAIN_ALL_PPM);
}

static void between_the_limits_all_stays_as_it_is(void **state)
{
    (void)state;
    struct strain strain = {0};
    assert_int_equal(go(&strain, AT, 0, 11), 700000);
    assert_int_equal(go(&strain, AT / 2, 11, 1000), 700000);
    /* A short time of either kind is none. */
    for (int s = 1011; s < 1200; s += 6) {
        assert_int_equal(go(&strain, AT, s, 5), 700000);
        assert_int_equal(go(&strain, 0, s + 5, 1), 700000);
    }
}

static void without_a_limit_no_frame_is_left_out(void **state)
{
    (void)state;
    struct strain strain = {0};
    assert_int_equal(go(&strain, AT, 0, 100), 250000);
    assert_int_equal(strain_judge(&strain, 1000000, 0, 100000), STRAIN_ALL_PPM);
    assert_int_equal(strain.step, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_go_step_by_step_and_come_back_slower),
        cmocka_unit_test(between_the_limits_all_stays_as_it_is),
        cmocka_unit_test(without_a_limit_no_frame_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
