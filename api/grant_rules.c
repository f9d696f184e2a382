/* SPDX-License-Identifier: Apache-2.0 */
#include "api/grant_rules.h"

#include "api/revocations.h"

enum grant_end grant_end_judge(int64_t end_ms, int64_t now_ms)
{
    if (end_ms == GRANT_ENDLESS) {
        return GRANT_END_OK;
    }
    if (end_ms <= now_ms) {
        return GRANT_END_PAST;
    }
    return end_ms - now_ms > GRANT_END_MOST_MS ? GRANT_END_FAR : GRANT_END_OK;
}

int64_t grant_ticket_end_ms(int64_t issued_ms, int64_t life_ms, int64_t grant_end_ms)
{
    int64_t end_ms = issued_ms + life_ms;
    int64_t last_ms = grant_end_ms - WEIR_TICKET_LEEWAY_MS;
    end_ms = end_ms < last_ms ? end_ms : last_ms;
    return end_ms / 1000 * 1000;
}

bool grant_takes_back(int64_t old_end_ms, int64_t new_end_ms, int64_t now_ms)
{
    return new_end_ms < old_end_ms && new_end_ms - now_ms < REVOCATIONS_TICKETS_S * 1000;
}
