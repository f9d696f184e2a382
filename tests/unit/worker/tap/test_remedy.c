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

static void refuse(struct tap_remedy *remedy, int times, int64_t now_ms)
{
    for (int i = 0; i < times; i++)
        tap_remedy_refused(remedy, now_ms);
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
    refuse(&remedy, TAP_REMEDY_REFUSALS - 1, now_ms); /* the connection before is not over there */
    assert_true(tap_remedy_is_tcp(&remedy, now_ms));
    refuse(&remedy, 1, now_ms);
    assert_false(tap_remedy_is_tcp(&remedy, now_ms));
    assert_int_equal(judge(&remedy, true, &now_ms, TAP_REMEDY_HOLD_MS), -1);
    refuse(&remedy, TAP_REMEDY_REFUSALS, now_ms); /* by UDP: that says nothing of TCP */
    assert_true(judge(&remedy, true, &now_ms, 2 * TAP_REMEDY_HOLD_MS) > 0);
}

static void a_camera_that_starts_anew_stays_with_tcp(void **state)
{
    (void)state;
    struct tap_remedy remedy = {0};
    int64_t now_ms = 1000;
    assert_true(judge(&remedy, true, &now_ms, 60000) > 0);
    tap_remedy_proved(&remedy);
    refuse(&remedy, TAP_REMEDY_REFUSALS_PROVED - 1, now_ms);
    assert_true(tap_remedy_is_tcp(&remedy, now_ms));
    tap_remedy_proved(&remedy);
    refuse(&remedy, TAP_REMEDY_REFUSALS_PROVED - 1, now_ms);
    assert_true(tap_remedy_is_tcp(&remedy, now_ms));
    refuse(&remedy, 1, now_ms); /* somebody took TCP from it */
    assert_false(tap_remedy_is_tcp(&remedy, now_ms));
}

static void one_that_cannot_be_reached_says_nothing_of_tcp(void **state)
{
    (void)state;
    assert_true(tap_remedy_is_refusal(WEIR_REASON_source_refused, true));
    assert_true(tap_remedy_is_refusal(WEIR_REASON_source_silent, true));
    assert_true(tap_remedy_is_refusal(WEIR_REASON_source_protocol_error, true));
    assert_false(tap_remedy_is_refusal(WEIR_REASON_source_refused, false)); /* the connection */
    assert_false(tap_remedy_is_refusal(WEIR_REASON_source_timeout, false));
    assert_false(tap_remedy_is_refusal(WEIR_REASON_source_unreachable, false));
    assert_false(tap_remedy_is_refusal(WEIR_REASON_source_busy, true));
    assert_false(tap_remedy_is_refusal(WEIR_REASON_source_auth_failed, true));
}

static void udp_that_was_good_for_as_long_is_tried_soon_again(void **state)
{
    (void)state;
    struct tap_remedy remedy = {0};
    int64_t now_ms = 1000;
    for (int i = 0; i < 2; i++) {
        assert_true(judge(&remedy, true, &now_ms, 60000) > 0);
        now_ms += remedy.hold_ms;
    }
    assert_int_equal(remedy.hold_ms, 2 * TAP_REMEDY_HOLD_MS);
    judge(&remedy, false, &now_ms, remedy.hold_ms / 2);
    judge(&remedy, true, &now_ms, STEP_MS);
    judge(&remedy, false, &now_ms, remedy.hold_ms / 2);
    now_ms += remedy.hold_ms; /* it was not read meanwhile */
    judge(&remedy, false, &now_ms, remedy.hold_ms / 4);
    assert_int_equal(remedy.hold_ms, 2 * TAP_REMEDY_HOLD_MS);
    judge(&remedy, false, &now_ms, remedy.hold_ms);
    assert_true(judge(&remedy, true, &now_ms, 60000) > 0);
    assert_int_equal(remedy.hold_ms, TAP_REMEDY_HOLD_MS);
}

static void what_comes_by_tcp_is_left_alone(void **state)
{
    (void)state;
    struct tap_remedy remedy = {0};
    for (int64_t now_ms = 1000; now_ms < 60000; now_ms += STEP_MS)
        assert_false(tap_remedy_judge(&remedy, false, true, now_ms));
}

static void what_was_done_in_vain_is_not_done_for_ever(void **state)
{
    (void)state;
    struct tap_remedy remedy = {0};
    int64_t now_ms = 1000;
    for (int i = 0; i < WEIR_BUDGET_ACTIONS; i++) {
        assert_false(tap_remedy_withhold(&remedy, true, now_ms)); /* it may be done */
        assert_int_equal(tap_remedy_take(&remedy, now_ms), 0);
        now_ms += 6000;
    }
    /* Nor is TCP tried now. */
    assert_int_equal(judge(&remedy, true, &now_ms, 60000), -1);
    assert_true(tap_remedy_withhold(&remedy, true, now_ms));
    assert_true(remedy.is_withheld);
    assert_false(tap_remedy_withhold(&remedy, true, now_ms + 1)); /* that is told once */
    assert_true(tap_remedy_withhold(&remedy, false, now_ms + 2));
    assert_false(remedy.is_withheld);
    /* One that is due nevertheless has to wait. */
    int64_t wait_ms = tap_remedy_take(&remedy, now_ms);
    assert_int_equal(wait_ms, 1000 + WEIR_BUDGET_SPAN_MS - now_ms);
    assert_true(weir_budget_wait_ms(&remedy.budget, now_ms + wait_ms) > WEIR_BUDGET_SPAN_MS / 2);
}

/* A camera that stands still a moment after each connect, for a day: each judged as the tap does.
 */
static void a_day_of_a_camera_that_always_stands_still_is_no_loop(void **state)
{
    (void)state;
    const int64_t day_ms = 86400000;
    const int64_t silent_ms = 5000;
    struct tap_remedy remedy = {0};
    int64_t up_ms = 1000;
    int connects = 0;
    while (up_ms < day_ms) {
        int64_t not_before_ms = up_ms + weir_budget_wait_ms(&remedy.budget, up_ms);
        int64_t ends_ms = up_ms + silent_ms > not_before_ms ? up_ms + silent_ms : not_before_ms;
        assert_int_equal(tap_remedy_take(&remedy, ends_ms), 0);
        up_ms = ends_ms + 500;
        connects++;
    }
    assert_in_range(connects, 1400, 1500); /* one a minute */
}

static void only_what_another_connection_may_cure_is_ours(void **state)
{
    (void)state;
    assert_true(tap_remedy_is_for(WEIR_REASON_source_silent));
    assert_true(tap_remedy_is_for(WEIR_REASON_no_keyframe));
    assert_false(tap_remedy_is_for(WEIR_REASON_source_closed));
    assert_false(tap_remedy_is_for(WEIR_REASON_source_auth_failed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_that_lasts_leads_to_tcp),
        cmocka_unit_test(udp_is_tried_again_ever_more_rarely),
        cmocka_unit_test(a_camera_without_tcp_is_left_with_udp),
        cmocka_unit_test(a_camera_that_starts_anew_stays_with_tcp),
        cmocka_unit_test(one_that_cannot_be_reached_says_nothing_of_tcp),
        cmocka_unit_test(udp_that_was_good_for_as_long_is_tried_soon_again),
        cmocka_unit_test(what_comes_by_tcp_is_left_alone),
        cmocka_unit_test(what_was_done_in_vain_is_not_done_for_ever),
        cmocka_unit_test(a_day_of_a_camera_that_always_stands_still_is_no_loop),
        cmocka_unit_test(only_what_another_connection_may_cure_is_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
