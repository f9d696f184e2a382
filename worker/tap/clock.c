/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/clock.h"

#include <math.h>

#define SAME_US     25               /* what rounding to ticks does */
#define SURE        3                /* reports of which one may be chance */
#define AGREE_US    25000            /* with the median; what does not is left out */
#define RENEW_US    INT64_C(5000000) /* a report that says what the last one said counts again */
#define SKEW_MIN_US 10000000.0       /* reports that lie closer tell no skew */
#define SKEW_USUAL  100e-6           /* what crystals have, as a standard deviation */

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
    bool is_sure = clock->n >= SURE;
    *clock = (struct tap_clock){.jumps = clock->jumps,
                                .before_us = clock->before_us,
                                .has_last = is_sure || clock->has_last,
                                .last_us = is_sure ? -clock->camera.diff_us : clock->last_us,
                                .delay_us = clock->delay_us,
                                .has_wall = clock->has_wall,
                                .wall_us = clock->wall_us};
}

/* ---- the line through the reports ---- */

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

static const struct tap_clock_report *newest(const struct tap_clock *clock)
{
    return &clock->reports[(clock->n - 1) % TAP_CLOCK_REPORTS];
}

static int64_t predict(const struct tap_clock *clock, int64_t line_us)
{
    double moved = clock->skew * (double)(line_us - clock->middle.line_us);
    return clock->middle.diff_us + (int64_t)moved;
}

static size_t count(const struct tap_clock *clock)
{
    return clock->n < TAP_CLOCK_REPORTS ? (size_t)clock->n : TAP_CLOCK_REPORTS;
}

/* Of two, the newer one: the first report of a session may be far off. */
static int64_t median_diff(const struct tap_clock *clock)
{
    int64_t sorted[TAP_CLOCK_REPORTS];
    size_t n = count(clock);
    if (n < 3)
        return newest(clock)->diff_us;
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        for (; at > 0 && sorted[at - 1] > clock->reports[i].diff_us; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = clock->reports[i].diff_us;
    }
    return sorted[n / 2];
}

/*
 * The slope of a line through `n` points, given their sums about the middle. What chance does to
 * them is told by how far they lie beside the line; the more that is, against what a crystal does
 * at most, the less of the slope is believed (ridge regression). Exact reports are believed.
 */
static double slope(double n, double xx, double xy, double yy)
{
    double steepest = xy / xx;
    double beside = yy - steepest * xy;
    double chance = n > 3 && beside > 0 ? beside / (n - 2) : 0;
    return xy / (xx + chance / (SKEW_USUAL * SKEW_USUAL));
}

/* Least squares over those that agree; numbers are kept small by what the newest one says. */
static void fit(struct tap_clock *clock)
{
    const struct tap_clock_report from = *newest(clock);
    const double most = TAP_CLOCK_DRIFT_PPM / 1e6;
    int64_t median = median_diff(clock);
    double n = 0;
    double sum_x = 0;
    double sum_y = 0;
    double sum_xx = 0;
    double sum_xy = 0;
    double sum_yy = 0;
    double first = 0;
    double last = -1e18;
    for (size_t i = 0; i < count(clock); i++) {
        if (distance(clock->reports[i].diff_us, median) > AGREE_US)
            continue;
        double x = (double)(clock->reports[i].line_us - from.line_us);
        double y = (double)(clock->reports[i].diff_us - from.diff_us);
        n += 1;
        sum_x += x;
        sum_y += y;
        sum_xx += x * x;
        sum_xy += x * y;
        sum_yy += y * y;
        first = x < first ? x : first;
        last = x > last ? x : last;
    }
    double spread = sum_xx - sum_x * sum_x / n;
    double xy = sum_xy - sum_x * sum_y / n;
    double yy = sum_yy - sum_y * sum_y / n;
    double skew =
        n >= 3 && last - first >= SKEW_MIN_US && spread > 0 ? slope(n, spread, xy, yy) : 0;
    clock->skew = skew > most ? most : (skew < -most ? -most : skew);
    double beside = yy - 2 * clock->skew * xy + clock->skew * clock->skew * spread;
    clock->variance = n < 3 ? -1 : beside > 0 ? beside / (n - 2) : 0;
    clock->middle.line_us = from.line_us + (int64_t)(sum_x / n);
    clock->middle.diff_us = from.diff_us + (int64_t)(sum_y / n);
}

static void add(struct tap_clock *clock, int64_t line_us, int64_t diff_us)
{
    clock->reports[clock->n++ % TAP_CLOCK_REPORTS] = (struct tap_clock_report){line_us, diff_us};
    fit(clock);
}

static void note_jump(struct tap_clock *clock, int64_t before_us)
{
    clock->jumps++;
    clock->before_us = before_us;
    clock->has_last = false;
}

/* On a new line, or in a new connection: is it still the clock that it was? */
static void compare_with_last(struct tap_clock *clock)
{
    if (!clock->has_last || clock->n < SURE)
        return;
    clock->has_last = false;
    if (distance(-clock->camera.diff_us, clock->last_us) > TAP_CLOCK_OTHER_US)
        note_jump(clock, clock->last_us);
}

/* Reports themselves are not seen here: one came where the tie of camera and line has moved. */
static void follow(struct tap_clock *clock, int64_t line_us, int64_t diff_us)
{
    int64_t off_us = clock->n > 0 ? distance(diff_us, predict(clock, line_us)) : 0;
    if (off_us > TAP_CLOCK_JUMP_US) {
        if (clock->n >= SURE || (clock->n == SURE - 1 && off_us > TAP_CLOCK_OTHER_US))
            note_jump(clock, -clock->camera.diff_us);
        clock->n = 0;
        clock->camera.is_set = false;
    }
    if (clock->n == 0 || distance(diff_us, newest(clock)->diff_us) > SAME_US ||
        line_us - newest(clock)->line_us >= RENEW_US)
        add(clock, line_us, diff_us);
}

/* ---- units ---- */

void tap_clock_set_wall(struct tap_clock *clock, int64_t wall_us)
{
    int64_t set_us = clock->has_wall ? wall_us - clock->wall_us : 0;
    clock->has_wall = true;
    clock->wall_us = wall_us;
    clock->arrival.diff_us += set_us;
    clock->arrival.at_us += set_us;
    clock->camera.diff_us += set_us;
    clock->camera.at_us += set_us;
    clock->last_us -= set_us;
    clock->before_us -= set_us;
}

/* Sound lies on the line as it suits video; it goes by its own newest report. */
static int64_t camera_time(struct tap_clock *clock, const struct tap_unit *unit, int64_t line_us)
{
    if (unit->track != TAP_VIDEO)
        return unit->camera_us;
    follow(clock, line_us, unit->camera_us - line_us);
    return line_us + predict(clock, line_us);
}

void tap_clock_map(struct tap_clock *clock, struct tap_unit *unit, int64_t line_us)
{
    int64_t by_arrival =
        line_us + least(&clock->arrival, unit->arrival_us - line_us, unit->arrival_us);
    unit->is_cameras = false;
    if (unit->camera_us == TAP_NO_TIME) {
        unit->capture_us = by_arrival - clock->delay_us;
        return;
    }
    clock->has_reports = true;
    int64_t camera_us = camera_time(clock, unit, line_us);
    int64_t behind = least(&clock->camera, unit->arrival_us - camera_us, unit->arrival_us);
    compare_with_last(clock);
    unit->is_cameras = behind <= TAP_CLOCK_TRUST_US && behind >= -TAP_CLOCK_TRUST_US;
    unit->capture_us = (unit->is_cameras ? camera_us : camera_us + behind) - clock->delay_us;
}

bool tap_clock_is_near(const struct tap_clock *clock)
{
    int64_t behind_us = clock->camera.diff_us;
    return clock->has_reports && behind_us <= TAP_CLOCK_TRUST_US &&
           behind_us >= -TAP_CLOCK_TRUST_US;
}

bool tap_clock_scatter(const struct tap_clock *clock, int64_t *ret_us)
{
    bool is_known = tap_clock_is_near(clock) && clock->n >= SURE && clock->variance >= 0;
    if (is_known)
        *ret_us = (int64_t)sqrt(clock->variance);
    return is_known;
}

int64_t tap_clock_now_shift(const struct tap_clock *clock)
{
    int64_t offset_us = -clock->camera.diff_us;
    bool is_delay = offset_us <= 0 && offset_us >= -TAP_CLOCK_DELAY_US;
    return tap_clock_is_near(clock) && !is_delay ? offset_us : 0;
}

bool tap_clock_offset(const struct tap_clock *clock, int64_t *ret_us)
{
    if (!clock->has_reports)
        return false;
    *ret_us = -clock->camera.diff_us;
    return true;
}
