/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/clock.h"

static int64_t least(struct tap_clock_least *least, int64_t diff_us, int64_t now_us)
{
    int64_t elapsed = least->is_set && now_us > least->at_us ? now_us - least->at_us : 0;
    int64_t allowed = least->diff_us + elapsed / 1000000 * TAP_CLOCK_DRIFT_PPM +
                      elapsed % 1000000 * TAP_CLOCK_DRIFT_PPM / 1000000;
    if (!least->is_set || diff_us <= allowed) {
        least->diff_us = diff_us;
        least->at_us = now_us;
        least->is_set = true;
        return diff_us;
    }
    return allowed;
}

void tap_clock_restart(struct tap_clock *clock)
{
    *clock = (struct tap_clock){0};
}

void tap_clock_map(struct tap_clock *clock, struct tap_unit *unit, int64_t line_us)
{
    int64_t by_arrival =
        line_us + least(&clock->arrival, unit->arrival_us - line_us, unit->arrival_us);
    if (unit->camera_us == TAP_NO_TIME) {
        unit->capture_us = by_arrival;
        return;
    }
    clock->has_reports = true;
    int64_t behind = least(&clock->camera, unit->arrival_us - unit->camera_us, unit->arrival_us);
    bool is_trusted = behind <= TAP_CLOCK_TRUST_US && behind >= -TAP_CLOCK_TRUST_US;
    unit->capture_us = is_trusted ? unit->camera_us : unit->camera_us + behind;
}

bool tap_clock_offset(const struct tap_clock *clock, int64_t *ret_us)
{
    if (!clock->has_reports)
        return false;
    *ret_us = -clock->camera.diff_us;
    return true;
}
