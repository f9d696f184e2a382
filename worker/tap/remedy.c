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
    if (!is_udp || !is_lossy || now_ms < remedy->until_ms) {
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
