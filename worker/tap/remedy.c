/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/remedy.h"

#define JUDGED_MOST_MS 1000 /* between two judgements, while the camera is read */

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
    remedy->clean_ms = 0;
    remedy->refusals = 0;
}

static void judge_udp(struct tap_remedy *remedy, bool is_lossy, int64_t now_ms)
{
    int64_t took_ms = now_ms - remedy->judged_ms;
    remedy->judged_ms = now_ms;
    remedy->clean_ms = is_lossy                    ? 0
                       : took_ms <= JUDGED_MOST_MS ? remedy->clean_ms + took_ms
                                                   : remedy->clean_ms;
    if (remedy->clean_ms >= remedy->hold_ms)
        remedy->hold_ms = 0;
}

bool tap_remedy_judge(struct tap_remedy *remedy, bool is_udp, bool is_lossy, int64_t now_ms)
{
    if (is_udp)
        judge_udp(remedy, is_lossy, now_ms);
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

void tap_remedy_proved(struct tap_remedy *remedy)
{
    remedy->is_proved = true;
    remedy->refusals = 0;
}

void tap_remedy_refused(struct tap_remedy *remedy, int64_t now_ms)
{
    int most = remedy->is_proved ? TAP_REMEDY_REFUSALS_PROVED : TAP_REMEDY_REFUSALS;
    if (!tap_remedy_is_tcp(remedy, now_ms) || ++remedy->refusals < most)
        return;
    remedy->is_proved = false;
    hold(remedy, false, now_ms);
}

bool tap_remedy_is_refusal(enum weir_reason reason, bool has_answered)
{
    return has_answered &&
           (reason == WEIR_REASON_source_refused || reason == WEIR_REASON_source_closed ||
            reason == WEIR_REASON_source_timeout || tap_remedy_is_for(reason));
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
