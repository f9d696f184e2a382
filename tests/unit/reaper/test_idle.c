/* SPDX-License-Identifier: Apache-2.0 */
#include "reaper/idle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TIMEOUT_MS 30000
#define NEVER      (-1)
#define KAFKA_MS   1700000000000 /* its clock is another one */

/* Read in the moment it is written. */
static void heard(struct reaper_idle *idle, int64_t age_ms, int64_t now_ms)
{
    reaper_idle_heard(idle, age_ms, KAFKA_MS + now_ms, now_ms);
}

/* A heartbeat each second from `from_ms` up to and with `to_ms`; nobody watches at the origin. */
static void beat(struct reaper_idle *idle, int64_t from_ms, int64_t to_ms)
{
    for (int64_t now_ms = from_ms; now_ms <= to_ms; now_ms += 1000)
        heard(idle, NEVER, now_ms);
}

static void a_stream_nobody_ever_watched_is_due_after_its_timeout(void **state)
{
    (void)state;
    struct reaper_idle idle;
    reaper_idle_begin(&idle, 1000);
    beat(&idle, 1000, 31000);
    assert_false(reaper_idle_is_due(&idle, TIMEOUT_MS, 30999));
    assert_true(reaper_idle_is_due(&idle, TIMEOUT_MS, 31000));
}

static void a_sign_of_a_viewer_moves_the_end(void **state)
{
    (void)state;
    struct reaper_idle idle;
    reaper_idle_begin(&idle, 0);
    reaper_idle_watched(&idle, 20000);
    beat(&idle, 0, 50000);
    assert_false(reaper_idle_is_due(&idle, TIMEOUT_MS, 49999));
    assert_true(reaper_idle_is_due(&idle, TIMEOUT_MS, 50000));
}

static void the_origins_last_request_counts_by_its_age(void **state)
{
    (void)state;
    struct reaper_idle idle;
    reaper_idle_begin(&idle, 0);
    beat(&idle, 0, 29000);
    heard(&idle, 2500, 30000);
    beat(&idle, 31000, 57000);
    assert_false(reaper_idle_is_due(&idle, TIMEOUT_MS, 57499));
    assert_true(reaper_idle_is_due(&idle, TIMEOUT_MS, 57500));
}

static void older_news_does_not_move_it_back(void **state)
{
    (void)state;
    struct reaper_idle idle;
    reaper_idle_begin(&idle, 0);
    reaper_idle_watched(&idle, 20000);
    heard(&idle, 15000, 21000);
    beat(&idle, 22000, 49000);
    assert_false(reaper_idle_is_due(&idle, TIMEOUT_MS, 49999));
}

static void there_is_no_opinion_on_a_stream_never_heard_of(void **state)
{
    (void)state;
    struct reaper_idle idle;
    reaper_idle_begin(&idle, 0);
    assert_false(reaper_idle_is_due(&idle, TIMEOUT_MS, 1000000));
}

static void silence_suspends_and_a_gap_starts_idle_time_anew(void **state)
{
    (void)state;
    struct reaper_idle idle;
    reaper_idle_begin(&idle, 0);
    beat(&idle, 0, 29000);
    assert_false(reaper_idle_is_due(&idle, TIMEOUT_MS, 32001));
    beat(&idle, 33000, 62000);
    assert_false(reaper_idle_is_due(&idle, TIMEOUT_MS, 62999));
    beat(&idle, 63000, 63000);
    assert_true(reaper_idle_is_due(&idle, TIMEOUT_MS, 63000));
}

static void silence_from_the_begin_on_is_a_gap_too(void **state)
{
    (void)state;
    struct reaper_idle idle;
    reaper_idle_begin(&idle, 1000);
    beat(&idle, 5000, 35000);
    assert_false(reaper_idle_is_due(&idle, TIMEOUT_MS, 34999));
    assert_true(reaper_idle_is_due(&idle, TIMEOUT_MS, 35000));
}

static void a_gap_is_seen_though_what_was_before_it_was_read_late(void **state)
{
    (void)state;
    struct reaper_idle idle;
    reaper_idle_begin(&idle, 0);
    beat(&idle, 0, 25000);
    reaper_idle_heard(&idle, NEVER, KAFKA_MS + 26000, 27000);
    reaper_idle_heard(&idle, NEVER, KAFKA_MS + 29000, 29100);
    beat(&idle, 30000, 59000);
    assert_false(reaper_idle_is_due(&idle, TIMEOUT_MS, 59099));
    assert_true(reaper_idle_is_due(&idle, TIMEOUT_MS, 59100));
}

static void a_late_heartbeat_within_the_gap_changes_nothing(void **state)
{
    (void)state;
    struct reaper_idle idle;
    reaper_idle_begin(&idle, 0);
    beat(&idle, 0, 28000);
    heard(&idle, NEVER, 30500);
    assert_true(reaper_idle_is_due(&idle, TIMEOUT_MS, 30500));
}

static void a_proposal_is_repeated_ever_more_slowly(void **state)
{
    (void)state;
    struct reaper_idle idle;
    int64_t proposed_ms[8];
    size_t n = 0;
    reaper_idle_begin(&idle, 0);
    for (int64_t now_ms = 0; now_ms < 400000 && n < 8; now_ms += 500) {
        heard(&idle, NEVER, now_ms);
        if (reaper_idle_is_due(&idle, TIMEOUT_MS, now_ms)) {
            proposed_ms[n++] = now_ms;
            reaper_idle_proposed(&idle, now_ms);
        }
    }
    static const int64_t wanted_s[] = {30, 33, 39, 51, 75, 123, 183, 243};
    assert_int_equal(n, 8);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(proposed_ms[i], wanted_s[i] * 1000);
}

static void a_viewer_ends_the_repeating(void **state)
{
    (void)state;
    struct reaper_idle idle;
    reaper_idle_begin(&idle, 0);
    beat(&idle, 0, 30000);
    reaper_idle_proposed(&idle, 30000);
    reaper_idle_watched(&idle, 31000);
    beat(&idle, 31000, 61000);
    assert_false(reaper_idle_is_due(&idle, TIMEOUT_MS, 60999));
    assert_true(reaper_idle_is_due(&idle, TIMEOUT_MS, 61000));
    assert_int_equal(idle.proposals, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_nobody_ever_watched_is_due_after_its_timeout),
        cmocka_unit_test(a_sign_of_a_viewer_moves_the_end),
        cmocka_unit_test(the_origins_last_request_counts_by_its_age),
        cmocka_unit_test(older_news_does_not_move_it_back),
        cmocka_unit_test(there_is_no_opinion_on_a_stream_never_heard_of),
        cmocka_unit_test(silence_suspends_and_a_gap_starts_idle_time_anew),
        cmocka_unit_test(silence_from_the_begin_on_is_a_gap_too),
        cmocka_unit_test(a_gap_is_seen_though_what_was_before_it_was_read_late),
        cmocka_unit_test(a_late_heartbeat_within_the_gap_changes_nothing),
        cmocka_unit_test(a_proposal_is_repeated_ever_more_slowly),
        cmocka_unit_test(a_viewer_ends_the_repeating),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
