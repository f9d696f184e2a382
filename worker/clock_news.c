/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/clock_news.h"

void clock_news_take(struct clock_news *news, int64_t jumps, int64_t before_us)
{
    if (jumps > news->jumps && !news->is_due) {
        news->is_due = true;
        news->before_us = before_us;
    }
    news->jumps = jumps;
}

void clock_news_lost(struct clock_news *news, int64_t before_us)
{
    news->is_due = true;
    news->before_us = before_us; /* from before those that came since */
}

bool clock_news_say(struct clock_news *news, int64_t now_ms, int64_t *ret_before_us)
{
    if (!news->is_due || (news->was_said && now_ms - news->said_ms < CLOCK_NEWS_PAUSE_MS))
        return false;
    news->is_due = false;
    news->was_said = true;
    news->said_ms = now_ms;
    *ret_before_us = news->before_us;
    return true;
}
