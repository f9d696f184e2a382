/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/remedy.h"

#include "tests/unit/check.h"

#define STEP_MS 250

/* Judges for so long; when it said to connect anew, or -1. */
static int64_t judge(struct tap_remedy *remedy, bool is_lossy, int64_t *now_ms, int64_t for_ms)
{
    for (int64_t end_ms = *now_ms + for_ms; *now_ms < end_ms; *now_ms += STEP_MS) {
        if (tap_remedy_judge(remedy, true, is_lossy, *now_ms))
            return *now_ms;
    }
    return -1;
}

static void loss_that_lasts_leads_to_tcp(void **state)
{
    (void)state;
    struct tap_remedy remedy = {0};
    int64_t now_ms = 1000;
    assert_int_equal(judge(&remedy, false, &now_ms, 60000), -1);
    assert_int_equal(judge(&remedy, true, &now_ms, TAP_REMEDY_LOSSY_MS - STEP_MS), -1);
    assert_int_equal(judge(&remedy, false, &now_ms, STEP_MS), -1);
    int64_t began_ms = now_ms;
    assert_int_equal(judge(&remedy, true, &now_ms, 60000), began_ms + TAP_REMEDY_LOSSY_MS);
    assert_true(tap_remedy_is_tcp(&remedy, now_ms));
}

static void udp_is_tried_again_ever_more_rarely(void **state)
{
    (void)state;
    struct tap_remedy remedy = {0};
    int64_t now_ms = 1000;
    int64_t hold_ms = TAP_REMEDY_HOLD_MS;
    for (int i = 0; i < 8; i++) {
        assert_true(judge(&remedy, true, &now_ms, 60000) > 0);
        assert_true(tap_remedy_is_tcp(&remedy, now_ms + hold_ms - 1));
        assert_false(tap_remedy_is_tcp(&remedy, now_ms + hold_ms));
        now_ms += hold_ms;
        hold_ms = 2 * hold_ms < TAP_REMEDY_MOST_MS ? 2 * hold_ms : TAP_REMEDY_MOST_MS;
    }
    assert_int_equal(hold_ms, TAP_REMEDY_MOST_MS);
}

static void a_camera_without_tcp_is_left_with_udp(void **state)
{
    (void)state;
    struct tap_remedy remedy = {0};
    int64_t now_ms = 1000;
    assert_true(judge(&remedy, true, &now_ms, 60000) > 0);
    tap_remedy_failed(&remedy, now_ms);
    assert_false(tap_remedy_is_tcp(&remedy, now_ms));
    assert_int_equal(judge(&remedy, true, &now_ms, TAP_REMEDY_HOLD_MS), -1);
    tap_remedy_failed(&remedy, now_ms); /* by UDP: that says nothing of TCP */
    assert_true(judge(&remedy, true, &now_ms, 2 * TAP_REMEDY_HOLD_MS) > 0);
}

static void what_comes_by_tcp_is_left_alone(void **state)
{
    (void)state;
    struct tap_remedy remedy = {0};
    for (int64_t now_ms = 1000; now_ms < 60000; now_ms += STEP_MS)
        assert_false(tap_remedy_judge(&remedy, false, true, now_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_that_lasts_leads_to_tcp),
        cmocka_unit_test(udp_is_tried_again_ever_more_rarely),
        cmocka_unit_test(a_camera_without_tcp_is_left_with_udp),
        cmocka_unit_test(what_comes_by_tcp_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
