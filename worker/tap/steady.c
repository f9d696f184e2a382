/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/steady.h"

#define MOVED_PART 5
#define ALIKE_PART 10

static bool differs(int64_t a, int64_t b, int64_t part)
{
    int64_t by = a > b ? a - b : b - a;
    return by * part > b;
}

static bool is_over(struct tap_steady *steady, int64_t now_ms)
{
    if (now_ms - steady->since_ms < TAP_STEADY_MS)
        return false;
    steady->is_off = false;
    return true;
}

static void begin(struct tap_steady *steady, int64_t value, int64_t now_ms)
{
    *steady = (struct tap_steady){.is_off = true, .value = value, .since_ms = now_ms};
}

bool tap_steady_moved(struct tap_steady *steady, int64_t is, int64_t measured, int64_t now_ms)
{
    if (!differs(measured, is, MOVED_PART)) {
        steady->is_off = false;
        return false;
    }
    if (!steady->is_off || differs(measured, steady->value, ALIKE_PART)) {
        begin(steady, measured, now_ms);
        return false;
    }
    return is_over(steady, now_ms);
}

bool tap_steady_lasts(struct tap_steady *steady, bool is_so, int64_t now_ms)
{
    if (!is_so) {
        steady->is_off = false;
        return false;
    }
    if (!steady->is_off)
        begin(steady, 0, now_ms);
    return is_over(steady, now_ms);
}
