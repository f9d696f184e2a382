/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/cell_clock.h"

#define LEAP_MAX_MS   ((int64_t)3600 * 1000)
#define TURN_PART     10   /* turning gains or loses one part in so many */
#define TURN_FROM_MS  1000 /* less than this is the way of a record, not a difference of clocks */
#define HEAR_EVERY_MS 1000

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    int64_t least = value < low ? low : value;
    return least > high ? high : least;
}

void cell_clock_begin(struct cell_clock *clock, int64_t last_ms, int64_t wall_ms, int64_t boot_ms)
{
    *clock = (struct cell_clock){
        .cell_ms = last_ms != 0 ? last_ms : wall_ms,
        .boot_ms = boot_ms,
        .read_boot_ms = -1,
    };
}

void cell_clock_anchor(struct cell_clock *clock, int64_t stamp_ms, int64_t boot_ms)
{
    clock->cell_ms = clamp(stamp_ms, clock->cell_ms, clock->cell_ms + LEAP_MAX_MS);
    clock->boot_ms = boot_ms;
    clock->broker_ms = stamp_ms;
    clock->anchor_boot_ms = boot_ms;
    clock->is_anchored = true;
}

int64_t cell_clock_now(const struct cell_clock *clock, int64_t boot_ms)
{
    if (!clock->is_anchored) {
        return clock->cell_ms;
    }
    int64_t passed_ms = boot_ms - clock->boot_ms;
    int64_t most_ms = passed_ms / TURN_PART;
    return clock->cell_ms + passed_ms + clamp(clock->turn_ms, -most_ms, most_ms);
}

void cell_clock_heard(struct cell_clock *clock, int64_t stamp_ms, int64_t boot_ms)
{
    if (!clock->is_anchored || boot_ms - clock->boot_ms < HEAR_EVERY_MS) {
        return;
    }
    clock->cell_ms = cell_clock_now(clock, boot_ms);
    clock->boot_ms = boot_ms;
    int64_t behind_ms = stamp_ms - clock->cell_ms;
    bool is_way = behind_ms > -TURN_FROM_MS && behind_ms < TURN_FROM_MS;
    clock->turn_ms = is_way ? 0 : behind_ms;
}

void cell_clock_read(struct cell_clock *clock, int64_t asked_boot_ms)
{
    if (asked_boot_ms > clock->read_boot_ms) {
        clock->read_boot_ms = asked_boot_ms;
    }
}

int64_t cell_clock_age(const struct cell_clock *clock, int64_t stamp_ms, int64_t boot_ms)
{
    int64_t age_ms = clock->broker_ms + boot_ms - clock->anchor_boot_ms - stamp_ms;
    if (clock->read_boot_ms >= 0 && age_ms > boot_ms - clock->read_boot_ms) {
        age_ms = boot_ms - clock->read_boot_ms;
    }
    return age_ms > 0 ? age_ms : 0;
}
