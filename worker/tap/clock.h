/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When was this frame captured, on our wall clock?
 *
 * A camera that sends RTCP sender reports says it itself. Each report ties its RTP time to its wall
 * clock, some cameras by some milliseconds of chance; a line through the last ones (offset and
 * skew) is truer than the newest, and its skew is believed as far as their scatter allows. Those
 * far from their median are left out, as the first one of a session may be. A report that lies
 * TAP_CLOCK_JUMP_US beside that line is a clock that was set: what was learnt before counts no
 * more. So is a line, or a connection, on which three reports put the clock TAP_CLOCK_OTHER_US
 * beside where it was. The camera's clock is believed as it stands while it is within
 * TAP_CLOCK_TRUST_US of ours; when it is further off (a camera in 1970), its distance to ours is
 * taken out and only its regularity is used.
 *
 * Without reports the time is that of arrival, freed of jitter: of all delays the least is the
 * truest (minimum-delay filter), and it is let go slowly so that clocks may drift. Our own clock
 * may be set meanwhile.
 *
 * What the camera's encoder takes lies between the capture and both of these times, where reports
 * tell the time of sending; a camera whose delay is known has it taken out of every frame's time.
 * The offset of its clock is not moved by that.
 *
 * Pure: no clock is read. Sources: docs/adr/0016, 0044; RFC 3550 section 6.4.1.
 */
#ifndef WEIR_WORKER_TAP_CLOCK_H
#define WEIR_WORKER_TAP_CLOCK_H

#include "worker/tap/media.h"

#define TAP_CLOCK_TRUST_US INT64_C(10000000)
#define TAP_CLOCK_JUMP_US  100000
#define TAP_CLOCK_OTHER_US                                                                         \
    500000 /* between two lines or connections, which have delays of their own */
#define TAP_CLOCK_DELAY_US  1000000 /* what the way from a camera takes at most */
#define TAP_CLOCK_DRIFT_PPM 200     /* what a bad crystal does */
#define TAP_CLOCK_REPORTS   24      /* two minutes of most cameras */

/* The least difference seen of late. */
struct tap_clock_least {
    bool is_set;
    int64_t diff_us;
    int64_t at_us;
};

/* What a report says: the camera's wall clock minus the line, at a place on the line. */
struct tap_clock_report {
    int64_t line_us;
    int64_t diff_us;
};

struct tap_clock {
    struct tap_clock_least arrival; /* arrival minus place on the line */
    struct tap_clock_least camera;  /* arrival minus the camera's time */
    bool has_reports;
    struct tap_clock_report reports[TAP_CLOCK_REPORTS]; /* a ring; the newest at (n - 1) % size */
    uint64_t n;
    /* The line through them: diff = middle.diff + (line - middle.line) * skew. */
    struct tap_clock_report middle;
    double skew;
    double variance; /* of the reports beside it, us^2; negative: too few tell */
    /* Not forgotten by a restart: */
    uint64_t jumps;    /* of the camera's clock */
    int64_t before_us; /* its offset right before the newest of them */
    bool has_last; /* the offset at the restart is known, and no line was compared with it yet */
    int64_t last_us;
    int64_t delay_us; /* of its encoder; may be set at any time */
    bool has_wall;
    int64_t wall_us; /* our wall clock minus the monotonic one */
};

/* After each jump of the line and each reconnect. Zeroed storage is ready too. */
void tap_clock_restart(struct tap_clock *clock);

/*
 * `wall_us`: our wall clock minus the monotonic one, before each unit. When our clock is set, all
 * that was learnt of arrivals moves along; by the least difference seen, frames would stay at the
 * old time for hours. What reports say of the camera's own clock stays.
 */
void tap_clock_set_wall(struct tap_clock *clock, int64_t wall_us);

/* `line_us`: the unit's place on the gapless line. Sets unit->capture_us and unit->is_cameras. */
void tap_clock_map(struct tap_clock *clock, struct tap_unit *unit, int64_t line_us);

/* Camera's clock minus ours, us; false without reports. Network delay is part of it. */
bool tap_clock_offset(const struct tap_clock *clock, int64_t *ret_us);

/* How far its reports lie beside the line through them, as a standard deviation: what chance does
 * to the time of a frame. False where that is not by its clock, or with fewer than three of them.
 */
bool tap_clock_scatter(const struct tap_clock *clock, int64_t *ret_us);

/* Whether it is near enough to ours to be believed; false without reports. */
bool tap_clock_is_near(const struct tap_clock *clock);

/*
 * What is added to our clock to have the camera's now: its offset where it is believed, else 0. An
 * offset of up to TAP_CLOCK_DELAY_US behind ours may be the way of the frames, not the clock, and
 * is left alone: the frame of our now comes so much later.
 */
int64_t tap_clock_now_shift(const struct tap_clock *clock);

#endif
