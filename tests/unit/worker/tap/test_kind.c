/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/kind.h"

#include "tests/unit/check.h"

static struct tap_params params(uint8_t which)
{
    return (struct tap_params){.sps = {.len = 2, .bytes = {0x67, which}}};
}

/* As the camera's pictures come, a keyframe each second; says when it started over. */
static int64_t follow(struct tap_kind *kind, uint8_t which, int64_t from_s, int64_t until_s)
{
    int64_t over_s = -1;
    for (int64_t s = from_s; s < until_s; s++) {
        struct tap_params now = params(which);
        if (!tap_kind_is_due(kind, &now, s * 1000))
            continue;
        tap_kind_start_over(kind, &now, s * 1000);
        assert_true(over_s < 0);
        over_s = s;
    }
    return over_s;
}

static void another_picture_is_followed_at_once(void **state)
{
    (void)state;
    struct tap_kind kind = {0};
    struct tap_params first = params(1);
    tap_kind_begin(&kind, &first);
    assert_int_equal(follow(&kind, 1, 0, 30), -1);
    assert_int_equal(follow(&kind, 2, 30, 60), 30);
    struct tap_params vps = params(2);
    vps.vps = (struct tap_param){.len = 1, .bytes = {0x40}};
    assert_true(tap_kind_is_due(&kind, &vps, 60000));
}

static void a_second_change_is_followed_when_the_pause_is_over(void **state)
{
    (void)state;
    struct tap_kind kind = {0};
    struct tap_params first = params(1);
    tap_kind_begin(&kind, &first);
    assert_int_equal(follow(&kind, 2, 30, 33), 30);
    assert_int_equal(follow(&kind, 3, 33, 60), 40);
    /* One that is taken back before is none. */
    assert_int_equal(follow(&kind, 1, 60, 61), 60);
    assert_int_equal(follow(&kind, 3, 61, 68), -1);
    assert_int_equal(follow(&kind, 1, 68, 99), -1);
}

static void who_changes_his_mind_all_the_time_is_followed_now_and_then(void **state)
{
    (void)state;
    struct tap_kind kind = {0};
    struct tap_params first = params(0);
    int followed = 0;
    tap_kind_begin(&kind, &first);
    for (int64_t s = 1; s < 101; s++)
        followed += follow(&kind, (uint8_t)s, s, s + 1) >= 0;
    assert_int_equal(followed, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_picture_is_followed_at_once),
        cmocka_unit_test(a_second_change_is_followed_when_the_pause_is_over),
        cmocka_unit_test(who_changes_his_mind_all_the_time_is_followed_now_and_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
