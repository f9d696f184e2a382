/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW 1000000

/* ---- streams ---- */

static struct plan_stream_view placed(void)
{
    return (struct plan_stream_view){
        .is_wanted = true, .row_state = WEIR_STREAM_STATE_PLACED, .down_since_ms = NOW};
}

static struct plan_stream_view starting(void)
{
    struct plan_stream_view view = placed();
    view.row_state = WEIR_STREAM_STATE_STARTING;
    view.said = PLAN_SAID_STARTING;
    view.said_at_ms = NOW;
    return view;
}

static struct plan_stream_view running(void)
{
    struct plan_stream_view view = starting();
    view.row_state = WEIR_STREAM_STATE_RUNNING;
    view.said = PLAN_SAID_STARTED;
    view.is_camera_given = true;
    view.is_published = true;
    view.health = PLAN_HEALTH_UP;
    view.has_playlist = true;
    return view;
}

static struct plan_stream_view idle_stop(void)
{
    struct plan_stream_view view = running();
    view.row_state = WEIR_STREAM_STATE_STOPPING;
    view.is_idle_stop = true;
    return view;
}

static void a_placed_stream_says_starting_first(void **state)
{
    (void)state;
    struct plan_stream_view view = placed();
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_SAY_STARTING);
}

static void what_it_really_is_is_said_when_the_log_says_otherwise(void **state)
{
    (void)state;
    struct plan_stream_view view = running();
    view.said_at_ms = NOW - PLAN_REPEAT_MS;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_NOTHING);
    view.is_effective_news = true;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_SAY_STARTED);
    view.said_at_ms = NOW; /* not all the time */
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_NOTHING);
}

static void starting_is_said_again_until_the_log_reflects_it(void **state)
{
    (void)state;
    struct plan_stream_view view = starting();
    view.row_state = WEIR_STREAM_STATE_PLACED;
    assert_int_equal(plan_stream(&view, NOW + PLAN_REPEAT_MS - 1), PLAN_STREAM_NOTHING);
    assert_int_equal(plan_stream(&view, NOW + PLAN_REPEAT_MS), PLAN_STREAM_SAY_STARTING);
    view.row_state = WEIR_STREAM_STATE_STARTING;
    assert_int_equal(plan_stream(&view, NOW + PLAN_REPEAT_MS), PLAN_STREAM_NOTHING);
}

static void a_stream_is_published_once_the_tap_has_its_camera(void **state)
{
    (void)state;
    struct plan_stream_view view = starting();
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_NOTHING);
    view.is_camera_given = true;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_PUBLISH);
    view.publish_at_ms = NOW + 100;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_NOTHING);
    assert_int_equal(plan_stream(&view, NOW + 100), PLAN_STREAM_PUBLISH);
}

static void started_is_said_only_with_a_playlist(void **state)
{
    (void)state;
    struct plan_stream_view view = starting();
    view.is_camera_given = view.is_published = true;
    view.health = PLAN_HEALTH_UP;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_NOTHING);
    view.has_playlist = true;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_SAY_STARTED);
}

static void a_running_stream_needs_nothing(void **state)
{
    (void)state;
    struct plan_stream_view view = running();
    assert_int_equal(plan_stream(&view, NOW + 1000000), PLAN_STREAM_NOTHING);
    view.row_state = WEIR_STREAM_STATE_SUSPECT;
    assert_int_equal(plan_stream(&view, NOW + 1000000), PLAN_STREAM_NOTHING);
}

static void a_running_stream_is_published_again_after_a_crash_and_nothing_is_said(void **state)
{
    (void)state;
    struct plan_stream_view view = running();
    view.is_published = view.has_playlist = false;
    view.health = PLAN_HEALTH_UNKNOWN;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_PUBLISH);
    view.is_published = true;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_NOTHING);
    view.has_playlist = true;
    view.health = PLAN_HEALTH_UP;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_NOTHING);
}

static void a_failing_start_is_said_at_once(void **state)
{
    (void)state;
    struct plan_stream_view view = starting();
    view.health = PLAN_HEALTH_FAILING;
    view.is_failure_news = true;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_SAY_FAILING);
}

static void a_playing_stream_may_fail_for_a_moment_unmentioned(void **state)
{
    (void)state;
    struct plan_stream_view view = running();
    view.health = PLAN_HEALTH_FAILING;
    view.is_failure_news = true;
    assert_int_equal(plan_stream(&view, NOW + PLAN_GRACE_MS - 1), PLAN_STREAM_NOTHING);
    assert_int_equal(plan_stream(&view, NOW + PLAN_GRACE_MS), PLAN_STREAM_SAY_FAILING);
}

static void what_cannot_get_better_is_said_without_grace(void **state)
{
    (void)state;
    struct plan_stream_view view = running();
    view.health = PLAN_HEALTH_FAILING;
    view.is_failure_news = view.is_permanent = true;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_SAY_FAILING);
}

static void failing_is_said_once_for_each_reason(void **state)
{
    (void)state;
    struct plan_stream_view view = running();
    view.row_state = WEIR_STREAM_STATE_BACKOFF;
    view.said = PLAN_SAID_FAILING;
    view.health = PLAN_HEALTH_FAILING;
    assert_int_equal(plan_stream(&view, NOW + 100000), PLAN_STREAM_NOTHING);
    view.is_failure_news = true;
    assert_int_equal(plan_stream(&view, NOW + 100000), PLAN_STREAM_SAY_FAILING);
}

static void a_source_that_came_back_is_said_to_have_started(void **state)
{
    (void)state;
    struct plan_stream_view view = running();
    view.row_state = WEIR_STREAM_STATE_BACKOFF;
    view.said = PLAN_SAID_FAILING;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_SAY_STARTED);
}

static void started_is_said_again_while_the_log_says_backoff(void **state)
{
    (void)state;
    struct plan_stream_view view = running();
    view.row_state = WEIR_STREAM_STATE_BACKOFF;
    assert_int_equal(plan_stream(&view, NOW + 10), PLAN_STREAM_NOTHING);
    assert_int_equal(plan_stream(&view, NOW + PLAN_REPEAT_MS), PLAN_STREAM_SAY_STARTED);
}

static void a_stop_that_was_asked_for_is_final(void **state)
{
    (void)state;
    struct plan_stream_view view = idle_stop();
    view.is_idle_stop = false;
    view.has_request = true;
    view.request_age_ms = 10;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_END);
}

static void an_idle_stop_asks_the_origin_first(void **state)
{
    (void)state;
    struct plan_stream_view view = idle_stop();
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_ASK);
    view.ask = PLAN_ASK_SENT;
    view.asked_at_ms = NOW;
    assert_int_equal(plan_stream(&view, NOW + PLAN_ASK_WAIT_MS - 1), PLAN_STREAM_NOTHING);
}

static void a_stream_that_nobody_watches_ends(void **state)
{
    (void)state;
    struct plan_stream_view view = idle_stop();
    view.ask = PLAN_ASK_ANSWERED;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_END);
    view.has_request = true;
    view.request_age_ms = PLAN_WATCHED_MS;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_END);
}

static void a_viewer_who_came_meanwhile_keeps_the_stream(void **state)
{
    (void)state;
    struct plan_stream_view view = idle_stop();
    view.ask = PLAN_ASK_ANSWERED;
    view.has_request = true;
    view.request_age_ms = PLAN_WATCHED_MS - 1;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_SAY_WATCHED);
}

static void an_origin_that_does_not_answer_is_judged_by_what_it_reported(void **state)
{
    (void)state;
    struct plan_stream_view view = idle_stop();
    view.ask = PLAN_ASK_SENT;
    view.asked_at_ms = NOW - PLAN_ASK_WAIT_MS;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_END);
    view.has_request = true;
    view.request_age_ms = 1000;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_SAY_WATCHED);
}

static void a_watched_stream_is_asked_about_again_if_the_stop_stays(void **state)
{
    (void)state;
    struct plan_stream_view view = idle_stop();
    view.said = PLAN_SAID_WATCHED;
    assert_int_equal(plan_stream(&view, NOW + 1), PLAN_STREAM_NOTHING);
    assert_int_equal(plan_stream(&view, NOW + PLAN_REPEAT_MS), PLAN_STREAM_ASK);
}

static void a_stream_that_was_watched_goes_on(void **state)
{
    (void)state;
    struct plan_stream_view view = running();
    view.said = PLAN_SAID_WATCHED;
    assert_int_equal(plan_stream(&view, NOW + 100000), PLAN_STREAM_NOTHING);
}

static void exited_is_said_again_until_the_row_moves_on(void **state)
{
    (void)state;
    struct plan_stream_view view = idle_stop();
    view.said = PLAN_SAID_EXITED;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_NOTHING);
    assert_int_equal(plan_stream(&view, NOW + PLAN_REPEAT_MS), PLAN_STREAM_END);
    view.row_state = WEIR_STREAM_STATE_STOPPED;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_FORGET);
}

static void a_stream_that_is_placed_elsewhere_is_forgotten(void **state)
{
    (void)state;
    struct plan_stream_view view = running();
    view.is_wanted = false;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_FORGET);
}

static void a_failed_stream_is_forgotten(void **state)
{
    (void)state;
    struct plan_stream_view view = running();
    view.row_state = WEIR_STREAM_STATE_FAILED;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_FORGET);
    view.row_state = WEIR_STREAM_STATE_QUEUED;
    assert_int_equal(plan_stream(&view, NOW), PLAN_STREAM_FORGET);
}

/* ---- leases ---- */

static struct plan_lease_view active(void)
{
    return (struct plan_lease_view){.is_wanted = true, .row_state = WEIR_LEASE_STATE_ACTIVE};
}

static void a_new_lease_gets_its_address_then_goes_to_the_tap(void **state)
{
    (void)state;
    struct plan_lease_view view = active();
    assert_int_equal(plan_lease(&view, NOW), PLAN_LEASE_FETCH);
    view.is_fetching = true;
    assert_int_equal(plan_lease(&view, NOW), PLAN_LEASE_NOTHING);
    view.is_fetching = false;
    view.has_source = true;
    assert_int_equal(plan_lease(&view, NOW), PLAN_LEASE_GIVE);
    view.is_given = true;
    assert_int_equal(plan_lease(&view, NOW), PLAN_LEASE_NOTHING);
}

static void a_failed_fetch_waits(void **state)
{
    (void)state;
    struct plan_lease_view view = active();
    view.fetch_at_ms = NOW + 500;
    assert_int_equal(plan_lease(&view, NOW), PLAN_LEASE_NOTHING);
    assert_int_equal(plan_lease(&view, NOW + 500), PLAN_LEASE_FETCH);
}

static void a_lingering_or_warm_lease_stays_with_the_tap(void **state)
{
    (void)state;
    struct plan_lease_view view = active();
    view.has_source = true;
    view.row_state = WEIR_LEASE_STATE_LINGERING;
    assert_int_equal(plan_lease(&view, NOW), PLAN_LEASE_GIVE);
    view.row_state = WEIR_LEASE_STATE_WARM;
    assert_int_equal(plan_lease(&view, NOW), PLAN_LEASE_GIVE);
}

static void a_changed_camera_is_fetched_again_while_the_old_address_serves(void **state)
{
    (void)state;
    struct plan_lease_view view = active();
    view.has_source = view.is_given = view.is_stale = true;
    assert_int_equal(plan_lease(&view, NOW), PLAN_LEASE_FETCH);
    view.is_given = false;
    assert_int_equal(plan_lease(&view, NOW), PLAN_LEASE_GIVE);
}

static void a_released_lease_is_said_until_the_row_is_gone(void **state)
{
    (void)state;
    struct plan_lease_view view = active();
    view.row_state = WEIR_LEASE_STATE_RELEASING;
    assert_int_equal(plan_lease(&view, NOW), PLAN_LEASE_RELEASE);
    view.is_released = true;
    view.said_at_ms = NOW;
    assert_int_equal(plan_lease(&view, NOW + 1), PLAN_LEASE_NOTHING);
    assert_int_equal(plan_lease(&view, NOW + PLAN_REPEAT_MS), PLAN_LEASE_RELEASE);
    view.row_state = WEIR_LEASE_STATE_NONE;
    assert_int_equal(plan_lease(&view, NOW), PLAN_LEASE_FORGET);
}

static void a_lease_of_another_incarnation_is_forgotten(void **state)
{
    (void)state;
    struct plan_lease_view view = active();
    view.is_wanted = false;
    assert_int_equal(plan_lease(&view, NOW), PLAN_LEASE_FORGET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_placed_stream_says_starting_first),
        cmocka_unit_test(what_it_really_is_is_said_when_the_log_says_otherwise),
        cmocka_unit_test(starting_is_said_again_until_the_log_reflects_it),
        cmocka_unit_test(a_stream_is_published_once_the_tap_has_its_camera),
        cmocka_unit_test(started_is_said_only_with_a_playlist),
        cmocka_unit_test(a_running_stream_needs_nothing),
        cmocka_unit_test(a_running_stream_is_published_again_after_a_crash_and_nothing_is_said),
        cmocka_unit_test(a_failing_start_is_said_at_once),
        cmocka_unit_test(a_playing_stream_may_fail_for_a_moment_unmentioned),
        cmocka_unit_test(what_cannot_get_better_is_said_without_grace),
        cmocka_unit_test(failing_is_said_once_for_each_reason),
        cmocka_unit_test(a_source_that_came_back_is_said_to_have_started),
        cmocka_unit_test(started_is_said_again_while_the_log_says_backoff),
        cmocka_unit_test(a_stop_that_was_asked_for_is_final),
        cmocka_unit_test(an_idle_stop_asks_the_origin_first),
        cmocka_unit_test(a_stream_that_nobody_watches_ends),
        cmocka_unit_test(a_viewer_who_came_meanwhile_keeps_the_stream),
        cmocka_unit_test(an_origin_that_does_not_answer_is_judged_by_what_it_reported),
        cmocka_unit_test(a_watched_stream_is_asked_about_again_if_the_stop_stays),
        cmocka_unit_test(a_stream_that_was_watched_goes_on),
        cmocka_unit_test(exited_is_said_again_until_the_row_moves_on),
        cmocka_unit_test(a_stream_that_is_placed_elsewhere_is_forgotten),
        cmocka_unit_test(a_failed_stream_is_forgotten),
        cmocka_unit_test(a_new_lease_gets_its_address_then_goes_to_the_tap),
        cmocka_unit_test(a_failed_fetch_waits),
        cmocka_unit_test(a_lingering_or_warm_lease_stays_with_the_tap),
        cmocka_unit_test(a_changed_camera_is_fetched_again_while_the_old_address_serves),
        cmocka_unit_test(a_released_lease_is_said_until_the_row_is_gone),
        cmocka_unit_test(a_lease_of_another_incarnation_is_forgotten),
    };
    return cmocka_run_group_tests_name("worker plan", tests, NULL, NULL);
}
