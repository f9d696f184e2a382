/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/health.h"

#include <string.h>

#include "worker/tap/media.h"

#define TICKS_MS (TAP_VIDEO_RATE / 1000)

#define LEARN_S    5   /* until the rate is known */
#define UNEVEN_S   25  /* more; then it is what it is */
#define LOW        700 /* per mille of the frames */
#define LOW_EVEN   400 /* where they come evenly */
#define FAIR       800 /* back again */
#define EVEN       800 /* per mille of frames that make it even */
#define LOW_FOR_S  10  /* in a row */
#define FAIR_FOR_S 5
#define LOWER_S    900 /* then a lower rate is the usual one */

#define OVER_MILLI  130000 /* frames in 1000 s */
#define OVER        1400   /* per mille of the time in which they came */
#define OVER_FOR_S  12     /* in a row: a burst, or a clock that was set, is in ten sums */
#define UNDER_MILLI 120000
#define UNDER       1200

#define DOUBT_MS 30000

#define KEY_LEAST_MS   4000
#define KEY_UNKNOWN_MS 10000 /* before a whole group was seen */
#define KEY_USUAL_MS   20000 /* a longer group has to come twice */
#define KEYS_WELL      2
#define HOUR_MS        3600000

#define LOSS_PPM       10000
#define CLEAN_PPM      2000
#define LOSS_LEAST     3
#define CLEAN_FOR_S    10
#define PARAMS_HOLD_MS 10000

#define DELAY_MS      10000 /* each of the least delays */
#define FAR_MS        500
#define NEAR_MS       250
#define FAR_DELAYS    36 /* six minutes */
#define SLOPE_DELAYS  12 /* two minutes */
#define SLOPE_MS      24 /* 200 ppm of these */
#define SLOPE_OVER_MS 12
#define SLOPE_WINDOWS 4

static void clear_seconds(struct tap_health *health, int64_t now_ms)
{
    health->n_seconds = 0;
    health->learn_at = LEARN_S;
    health->now = (struct tap_health_second){0};
    health->second_ms = now_ms;
    health->low_s = health->fair_s = 0;
    health->fast_s = health->slow_s = 0;
}

static void clear_delays(struct tap_health *health, int64_t pts, int64_t now_ms)
{
    health->base_pts = pts;
    health->base_ms = now_ms;
    health->has_delay = false;
    health->n_delays = 0;
    health->delay_at_ms = now_ms;
}

static void begin(struct tap_health *health, enum weir_picture_health state, int64_t now_ms)
{
    int64_t counts[WEIR_FAULT_N];
    memcpy(counts, health->counts, sizeof(counts));
    *health = (struct tap_health){.state = state,
                                  .since_ms = now_ms,
                                  .fault_ms = now_ms,
                                  .is_doubtful = health->is_doubtful,
                                  .groups = health->groups,
                                  .nominal_milli = health->nominal_milli};
    memcpy(health->counts, counts, sizeof(counts));
    health->frame_ms = health->key_ms = now_ms;
    clear_seconds(health, now_ms);
}

void tap_health_up(struct tap_health *health, int64_t now_ms)
{
    begin(health, WEIR_PICTURE_HEALTH_STARTING, now_ms);
}

void tap_health_down(struct tap_health *health, int64_t now_ms)
{
    if (health->state == WEIR_PICTURE_HEALTH_DOWN)
        return;
    health->is_doubtful = health->is_doubtful || tap_health_has(health, WEIR_FAULT_STALLED) ||
                          tap_health_has(health, WEIR_FAULT_NO_KEYFRAME);
    begin(health, WEIR_PICTURE_HEALTH_DOWN, now_ms);
}

void tap_health_forget(struct tap_health *health)
{
    health->groups = (struct tap_health_groups){0};
    health->nominal_milli = 0;
    health->is_doubtful = false;
}

/* ---- what comes ---- */

static void set(struct tap_health *health, enum weir_fault fault, bool is_there)
{
    if (is_there && !tap_health_has(health, fault)) {
        health->faults |= 1U << fault;
        health->counts[fault]++;
    } else if (!is_there) {
        health->faults &= ~(1U << fault);
    }
}

static void count_step(struct tap_health *health, int64_t step)
{
    int64_t differs = step > health->step ? step - health->step : health->step - step;
    bool is_even = health->step > 0 && differs * 5 <= health->step;
    health->now.even += is_even ? health->since_max + 1 : 0;
    health->now.ticks += step * (health->since_max + 1);
    health->step = step;
}

static void take_delay(struct tap_health *health, int64_t pts, int64_t now_ms)
{
    int64_t delay_ms = now_ms - health->base_ms - (pts - health->base_pts) / TICKS_MS;
    if (!health->has_delay || delay_ms < health->delay_ms)
        health->delay_ms = delay_ms;
    health->has_delay = true;
}

static void take_pts(struct tap_health *health, int64_t pts, int64_t now_ms)
{
    int64_t ahead = pts - health->max_pts;
    bool is_jump = health->has_pts && (ahead < -TAP_VIDEO_RATE || ahead > 10 * TAP_VIDEO_RATE);
    if (!health->has_pts || is_jump) {
        /* Another line of time: nothing follows from how far it is from the one before. */
        health->has_pts = true;
        health->max_pts = pts;
        health->since_max = 0;
        clear_delays(health, pts, now_ms);
    } else if (ahead > 0) {
        count_step(health, ahead / (health->since_max + 1));
        health->max_pts = pts;
        health->since_max = 0;
    } else {
        health->since_max++; /* B-frames are shown before what was decoded ahead of them */
    }
    take_delay(health, health->max_pts, now_ms);
}

int64_t tap_health_group_ms(const struct tap_health *health)
{
    const struct tap_health_groups *groups = &health->groups;
    return groups->longest_ms > groups->before_ms ? groups->longest_ms : groups->before_ms;
}

/* Without a keyframe. */
static int64_t key_limit_ms(const struct tap_health *health)
{
    int64_t least_ms = health->has_group ? KEY_LEAST_MS : KEY_UNKNOWN_MS;
    int64_t twice_ms = 2 * tap_health_group_ms(health);
    return twice_ms > least_ms ? twice_ms : least_ms;
}

/* A camera may make its groups longer, as long as nothing moves; and it may fail to send a
 * keyframe, which should not be usual from then on. */
static void learn_group(struct tap_health *health, int64_t group_ms, int64_t now_ms)
{
    struct tap_health_groups *groups = &health->groups;
    int64_t usual_ms = group_ms;
    if (group_ms > KEY_USUAL_MS && group_ms > key_limit_ms(health)) {
        usual_ms = group_ms < groups->odd_ms ? group_ms : groups->odd_ms;
        groups->odd_ms = group_ms;
    }
    if (now_ms - groups->hour_ms >= HOUR_MS) {
        groups->before_ms = now_ms - groups->hour_ms < 2 * HOUR_MS ? groups->longest_ms : 0;
        groups->longest_ms = 0;
        groups->hour_ms = now_ms;
    }
    groups->longest_ms = usual_ms > groups->longest_ms ? usual_ms : groups->longest_ms;
}

static void take_key(struct tap_health *health, int64_t now_ms)
{
    if (health->has_key) {
        learn_group(health, now_ms - health->key_ms, now_ms);
        health->has_group = true;
    }
    health->has_key = true;
    health->key_ms = now_ms;
    health->n_keys++;
}

void tap_health_frame(struct tap_health *health, int64_t pts, bool is_key, int64_t now_ms)
{
    if (health->state == WEIR_PICTURE_HEALTH_DOWN)
        return;
    if (tap_health_has(health, WEIR_FAULT_STALLED))
        health->key_ms += now_ms - health->frame_ms; /* silence is not what a group lasts */
    if (is_key)
        take_key(health, now_ms);
    health->now.frames++;
    if (pts != TAP_NO_TIME)
        take_pts(health, pts, now_ms);
    health->frame_ms = now_ms;
}

void tap_health_other_delay(struct tap_health *health)
{
    clear_delays(health, health->max_pts, health->frame_ms);
}

void tap_health_other_rate(struct tap_health *health)
{
    health->nominal_milli = 0;
    health->low_s = health->fair_s = health->lower_s = 0;
    health->learn_at = health->n_seconds > 0 ? health->n_seconds + TAP_HEALTH_SECONDS + 1 : LEARN_S;
    set(health, WEIR_FAULT_LOW_FPS, false);
}

void tap_health_params(struct tap_health *health, int64_t now_ms)
{
    health->params_ms = now_ms;
    tap_health_other_rate(health);
}

/* ---- judging ---- */

static struct tap_health_second sum_of(const struct tap_health *health)
{
    struct tap_health_second sum = {0};
    size_t n = health->n_seconds < TAP_HEALTH_SECONDS ? health->n_seconds : TAP_HEALTH_SECONDS;
    for (size_t i = 0; i < n; i++) {
        const struct tap_health_second *second = &health->seconds[i];
        sum.frames += second->frames;
        sum.even += second->even;
        sum.ticks += second->ticks;
        sum.packets += second->packets;
        sum.lost += second->lost;
    }
    return sum;
}

static bool is_even(const struct tap_health_second *sum)
{
    return sum->even * 1000 >= sum->frames * EVEN;
}

/* The camera's rate by its own times; a burst out of its buffer does not count. */
static void learn_rate(struct tap_health *health, const struct tap_health_second *sum)
{
    bool is_late = health->nominal_milli == 0 && health->n_seconds >= health->learn_at + UNEVEN_S;
    if (health->n_seconds < health->learn_at || sum->ticks <= 0 || (!is_even(sum) && !is_late))
        return;
    int64_t milli = sum->frames * 1000 * TAP_VIDEO_RATE / sum->ticks;
    if (milli > health->nominal_milli || health->lower_s >= LOWER_S) {
        health->nominal_milli = milli;
        health->lower_s = 0;
    }
}

static void judge_rate(struct tap_health *health, const struct tap_health_second *sum)
{
    if (health->nominal_milli == 0 || health->n_seconds < TAP_HEALTH_SECONDS)
        return;
    int64_t share = sum->frames * 1000000 / TAP_HEALTH_SECONDS / health->nominal_milli;
    bool is_steady = is_even(sum);
    health->low_s = share < (is_steady ? LOW_EVEN : LOW) ? health->low_s + 1 : 0;
    health->fair_s = share >= (is_steady ? LOW_EVEN + 50 : FAIR) ? health->fair_s + 1 : 0;
    health->lower_s = is_steady && share < FAIR ? health->lower_s + 1 : 0;
    if (health->low_s >= LOW_FOR_S)
        set(health, WEIR_FAULT_LOW_FPS, true);
    else if (health->fair_s >= FAIR_FOR_S)
        set(health, WEIR_FAULT_LOW_FPS, false);
}

static void judge_speed(struct tap_health *health, const struct tap_health_second *sum)
{
    if (health->n_seconds < TAP_HEALTH_SECONDS)
        return;
    int64_t milli = sum->frames * 1000 / TAP_HEALTH_SECONDS;
    int64_t pace = sum->ticks * 1000 / (TAP_HEALTH_SECONDS * TAP_VIDEO_RATE);
    bool is_fast = milli > OVER_MILLI || pace > OVER;
    bool is_slow = milli < UNDER_MILLI && pace < UNDER;
    health->fast_s = is_fast ? health->fast_s + 1 : 0;
    health->slow_s = is_slow ? health->slow_s + 1 : 0;
    if (health->fast_s >= OVER_FOR_S)
        set(health, WEIR_FAULT_OVERSPEED, true);
    else if (health->slow_s >= FAIR_FOR_S)
        set(health, WEIR_FAULT_OVERSPEED, false);
}

static void judge_loss(struct tap_health *health, const struct tap_health_second *sum)
{
    int64_t all = sum->packets + sum->lost;
    bool is_clean = sum->lost * 1000000 <= all * CLEAN_PPM;
    health->clean_s = is_clean ? health->clean_s + 1 : 0;
    if (sum->lost >= LOSS_LEAST && sum->lost * 1000000 > all * LOSS_PPM)
        set(health, WEIR_FAULT_LOSS, true);
    else if (health->clean_s >= CLEAN_FOR_S)
        set(health, WEIR_FAULT_LOSS, false);
}

static int64_t delay_at(const struct tap_health *health, size_t back)
{
    return health->delays_ms[(health->n_delays - 1 - back) % TAP_HEALTH_DELAYS];
}

/* The newest delay against the farthest of the last minutes. */
static int64_t far_ms(const struct tap_health *health)
{
    int64_t most = 0;
    size_t n = health->n_delays < FAR_DELAYS ? health->n_delays : FAR_DELAYS;
    for (size_t i = 1; i < n; i++) {
        int64_t off = delay_at(health, 0) - delay_at(health, i);
        most = off > most ? off : -off > most ? -off : most;
    }
    return most;
}

static int64_t least_of_window(const struct tap_health *health, size_t window)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < SLOPE_DELAYS; i++) {
        int64_t delay = delay_at(health, window * SLOPE_DELAYS + i);
        least = delay < least ? delay : least;
    }
    return least;
}

/* How many of the newest windows in a row run off one way by `least_ms` at least. */
static int n_sloping(const struct tap_health *health, int64_t least_ms)
{
    int up = 0;
    int down = 0;
    for (size_t i = 0; i + 1 < SLOPE_WINDOWS; i++) {
        int64_t off = least_of_window(health, i) - least_of_window(health, i + 1);
        up += up == (int)i && off > least_ms;
        down += down == (int)i && off < -least_ms;
    }
    return up > down ? up : down;
}

static void judge_drift(struct tap_health *health)
{
    bool is_whole = health->n_delays >= TAP_HEALTH_DELAYS;
    bool is_far = far_ms(health) > FAR_MS;
    bool is_sloping = is_whole && n_sloping(health, SLOPE_MS) == SLOPE_WINDOWS - 1;
    if (is_far || is_sloping)
        set(health, WEIR_FAULT_DRIFT, true);
    else if (far_ms(health) < NEAR_MS && (!is_whole || n_sloping(health, SLOPE_OVER_MS) == 0))
        set(health, WEIR_FAULT_DRIFT, false);
}

static void end_delays(struct tap_health *health, int64_t now_ms)
{
    if (now_ms - health->delay_at_ms < DELAY_MS)
        return;
    if (health->has_delay) {
        health->delays_ms[health->n_delays % TAP_HEALTH_DELAYS] = health->delay_ms;
        health->n_delays++;
        judge_drift(health);
    }
    health->has_delay = false;
    health->delay_at_ms = now_ms;
}

static void end_second(struct tap_health *health, int64_t now_ms)
{
    if (now_ms - health->second_ms < 1000)
        return;
    health->seconds[health->n_seconds % TAP_HEALTH_SECONDS] = health->now;
    health->n_seconds++;
    health->now = (struct tap_health_second){0};
    health->second_ms = now_ms;
    struct tap_health_second sum = sum_of(health);
    learn_rate(health, &sum);
    judge_rate(health, &sum);
    judge_speed(health, &sum);
    judge_loss(health, &sum);
    end_delays(health, now_ms);
}

static void judge_stall(struct tap_health *health, int64_t now_ms)
{
    int64_t limit_ms = 5 * health->step / TICKS_MS;
    limit_ms = limit_ms > TAP_HEALTH_STALL_MS ? limit_ms : TAP_HEALTH_STALL_MS;
    bool was_stalled = tap_health_has(health, WEIR_FAULT_STALLED);
    bool is_stalled = now_ms - health->frame_ms > limit_ms;
    if (is_stalled) {
        set(health, WEIR_FAULT_STALLED, true);
        clear_seconds(health, now_ms); /* what is missing is told already */
    } else if (was_stalled && (health->n_seconds >= 2)) {
        set(health, WEIR_FAULT_STALLED, false);
    }
}

static void judge_keys(struct tap_health *health)
{
    /* Without any frames it is not keyframes that are missing. */
    if (health->frame_ms - health->key_ms > key_limit_ms(health)) {
        set(health, WEIR_FAULT_NO_KEYFRAME, true);
        health->n_keys = 0;
    } else if (health->n_keys >= KEYS_WELL) {
        set(health, WEIR_FAULT_NO_KEYFRAME, false);
    }
}

static enum weir_picture_health state_of(const struct tap_health *health)
{
    if (tap_health_has(health, WEIR_FAULT_STALLED))
        return WEIR_PICTURE_HEALTH_STALLED;
    if (health->faults != 0)
        return WEIR_PICTURE_HEALTH_DEGRADED;
    bool has_begun = health->state != WEIR_PICTURE_HEALTH_STARTING || health->n_seconds > 0;
    return health->is_doubtful || !has_begun ? WEIR_PICTURE_HEALTH_STARTING
                                             : WEIR_PICTURE_HEALTH_HEALTHY;
}

bool tap_health_tick(struct tap_health *health, int64_t packets, int64_t lost, int64_t now_ms)
{
    if (health->state == WEIR_PICTURE_HEALTH_DOWN)
        return false;
    enum weir_picture_health before = health->state;
    unsigned faults = health->faults;
    health->now.packets += packets > health->packets ? packets - health->packets : 0;
    health->now.lost += lost > health->lost ? lost - health->lost : 0;
    health->packets = packets;
    health->lost = lost;
    judge_stall(health, now_ms);
    judge_keys(health);
    end_second(health, now_ms);
    bool has_changed = health->params_ms != 0 && now_ms - health->params_ms < PARAMS_HOLD_MS;
    set(health, WEIR_FAULT_PARAMETERS, has_changed);
    health->fault_ms = health->faults != 0 ? now_ms : health->fault_ms;
    health->is_doubtful = health->is_doubtful && now_ms - health->fault_ms < DOUBT_MS;
    health->state = state_of(health);
    if (health->state == before && health->faults == faults)
        return false;
    health->since_ms = now_ms;
    return true;
}
