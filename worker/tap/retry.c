/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/retry.h"

int64_t tap_retry_delay_ms(unsigned failures, uint32_t chance)
{
    int64_t most = TAP_RETRY_FIRST_MS;
    for (unsigned i = 1; i < failures && most < TAP_RETRY_MOST_MS; i++)
        most *= 2;
    if (most > TAP_RETRY_MOST_MS)
        most = TAP_RETRY_MOST_MS;
    return most / 2 + (int64_t)(chance % (uint32_t)(most - most / 2 + 1));
}

int64_t tap_pace_take(struct tap_pace *pace, int per_s, int64_t now_mono_ms)
{
    if (now_mono_ms < pace->next_mono_ms)
        return pace->next_mono_ms - now_mono_ms;
    pace->next_mono_ms = now_mono_ms + 1000 / per_s;
    return 0;
}
