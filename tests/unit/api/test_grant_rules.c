/* SPDX-License-Identifier: Apache-2.0 */
#include "api/grant_rules.h"

#include "lib/io/ticket.h"
#include "tests/unit/check.h"

#define NOW_MS  1795000000000LL
#define LIFE_MS 600000LL
#define DAY_MS  86400000LL

static void an_end_lies_ahead_and_not_too_far(void **state)
{
    (void)state;
    assert_int_equal(grant_end_judge(NOW_MS + 1, NOW_MS), GRANT_END_OK);
    assert_int_equal(grant_end_judge(NOW_MS, NOW_MS), GRANT_END_PAST);
    assert_int_equal(grant_end_judge(0, NOW_MS), GRANT_END_PAST);
    assert_int_equal(grant_end_judge(NOW_MS + GRANT_END_MOST_MS, NOW_MS), GRANT_END_OK);
    assert_int_equal(grant_end_judge(NOW_MS + GRANT_END_MOST_MS + 1, NOW_MS), GRANT_END_FAR);
    assert_int_equal(grant_end_judge(GRANT_ENDLESS, NOW_MS), GRANT_END_OK);
}

static void a_ticket_lives_as_long_as_any_where_the_grant_lasts(void **state)
{
    (void)state;
    assert_int_equal(grant_ticket_end_ms(NOW_MS, LIFE_MS, GRANT_ENDLESS), NOW_MS + LIFE_MS);
    assert_int_equal(grant_ticket_end_ms(NOW_MS, LIFE_MS, NOW_MS + DAY_MS), NOW_MS + LIFE_MS);
    int64_t last_ms = NOW_MS + LIFE_MS + WEIR_TICKET_LEEWAY_MS;
    assert_int_equal(grant_ticket_end_ms(NOW_MS, LIFE_MS, last_ms), NOW_MS + LIFE_MS);
    assert_int_equal(grant_ticket_end_ms(NOW_MS, LIFE_MS, last_ms - 1), NOW_MS + LIFE_MS - 1000);
}

/* What a door adds for clocks is not added to the grant. */
static void no_door_plays_a_ticket_after_the_grant_s_end(void **state)
{
    (void)state;
    for (int64_t left_ms = 1; left_ms < 2 * LIFE_MS; left_ms += 777) {
        int64_t end_ms = grant_ticket_end_ms(NOW_MS, LIFE_MS, NOW_MS + left_ms);
        assert_true(end_ms + WEIR_TICKET_LEEWAY_MS <= NOW_MS + left_ms ||
                    end_ms == NOW_MS + LIFE_MS);
        assert_true(end_ms + WEIR_TICKET_LEEWAY_MS > NOW_MS + left_ms - 1000 ||
                    end_ms == NOW_MS + LIFE_MS);
        assert_int_equal(end_ms % 1000, 0);
    }
}

static void tickets_are_taken_back_where_they_would_outlive_the_new_end(void **state)
{
    (void)state;
    int64_t soon_ms = NOW_MS + 1000;
    int64_t all_over_ms =
        NOW_MS + WEIR_TICKET_LIFE_MAX_S * 1000 + 2 * WEIR_TICKET_LEEWAY_MS; /* two clocks */
    assert_true(grant_takes_back(GRANT_ENDLESS, soon_ms, NOW_MS));
    assert_true(grant_takes_back(NOW_MS + DAY_MS, soon_ms, NOW_MS));
    assert_true(grant_takes_back(GRANT_ENDLESS, all_over_ms - 1, NOW_MS));
    assert_false(grant_takes_back(GRANT_ENDLESS, all_over_ms, NOW_MS));
    assert_false(grant_takes_back(soon_ms, soon_ms, NOW_MS));
    assert_false(grant_takes_back(soon_ms, NOW_MS + DAY_MS, NOW_MS));
    assert_false(grant_takes_back(soon_ms, GRANT_ENDLESS, NOW_MS));
    assert_false(grant_takes_back(NOW_MS - DAY_MS, soon_ms, NOW_MS));
    assert_false(grant_takes_back(GRANT_ENDLESS, GRANT_ENDLESS, NOW_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_lies_ahead_and_not_too_far),
        cmocka_unit_test(a_ticket_lives_as_long_as_any_where_the_grant_lasts),
        cmocka_unit_test(no_door_plays_a_ticket_after_the_grant_s_end),
        cmocka_unit_test(tickets_are_taken_back_where_they_would_outlive_the_new_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
