/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/budget.h"

#include "tests/unit/check.h"

#define SECOND_MS 1000
#define HOUR_MS   INT64_C(3600000)

/* Does it whenever that is allowed and wanted, each second; how often. */
static int64_t run(struct weir_budget *budget, int64_t *now_ms, int64_t for_ms)
{
    int64_t done = 0;
    for (int64_t end_ms = *now_ms + for_ms; *now_ms < end_ms; *now_ms += SECOND_MS) {
        if (weir_budget_wait_ms(budget, *now_ms) > 0)
            continue;
        weir_budget_take(budget, *now_ms);
        done++;
    }
    return done;
}

static void some_are_free_and_then_it_waits(void **state)
{
    (void)state;
    struct weir_budget budget = {0};
    int64_t now_ms = 5000;
    assert_int_equal(run(&budget, &now_ms, WEIR_BUDGET_SPAN_MS), WEIR_BUDGET_ACTIONS);
    assert_int_equal(weir_budget_wait_ms(&budget, 5000 + 4 * SECOND_MS),
                     WEIR_BUDGET_SPAN_MS - 4 * SECOND_MS);
    assert_int_equal(weir_budget_wait_ms(&budget, 5000 + WEIR_BUDGET_SPAN_MS), 0);
}

static void what_is_beyond_help_costs_one_a_minute_in_the_end(void **state)
{
    (void)state;
    struct weir_budget budget = {0};
    int64_t now_ms = 1;
    for (int hour = 1; hour < 100; hour++)
        assert_in_range(run(&budget, &now_ms, HOUR_MS), 58, 64);
    /* Four in the longest span. */
    assert_in_range(run(&budget, &now_ms, 3 * WEIR_BUDGET_MOST_MS), 10, 12);
    assert_int_equal(budget.span_ms, WEIR_BUDGET_MOST_MS);
}

static void no_more_than_its_number_lies_in_any_span(void **state)
{
    (void)state;
    struct weir_budget budget = {0};
    int64_t times[400];
    int n = 0;
    uint32_t dice = 5;
    for (int64_t now_ms = 1; n < 400; now_ms += 1 + (int64_t)(dice >> 8) % 90000) {
        dice = dice * 1664525U + 1013904223U;
        int64_t at_ms = now_ms + weir_budget_wait_ms(&budget, now_ms);
        if (dice % 3 == 0)
            continue;
        now_ms = at_ms;
        weir_budget_take(&budget, at_ms);
        times[n++] = at_ms;
    }
    for (int i = WEIR_BUDGET_ACTIONS; i < n; i++)
        assert_true(times[i] - times[i - WEIR_BUDGET_ACTIONS] >= WEIR_BUDGET_SPAN_MS);
}

static void one_that_got_well_begins_anew(void **state)
{
    (void)state;
    struct weir_budget budget = {0};
    int64_t now_ms = 1;
    run(&budget, &now_ms, 2 * HOUR_MS);
    assert_true(budget.span_ms > WEIR_BUDGET_SPAN_MS);
    now_ms += 3 * budget.span_ms;
    assert_int_equal(run(&budget, &now_ms, WEIR_BUDGET_SPAN_MS / 2), WEIR_BUDGET_ACTIONS);
    /* As does one that needs one now and then. */
    struct weir_budget rare = {0};
    for (int i = 0; i < 100; i++) {
        assert_int_equal(weir_budget_wait_ms(&rare, 1 + i * HOUR_MS), 0);
        weir_budget_take(&rare, 1 + i * HOUR_MS);
    }
    assert_in_range(rare.span_ms, 0, WEIR_BUDGET_SPAN_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_are_free_and_then_it_waits),
        cmocka_unit_test(what_is_beyond_help_costs_one_a_minute_in_the_end),
        cmocka_unit_test(no_more_than_its_number_lies_in_any_span),
        cmocka_unit_test(one_that_got_well_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
