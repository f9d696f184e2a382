/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/remedy.h"

bool tap_remedy_is_tcp(const struct tap_remedy *remedy, int64_t now_ms)
{
    return remedy->is_tcp && now_ms < remedy->until_ms;
}

static void hold(struct tap_remedy *remedy, bool is_tcp, int64_t now_ms)
{
    int64_t doubled_ms = 2 * remedy->hold_ms;
    remedy->hold_ms = doubled_ms == 0                   ? TAP_REMEDY_HOLD_MS
                      : doubled_ms > TAP_REMEDY_MOST_MS ? TAP_REMEDY_MOST_MS
                                                        : doubled_ms;
    remedy->until_ms = now_ms + remedy->hold_ms;
    remedy->is_tcp = is_tcp;
    remedy->lossy_since_ms = 0;
}

bool tap_remedy_judge(struct tap_remedy *remedy, bool is_udp, bool is_lossy, int64_t now_ms)
{
    bool may_act = weir_budget_wait_ms(&remedy->budget, now_ms) == 0;
    if (!is_udp || !is_lossy || !may_act || now_ms < remedy->until_ms) {
        remedy->lossy_since_ms = 0;
        return false;
    }
    if (remedy->lossy_since_ms == 0)
        remedy->lossy_since_ms = now_ms;
    if (now_ms - remedy->lossy_since_ms < TAP_REMEDY_LOSSY_MS)
        return false;
    hold(remedy, true, now_ms);
    return true;
}

void tap_remedy_failed(struct tap_remedy *remedy, int64_t now_ms)
{
    if (tap_remedy_is_tcp(remedy, now_ms))
        hold(remedy, false, now_ms);
}

bool tap_remedy_is_for(enum weir_reason reason)
{
    return reason == WEIR_REASON_source_silent || reason == WEIR_REASON_no_keyframe ||
           reason == WEIR_REASON_no_parameter_sets || reason == WEIR_REASON_source_protocol_error;
}

int64_t tap_remedy_take(struct tap_remedy *remedy, int64_t now_ms)
{
    int64_t wait_ms = weir_budget_wait_ms(&remedy->budget, now_ms);
    weir_budget_take(&remedy->budget, now_ms + wait_ms);
    return wait_ms;
}

bool tap_remedy_withhold(struct tap_remedy *remedy, bool is_unwell, int64_t now_ms)
{
    bool is_withheld = is_unwell && weir_budget_wait_ms(&remedy->budget, now_ms) > 0;
    bool is_news = is_withheld != remedy->is_withheld;
    remedy->is_withheld = is_withheld;
    return is_news;
}
