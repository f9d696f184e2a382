/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to say that a camera's clock was set. Each tap counts from 0, so one that is new says
 * nothing by a smaller number. Several in CLOCK_NEWS_PAUSE_MS are told as one, with the offset from
 * before the first of them. Pure: `now_ms` is monotonic.
 */
#ifndef WEIR_WORKER_CLOCK_NEWS_H
#define WEIR_WORKER_CLOCK_NEWS_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_NEWS_PAUSE_MS 30000

/* Of one camera; zeroed storage is ready. */
struct clock_news {
    int64_t jumps;     /* as the tap counted them last */
    bool is_due;       /* some of them were not told */
    int64_t before_us; /* offset before the first of these */
    bool was_said;
    int64_t said_ms;
};

/* What the tap says now; `before_us` with `jumps` > 0 only: the offset before the newest one. */
void clock_news_take(struct clock_news *news, int64_t jumps, int64_t before_us);

/* What was said with `before_us` got lost: it is due again. */
void clock_news_lost(struct clock_news *news, int64_t before_us);

/* True: say it now, and that counts as done. `ret_before_us` is set then only. */
bool clock_news_say(struct clock_news *news, int64_t now_ms, int64_t *ret_before_us);

#endif
