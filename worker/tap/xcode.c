/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/xcode.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/io/process.h"
#include "worker/tap/retry.h"
#include "worker/tap/xcode_wire.h"

#define ON_THE_WAY_MAX 8
#define OUT_BYTES      (1U << 20) /* no further unit is added behind these */
#define IN_BYTES_MAX   (2 * WEIR_XCODE_UNIT_MAX)
#define READ_BYTES     65536
#define TICK_MS        500
#define LIVED_MS       10000                    /* then the next end is a first one */
#define NICE           5                        /* pictures wait for packets, not the other way */
#define BEGIN_TICKS    (TAP_VIDEO_RATE * 5 / 2) /* a new rendition begins so far back */
#define LATE_TICKS     (TAP_VIDEO_RATE * 8)     /* behind this it leaves something out */

struct rendition {
    bool is_there;
    bool has_output;
    struct weir_xcode_rendition spec;
};

struct tap_xcode {
    struct weir_loop *loop;
    const char *program;
    const struct tap_ring *ring;
    const struct tap_format *format;
    const struct tap_xcode_calls *calls;
    void *ctx;
    struct rendition renditions[WEIR_XCODE_RENDITIONS_MAX];
    bool is_up;
    struct weir_process process;
    struct weir_timer *timer; /* next start, or tick while up */
    struct weir_buf in;
    struct weir_buf out;
    bool must_place; /* the cursor, anew */
    uint64_t cursor; /* number of the next unit */
    unsigned on_the_way;
    int64_t done_mono_ms; /* the newest sign of life while units were on the way */
    int64_t started_mono_ms;
    unsigned failures; /* in a row */
};

static void on_channel(void *ctx, unsigned events);

/* ---- to it ---- */

static void add_message(struct tap_xcode *x, struct weir_xcode_head head, const void *bytes)
{
    head.magic = WEIR_XCODE_MAGIC;
    weir_buf_add(&x->out, &head, sizeof(head));
    if (head.len > 0)
        weir_buf_add(&x->out, bytes, head.len);
}

static void add_rendition(struct tap_xcode *x, uint32_t number)
{
    struct weir_xcode_rendition spec = x->renditions[number].spec;
    spec.after_ts = x->renditions[number].has_output ? spec.after_ts : INT64_MIN;
    add_message(x,
                (struct weir_xcode_head){
                    .kind = WEIR_XCODE_RENDITION, .rendition = number, .len = sizeof(spec)},
                &spec);
}

static void add_unit(struct tap_xcode *x, const struct tap_unit *unit)
{
    enum tap_codec video = x->format->video;
    uint32_t codec = video == TAP_CODEC_H265    ? WEIR_XCODE_H265
                     : video == TAP_CODEC_MJPEG ? WEIR_XCODE_MJPEG
                                                : WEIR_XCODE_H264;
    if (x->on_the_way++ == 0)
        x->done_mono_ms = weir_clock_mono_ms();
    add_message(x,
                (struct weir_xcode_head){.kind = WEIR_XCODE_UNIT,
                                         .codec = codec,
                                         .is_key = unit->is_key,
                                         .len = (uint32_t)unit->len,
                                         .ts = unit->ts},
                unit->bytes);
}

/* Where the rendition that is the furthest behind goes on. */
static int64_t goal_ts(const struct tap_xcode *x)
{
    int64_t goal = x->ring->newest_ts;
    for (int i = 0; i < WEIR_XCODE_RENDITIONS_MAX; i++) {
        const struct rendition *r = &x->renditions[i];
        int64_t ts = r->has_output ? r->spec.after_ts : x->ring->newest_ts - BEGIN_TICKS;
        goal = r->is_there && ts < goal ? ts : goal;
    }
    return goal;
}

/* At the newest keyframe that is not behind the goal, or the oldest there is. */
static void place(struct tap_xcode *x)
{
    int64_t goal = goal_ts(x);
    x->cursor = x->ring->first;
    for (uint64_t at = x->ring->first; at < x->ring->end; at++) {
        const struct tap_unit *unit = tap_ring_find(x->ring, at);
        if (unit->track == TAP_VIDEO && unit->is_key && unit->ts <= goal)
            x->cursor = at;
    }
    x->must_place = false;
    add_message(x, (struct weir_xcode_head){.kind = WEIR_XCODE_FLUSH}, NULL);
}

static void leave_out(struct tap_xcode *x)
{
    static struct weir_log_limit limit;
    x->cursor = x->ring->last_key;
    add_message(x, (struct weir_xcode_head){.kind = WEIR_XCODE_FLUSH}, NULL);
    if (weir_log_allowed(&limit, 1, 10000, weir_clock_mono_ms()))
        weir_log(WEIR_LOG_WARN, "xcode: too slow for its camera, frames are left out", NULL);
}

static bool is_too_late(const struct tap_xcode *x)
{
    const struct tap_unit *unit = tap_ring_find(x->ring, x->cursor);
    bool has_newer = x->cursor < x->ring->last_key;
    return x->cursor < x->ring->first ||
           (has_newer && unit != NULL && x->ring->newest_ts - unit->ts > LATE_TICKS);
}

/* Whether any rendition is there; who makes none is not given anything. */
static bool has_work(const struct tap_xcode *x)
{
    for (int i = 0; i < WEIR_XCODE_RENDITIONS_MAX; i++) {
        if (x->renditions[i].is_there)
            return true;
    }
    return false;
}

static void fill(struct tap_xcode *x)
{
    if (tap_ring_is_empty(x->ring) || !has_work(x))
        return;
    if (x->must_place)
        place(x);
    else if (is_too_late(x))
        leave_out(x);
    const struct tap_unit *unit;
    while (x->on_the_way < ON_THE_WAY_MAX && x->out.len < OUT_BYTES &&
           (unit = tap_ring_find(x->ring, x->cursor)) != NULL) {
        x->cursor++;
        if (unit->track == TAP_VIDEO && unit->len <= WEIR_XCODE_UNIT_MAX)
            add_unit(x, unit);
    }
}

/* ---- its life ---- */

static void stop(struct tap_xcode *x)
{
    if (!x->is_up)
        return;
    weir_loop_unwatch(x->loop, x->process.channel_fd);
    weir_process_done(&x->process);
    x->is_up = false;
    x->on_the_way = 0;
    weir_buf_clear(&x->in);
    weir_buf_clear(&x->out);
}

static void broke(struct tap_xcode *x, const char *why)
{
    bool has_lived = x->is_up && weir_clock_mono_ms() - x->started_mono_ms >= LIVED_MS;
    stop(x);
    x->failures = has_lived ? 1 : x->failures + 1;
    int64_t delay_ms = tap_retry_delay_ms(x->failures, arc4random());
    weir_timer_set(x->timer, delay_ms);
    weir_log(WEIR_LOG_WARN, "xcode: ended", "why", why, NULL);
    x->calls->broke(x->ctx, why);
}

static bool flush(struct tap_xcode *x)
{
    while (x->out.len > 0) {
        ssize_t n = send(x->process.channel_fd, x->out.bytes, x->out.len, MSG_NOSIGNAL);
        if (n > 0) {
            weir_buf_consume(&x->out, (size_t)n);
        } else if (n < 0 && errno == EAGAIN) {
            break;
        } else if (n >= 0 || errno != EINTR) {
            return false;
        }
    }
    unsigned events = WEIR_LOOP_IN | (x->out.len > 0 ? WEIR_LOOP_OUT : 0);
    weir_loop_watch(x->loop, x->process.channel_fd, events, on_channel, x);
    return true;
}

static void pump(struct tap_xcode *x)
{
    if (!x->is_up)
        return;
    fill(x);
    if (!flush(x))
        broke(x, "the process ended");
}

static void start(struct tap_xcode *x)
{
    const char *const argv[] = {"weir-xcode", NULL};
    const char *const env[] = {NULL};
    struct weir_process_spec spec = {.path = x->program,
                                     .argv = argv,
                                     .env = env,
                                     .cwd = "/",
                                     .has_channel = true,
                                     .nice = NICE};
    struct weir_err err = {0};
    if (weir_process_start(&spec, &x->process, &err) != WEIR_OK) {
        broke(x, err.msg);
        return;
    }
    x->is_up = true;
    x->must_place = true;
    x->started_mono_ms = weir_clock_mono_ms();
    for (uint32_t i = 0; i < WEIR_XCODE_RENDITIONS_MAX; i++) {
        if (x->renditions[i].is_there)
            add_rendition(x, i);
    }
    weir_timer_set(x->timer, TICK_MS);
    pump(x);
}

static void on_timer(void *ctx)
{
    struct tap_xcode *x = ctx;
    if (!x->is_up) {
        if (has_work(x))
            start(x);
        return;
    }
    weir_timer_set(x->timer, TICK_MS);
    if (x->on_the_way > 0 && weir_clock_mono_ms() - x->done_mono_ms > TAP_XCODE_HANG_MS)
        broke(x, "the process hung");
}

/* ---- from it ---- */

static bool take_done(struct tap_xcode *x)
{
    if (x->on_the_way == 0)
        return false;
    x->on_the_way--;
    x->done_mono_ms = weir_clock_mono_ms();
    return true;
}

static bool take_unit(struct tap_xcode *x, const struct weir_xcode_head *head, const uint8_t *unit)
{
    struct rendition *r = &x->renditions[head->rendition];
    if (!r->is_there) /* it was dropped a moment ago */
        return true;
    if ((r->has_output && head->ts <= r->spec.after_ts) || head->ts > x->ring->newest_ts)
        return false;
    r->has_output = true;
    r->spec.after_ts = head->ts;
    x->calls->unit(x->ctx, head->rendition, head->ts, head->is_key != 0, unit, head->len);
    return true;
}

/* Whole messages out of what came. False when it is none. */
static bool take_all(struct tap_xcode *x)
{
    struct weir_xcode_head head;
    const uint8_t *unit;
    size_t used;
    size_t at = 0;
    bool is_good = true;
    while (is_good) {
        enum tap_xcode_item item =
            tap_xcode_next(x->in.bytes + at, x->in.len - at, &head, &unit, &used);
        if (item == TAP_XCODE_MORE)
            break;
        is_good = item == TAP_XCODE_UNIT   ? take_unit(x, &head, unit)
                  : item == TAP_XCODE_DONE ? take_done(x)
                                           : false;
        at += used;
    }
    if (is_good)
        weir_buf_consume(&x->in, at);
    return is_good;
}

/* False when the other end is gone, or sent more than it may. */
static bool receive(struct tap_xcode *x)
{
    char bytes[READ_BYTES];
    ssize_t n = recv(x->process.channel_fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    return n > 0 && weir_buf_add(&x->in, bytes, (size_t)n);
}

static void on_channel(void *ctx, unsigned events)
{
    struct tap_xcode *x = ctx;
    if ((events & (WEIR_LOOP_IN | WEIR_LOOP_HUP)) != 0) {
        if (!receive(x)) {
            broke(x, "the process ended");
            return;
        }
        if (!take_all(x)) {
            broke(x, "the process said what it may not");
            return;
        }
    }
    pump(x);
}

/* ---- for the camera ---- */

struct tap_xcode *tap_xcode_new(struct weir_loop *loop, const char *program,
                                const struct tap_ring *ring, const struct tap_format *format,
                                const struct tap_xcode_calls *calls, void *ctx)
{
    struct tap_xcode *x = weir_xalloc(sizeof(*x));
    x->loop = loop;
    x->program = program;
    x->ring = ring;
    x->format = format;
    x->calls = calls;
    x->ctx = ctx;
    x->in.max = IN_BYTES_MAX;
    x->timer = weir_timer_new(loop, on_timer, x);
    return x;
}

void tap_xcode_free(struct tap_xcode **xcode)
{
    struct tap_xcode *x = *xcode;
    if (x == NULL)
        return;
    *xcode = NULL;
    stop(x);
    weir_timer_free(&x->timer);
    weir_buf_done(&x->in);
    weir_buf_done(&x->out);
    free(x);
}

void tap_xcode_set(struct tap_xcode *x, uint32_t rendition, const struct weir_xcode_rendition *spec)
{
    struct rendition *r = &x->renditions[rendition];
    int64_t after_ts = r->spec.after_ts;
    bool is_new = !r->is_there;
    r->is_there = true;
    r->has_output = r->has_output && !is_new;
    r->spec = *spec;
    r->spec.after_ts = after_ts;
    x->must_place = x->must_place || is_new;
    if (x->is_up)
        add_rendition(x, rendition);
    else if (!weir_timer_is_set(x->timer))
        weir_timer_set(x->timer, 0);
}

void tap_xcode_drop(struct tap_xcode *x, uint32_t rendition)
{
    struct rendition *r = &x->renditions[rendition];
    if (r->is_there && x->is_up)
        add_message(x, (struct weir_xcode_head){.kind = WEIR_XCODE_DROP, .rendition = rendition},
                    NULL);
    *r = (struct rendition){0};
}

void tap_xcode_wake(struct tap_xcode *x)
{
    pump(x);
}
