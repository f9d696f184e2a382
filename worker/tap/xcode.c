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
#include "worker/tap/barren.h"
#include "worker/tap/retry.h"
#include "worker/tap/xcode_watch.h"
#include "worker/tap/xcode_wire.h"

#define ON_THE_WAY_MAX 8
#define SOUND_MAX      64                         /* on the way: more than a second of it */
#define TOGETHER_TICKS (TAP_VIDEO_RATE * 6 / 100) /* of sound are sent at once */
#define OUT_BYTES      (1U << 20)                 /* no further unit is added behind these */
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
    struct tap_barren barren; /* while it has none */
    struct weir_xcode_rendition spec;
};

struct tap_xcode {
    struct weir_loop *loop;
    struct weir_dying *dying;
    const struct tap_engines *engines;
    struct tap_engine_turn turn;
    bool has_made; /* since it was started */
    const struct tap_ring *ring;
    const struct tap_format *format;
    const struct tap_xcode_calls *calls;
    void *ctx;
    struct rendition renditions[WEIR_XCODE_RENDITIONS_MAX];
    bool has_sound;
    struct weir_xcode_sound sound;
    int64_t sound_due_ts; /* packets of sound up to here wait for each other */
    bool is_up;
    uint32_t engine; /* that the process was started with; WEIR_XCODE_SOFTWARE: none */
    bool is_hung;
    struct tap_xcode_watch watch;
    struct weir_process process;
    struct weir_timer *timer; /* next start, or tick while up */
    struct weir_buf in;
    struct weir_buf out;
    bool must_place; /* the cursor, anew */
    uint64_t cursor; /* number of the next unit */
    int64_t started_mono_ms;
    unsigned failures; /* in a row */
};

static void on_channel(void *ctx, unsigned events);
static void last_words(struct tap_xcode *x);

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

static void add_sound(struct tap_xcode *x)
{
    add_message(x, (struct weir_xcode_head){.kind = WEIR_XCODE_SOUND, .len = sizeof(x->sound)},
                &x->sound);
}

static void add_unit(struct tap_xcode *x, const struct tap_unit *unit)
{
    enum tap_codec video = x->format->video;
    uint32_t codec = video == TAP_CODEC_H265    ? WEIR_XCODE_H265
                     : video == TAP_CODEC_MJPEG ? WEIR_XCODE_MJPEG
                                                : WEIR_XCODE_H264;
    tap_xcode_watch_give(&x->watch, unit->is_key, weir_clock_mono_ms());
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

/* Whether any rendition is there; who makes none is given no pictures. */
static bool has_renditions(const struct tap_xcode *x)
{
    for (int i = 0; i < WEIR_XCODE_RENDITIONS_MAX; i++) {
        if (x->renditions[i].is_there)
            return true;
    }
    return false;
}

static void fill(struct tap_xcode *x)
{
    if (tap_ring_is_empty(x->ring) || !has_renditions(x))
        return;
    if (x->must_place)
        place(x);
    else if (is_too_late(x))
        leave_out(x);
    const struct tap_unit *unit;
    while (x->watch.on_the_way < ON_THE_WAY_MAX && x->out.len < OUT_BYTES &&
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
    weir_dying_take(x->dying, &x->process);
    x->is_up = false;
    weir_buf_clear(&x->in);
    weir_buf_clear(&x->out);
}

/* A process with an engine that failed is no more trusted with any of its renditions. */
static void blame(struct tap_xcode *x, enum weir_xcode_fault fault)
{
    for (uint32_t i = 0; i < WEIR_XCODE_RENDITIONS_MAX; i++) {
        struct rendition *r = &x->renditions[i];
        if (!r->is_there || r->spec.encoder == WEIR_XCODE_SOFTWARE)
            continue;
        r->spec.encoder = WEIR_XCODE_SOFTWARE;
        x->calls->fell_back(x->ctx, i, fault);
    }
}

static void tell_turn(struct tap_xcode *x, const char *what)
{
    weir_log(WEIR_LOG_WARN, what, "engine", weir_xcode_engine_name(x->turn.now), NULL);
    x->calls->turned(x->ctx);
}

static void broke(struct tap_xcode *x, const char *why)
{
    if (x->is_up && x->watch.is_inside)
        blame(x, x->is_hung ? WEIR_XCODE_FAULT_HUNG : WEIR_XCODE_FAULT_ENDED);
    bool has_lived = x->is_up && weir_clock_mono_ms() - x->started_mono_ms >= LIVED_MS;
    stop(x);
    const char *engine = weir_xcode_engine_name(x->turn.now);
    bool has_turned = tap_engine_broke(&x->turn, x->engines, x->has_made, weir_clock_mono_ms());
    x->failures = has_turned ? 0 : has_lived ? 1 : x->failures + 1;
    int64_t delay_ms = has_turned ? 0 : tap_retry_delay_ms(x->failures, arc4random());
    weir_timer_set(x->timer, delay_ms);
    x->has_made = false; /* also where it cannot be started */
    weir_log(WEIR_LOG_WARN, "xcode: ended", "why", why, "engine", engine, NULL);
    x->calls->broke(x->ctx, why);
    if (has_turned) {
        blame(x, WEIR_XCODE_FAULT_ENDED); /* the other one has no engines */
        tell_turn(x, "xcode: the other engine goes on");
    }
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
    if (!flush(x)) {
        last_words(x);
        broke(x, "the process ended");
    }
}

int64_t tap_xcode_cpu_us(const struct tap_xcode *x)
{
    return x->is_up ? weir_process_cpu_us(x->process.pid) : 0;
}

uint32_t tap_xcode_engine(const struct tap_xcode *x)
{
    if (x->is_up)
        return x->engine;
    if (!tap_engine_is_hard(&x->turn, x->engines))
        return WEIR_XCODE_SOFTWARE;
    for (int i = 0; i < WEIR_XCODE_RENDITIONS_MAX; i++) {
        const struct rendition *r = &x->renditions[i];
        if (r->is_there && r->spec.encoder != WEIR_XCODE_SOFTWARE)
            return r->spec.encoder;
    }
    return TAP_XCODE_ANY;
}

static void start(struct tap_xcode *x)
{
    const struct tap_engine *engine = &x->engines->all[x->turn.now];
    uint32_t encoder = tap_xcode_engine(x);
    bool is_hard = encoder != TAP_XCODE_ANY && encoder != WEIR_XCODE_SOFTWARE;
    const char *name =
        is_hard ? weir_encoder_name((enum weir_encoder)(encoder - 1)) : engine->argument;
    const char *const argv[] = {engine->program, name, NULL};
    const char *const env[] = {NULL};
    struct weir_process_spec spec = {.path = engine->program,
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
    x->has_made = false;
    x->engine = is_hard ? encoder : WEIR_XCODE_SOFTWARE;
    x->is_hung = false;
    x->must_place = true;
    x->started_mono_ms = weir_clock_mono_ms();
    tap_xcode_watch_begin(&x->watch, is_hard, x->started_mono_ms);
    for (uint32_t i = 0; i < WEIR_XCODE_RENDITIONS_MAX; i++) {
        if (x->renditions[i].is_there)
            add_rendition(x, i);
    }
    if (x->has_sound)
        add_sound(x);
    weir_timer_set(x->timer, TICK_MS);
    pump(x);
}

static void on_timer(void *ctx)
{
    struct tap_xcode *x = ctx;
    if (!x->is_up) {
        if (x->has_sound || has_renditions(x))
            start(x);
        return;
    }
    if (!x->has_sound && !has_renditions(x)) {
        stop(x);
        return;
    }
    weir_timer_set(x->timer, TICK_MS);
    if (tap_engine_is_back(&x->turn, x->engines, weir_clock_mono_ms())) {
        /* It goes on behind what is there, as after an end. */
        stop(x);
        start(x);
        tell_turn(x, "xcode: the engine that was chosen is tried again");
        return;
    }
    x->is_hung = tap_xcode_watch_is_hung(&x->watch, weir_clock_mono_ms());
    if (x->is_hung)
        broke(x, "the process hung");
    else
        pump(x); /* sound that waits for more, which does not come */
}

/* ---- from it ---- */

static void count_keyframe(struct tap_xcode *x)
{
    for (uint32_t i = 0; i < WEIR_XCODE_RENDITIONS_MAX; i++) {
        struct rendition *r = &x->renditions[i];
        if (r->is_there && !r->has_output && tap_barren_key(&r->barren, weir_clock_mono_ms()))
            x->calls->barren(x->ctx, i);
    }
}

static bool take_unit(struct tap_xcode *x, const struct weir_xcode_head *head, const uint8_t *unit)
{
    struct rendition *r = &x->renditions[head->rendition];
    if (!r->is_there) /* it was dropped a moment ago */
        return true;
    if ((r->has_output && head->ts <= r->spec.after_ts) || head->ts > x->ring->newest_ts)
        return false;
    r->has_output = true;
    x->has_made = true;
    r->spec.after_ts = head->ts;
    x->calls->unit(x->ctx, head->rendition, head->ts, head->is_key != 0, unit, head->len);
    return true;
}

static void take_no_sound(struct tap_xcode *x)
{
    if (!x->has_sound) /* it is not wanted any more */
        return;
    x->has_sound = false;
    x->calls->no_sound(x->ctx);
}

static bool take_fell_back(struct tap_xcode *x, const struct weir_xcode_head *head)
{
    struct rendition *r = &x->renditions[head->rendition];
    if (r->is_there && r->spec.encoder != WEIR_XCODE_SOFTWARE) {
        r->spec.encoder = WEIR_XCODE_SOFTWARE;
        x->calls->fell_back(x->ctx, head->rendition, (enum weir_xcode_fault)head->codec);
    }
    return true;
}

static bool take_one(struct tap_xcode *x, enum tap_xcode_item item,
                     const struct weir_xcode_head *head, const uint8_t *unit)
{
    if (!tap_xcode_watch_take(&x->watch, item, weir_clock_mono_ms()))
        return false;
    switch (item) {
    case TAP_XCODE_UNIT:
        return take_unit(x, head, unit);
    case TAP_XCODE_SOUND_UNIT:
        if (x->has_sound)
            x->calls->sound(x->ctx, head->ts, unit, head->len);
        return true;
    case TAP_XCODE_SOUND_NONE:
        take_no_sound(x);
        return true;
    case TAP_XCODE_FELL_BACK:
        return take_fell_back(x, head);
    case TAP_XCODE_ENTER:
        return x->engine != WEIR_XCODE_SOFTWARE;
    case TAP_XCODE_DONE:
        if (x->watch.has_done_key)
            count_keyframe(x);
        return true;
    case TAP_XCODE_LEAVE:
        return true;
    case TAP_XCODE_MORE:
    case TAP_XCODE_BROKEN:
        break;
    }
    return false;
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
        is_good = take_one(x, item, &head, unit);
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

/* What it said before it ended tells where that was. */
static void last_words(struct tap_xcode *x)
{
    size_t len;
    do {
        len = x->in.len;
    } while (receive(x) && x->in.len > len && take_all(x));
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

struct tap_xcode *tap_xcode_new(struct weir_loop *loop, struct weir_dying *dying,
                                const struct tap_engines *engines, const struct tap_ring *ring,
                                const struct tap_format *format,
                                const struct tap_xcode_calls *calls, void *ctx)
{
    struct tap_xcode *x = weir_xalloc(sizeof(*x));
    x->loop = loop;
    x->dying = dying;
    x->engines = engines;
    tap_engine_begin(&x->turn, engines);
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

void tap_xcode_set_sound(struct tap_xcode *x, const struct weir_xcode_sound *spec)
{
    x->has_sound = true;
    x->sound = *spec;
    if (x->is_up)
        add_sound(x);
    else if (!weir_timer_is_set(x->timer))
        weir_timer_set(x->timer, 0);
}

void tap_xcode_give_sound(struct tap_xcode *x, int64_t ts, const uint8_t *bytes, size_t len)
{
    if (!x->is_up || !x->has_sound || x->watch.on_the_way >= SOUND_MAX || x->out.len >= OUT_BYTES)
        return;
    tap_xcode_watch_give(&x->watch, false, weir_clock_mono_ms());
    add_message(
        x, (struct weir_xcode_head){.kind = WEIR_XCODE_SOUND_UNIT, .len = (uint32_t)len, .ts = ts},
        bytes);
    if (ts < x->sound_due_ts && ts >= x->sound_due_ts - TOGETHER_TICKS)
        return;
    x->sound_due_ts = ts + TOGETHER_TICKS;
    pump(x);
}

void tap_xcode_wake(struct tap_xcode *x)
{
    pump(x);
}

const char *tap_xcode_why(const struct tap_xcode *x)
{
    static const char *const why[] = {
        [WEIR_XCODE_ENGINE_LIBAV] = "made by libav: the ffmpeg engine broke",
        [WEIR_XCODE_ENGINE_FFMPEG] = "made by ffmpeg: the libav engine broke",
    };
    return x->turn.now != x->engines->first ? why[x->turn.now] : NULL;
}
