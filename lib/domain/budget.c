/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/budget.h"

static int64_t span_of(const struct weir_budget *budget)
{
    return budget->span_ms > 0 ? budget->span_ms : WEIR_BUDGET_SPAN_MS;
}

/* When the next one is allowed. */
static int64_t allowed_ms(const struct weir_budget *budget)
{
    if (budget->n < WEIR_BUDGET_ACTIONS)
        return 0;
    return budget->at_ms[budget->n % WEIR_BUDGET_ACTIONS] + span_of(budget);
}

int64_t weir_budget_wait_ms(const struct weir_budget *budget, int64_t now_ms)
{
    int64_t at_ms = allowed_ms(budget);
    return at_ms > now_ms ? at_ms - now_ms : 0;
}

void weir_budget_take(struct weir_budget *budget, int64_t at_ms)
{
    int64_t span_ms = span_of(budget);
    if (budget->n >= WEIR_BUDGET_ACTIONS) {
        if (at_ms - allowed_ms(budget) >= span_ms) {
            budget->span_ms = 0;
        } else {
            span_ms *= 2;
            budget->span_ms = span_ms < WEIR_BUDGET_MOST_MS ? span_ms : WEIR_BUDGET_MOST_MS;
        }
    }
    budget->at_ms[budget->n++ % WEIR_BUDGET_ACTIONS] = at_ms;
}
