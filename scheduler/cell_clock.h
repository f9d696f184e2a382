/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two times of a leader, neither of which trusts the wall clock of a machine (DESIGN, Time;
 * docs/adr/0018-one-clock-for-a-cell.md). Pure: `boot_ms` is CLOCK_BOOTTIME, given by the caller.
 *
 *   cell time   what decisions carry and timers of the core run on. Starts at the broker's time of
 *               the takeover, an hour at most beyond the last decision and never before it, runs
 *               with `boot_ms`, and where the broker's clock says otherwise turns towards it slowly
 *               enough to mistake no timer by more than a tenth.
 *   age         how long a command lay in its topic: by two stamps of the one broker, and never
 *               longer than since the leader had read the topic to its end.
 *
 *     cell_clock_begin(&clock, last_ms, wall_ms, boot_ms);   the takeover carries cell_clock_now()
 *     cell_clock_anchor(&clock, stamp_ms, boot_ms);          the takeover was read back
 *     cell_clock_heard(&clock, stamp_ms, boot_ms);           another decision was
 */
#ifndef SCHEDULER_CELL_CLOCK_H
#define SCHEDULER_CELL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct cell_clock {
    int64_t cell_ms; /* cell time at `boot_ms` */
    int64_t boot_ms;
    int64_t turn_ms;   /* what `cell_ms` is to gain (or lose, < 0) beside the time that passes */
    int64_t broker_ms; /* the takeover's stamp, at `anchor_boot_ms` */
    int64_t anchor_boot_ms;
    int64_t read_boot_ms; /* commands were read to their end as of then; -1: not yet */
    bool is_anchored;
};

/* Time stands at `last_ms`, the cell time of the last decision; at `wall_ms` where there is none.
 */
void cell_clock_begin(struct cell_clock *clock, int64_t last_ms, int64_t wall_ms, int64_t boot_ms);

/* `stamp_ms`: the broker's stamp of the takeover. */
void cell_clock_anchor(struct cell_clock *clock, int64_t stamp_ms, int64_t boot_ms);

/* A record that was just appended carries `stamp_ms`. Turns cell time, see above; once a second is
 * enough. */
void cell_clock_heard(struct cell_clock *clock, int64_t stamp_ms, int64_t boot_ms);

/* Never goes back. */
int64_t cell_clock_now(const struct cell_clock *clock, int64_t boot_ms);

/* Every command that was in its topic at `asked_boot_ms` has been read. */
void cell_clock_read(struct cell_clock *clock, int64_t asked_boot_ms);

/* The age of a command just read, >= 0. */
int64_t cell_clock_age(const struct cell_clock *clock, int64_t stamp_ms, int64_t boot_ms);

#endif
