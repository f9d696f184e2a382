/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often something may be done about what does not get well by it: WEIR_BUDGET_ACTIONS times in
 * WEIR_BUDGET_SPAN_MS, and while that does not suffice the span doubles with each further one, up
 * to WEIR_BUDGET_MOST_MS. When a whole span passed in which one was allowed and none was needed, it
 * begins anew. So a camera that is beyond help costs one a minute in the end, as any that fails.
 * Source: docs/adr/0044.
 *
 *     wait_ms = weir_budget_wait_ms(&budget, now_ms);     0: it may be done now
 *     weir_budget_take(&budget, now_ms + wait_ms);        it is done then
 *
 * Pure: `now_ms` is monotonic, and > 0.
 */
#ifndef WEIR_DOMAIN_BUDGET_H
#define WEIR_DOMAIN_BUDGET_H

#include <stdint.h>

#define WEIR_BUDGET_ACTIONS 4
#define WEIR_BUDGET_SPAN_MS 120000
#define WEIR_BUDGET_MOST_MS 240000

/* Zeroed storage is ready. */
struct weir_budget {
    int64_t at_ms[WEIR_BUDGET_ACTIONS]; /* a ring of the newest */
    uint64_t n;
    int64_t span_ms; /* 0: the first one */
};

int64_t weir_budget_wait_ms(const struct weir_budget *budget, int64_t now_ms);

/* One is done at that time, which is not before the last one's. */
void weir_budget_take(struct weir_budget *budget, int64_t at_ms);

#endif
