/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/child.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/io/process.h"
#include "worker/respawn.h"
#include "worker/starved.h"

#define READ_BYTES    16384
#define LOOK_MS       250
#define FIRST_LINE_MS 10000 /* a program needs its time to start */
/* Bytes taken in one turn of the loop, so that a chatty child leaves room for the others. */
#define READ_TURN_BYTES (4U * READ_BYTES)

struct child {
    struct child_config config;
    struct weir_process process;
    bool is_up;
    bool is_ending;
    bool is_condemned; /* killed, its exit not seen yet */
    struct respawn respawn;
    int64_t starts;
    struct weir_timer *restart;
    struct weir_timer *look;
    int64_t silent_looks;
    bool has_spoken;
    struct weir_buf in;
    struct weir_buf out;
    struct weir_arena *arena;
    struct weir_log_limit bad_lines;
};

static void start(void *ctx);
static void on_channel(void *ctx, unsigned events);

static void close_wires(struct child *child)
{
    if (child->process.channel_fd > 0) {
        weir_loop_unwatch(child->config.loop, child->process.channel_fd);
    }
    if (child->process.pidfd > 0) {
        weir_loop_unwatch(child->config.loop, child->process.pidfd);
    }
    weir_process_done(&child->process);
    weir_buf_clear(&child->in);
    weir_buf_clear(&child->out);
}

static void schedule_restart(struct child *child)
{
    weir_timer_set(child->restart, respawn_ended(&child->respawn, weir_clock_mono_ms()));
}

static void on_exit_seen(void *ctx, unsigned events)
{
    struct child *child = ctx;
    int status = 0;
    char text[64];
    (void)events;
    if (!weir_process_reap(&child->process, &status)) {
        return;
    }
    child->is_up = false;
    close_wires(child);
    if (child->is_ending) {
        return;
    }
    weir_log(WEIR_LOG_WARN, "child ended, starting it again", "child", child->config.name, "how",
             weir_process_status_text(status, text, sizeof(text)), NULL);
    schedule_restart(child);
    child->config.on_exit(child->config.ctx);
}

static void take_line(struct child *child, const char *line, size_t len)
{
    struct weir_ctl ctl;
    struct weir_err err = {0};
    weir_arena_reset(child->arena);
    if (weir_ctl_parse(line, len, child->arena, &ctl, &err) == WEIR_OK) {
        child->config.on_line(child->config.ctx, &ctl);
    } else if (weir_log_allowed(&child->bad_lines, 5, 60000, weir_clock_mono_ms())) {
        weir_log(WEIR_LOG_ERROR, "child sent a line nobody can read", "child", child->config.name,
                 "why", err.msg, NULL);
    }
}

/* Hands over whole lines. False: a line is longer than any may be. */
static bool take_lines(struct child *child)
{
    size_t at = 0;
    while (at < child->in.len) {
        const char *line = child->in.bytes + at;
        const char *end = memchr(line, '\n', child->in.len - at);
        if (!end) {
            break;
        }
        take_line(child, line, (size_t)(end - line));
        at += (size_t)(end - line) + 1;
    }
    weir_buf_consume(&child->in, at);
    return child->in.len <= WEIR_CTL_BYTES_MAX;
}

/* Without its channel a child is of no use; its exit is seen by the pidfd. */
static void condemn(struct child *child)
{
    child->is_condemned = true;
    weir_loop_unwatch(child->config.loop, child->process.channel_fd);
    weir_process_signal(&child->process, SIGKILL);
}

static void read_lines(struct child *child)
{
    char bytes[READ_BYTES];
    for (size_t total = 0; total < READ_TURN_BYTES;) {
        ssize_t n = read(child->process.channel_fd, bytes, sizeof(bytes));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return;
        }
        total += (size_t)n;
        child->silent_looks = 0;
        child->has_spoken = n > 0;
        if (n == 0 || !weir_buf_add(&child->in, bytes, (size_t)n) || !take_lines(child)) {
            condemn(child);
            return;
        }
    }
}

static void watch_channel(struct child *child)
{
    unsigned events = WEIR_LOOP_IN | (child->out.len ? WEIR_LOOP_OUT : 0);
    weir_loop_watch(child->config.loop, child->process.channel_fd, events, on_channel, child);
}

static void write_lines(struct child *child)
{
    while (child->out.len) {
        ssize_t n = send(child->process.channel_fd, child->out.bytes, child->out.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            break;
        }
        weir_buf_consume(&child->out, (size_t)n);
    }
    watch_channel(child);
}

static void on_channel(void *ctx, unsigned events)
{
    struct child *child = ctx;
    if (events & WEIR_LOOP_OUT) {
        write_lines(child);
    }
    if (!child->is_condemned && events & (WEIR_LOOP_IN | WEIR_LOOP_HUP)) {
        read_lines(child);
    }
}

static void on_look(void *ctx)
{
    struct child *child = ctx;
    int64_t max_ms = child->has_spoken ? child->config.silence_max_ms : FIRST_LINE_MS;
    if (!child->is_up || child->is_condemned) {
        return;
    }
    int64_t silent_ms = ++child->silent_looks * LOOK_MS;
    bool is_late =
        silent_ms <= STARVED_TIMES * max_ms && silent_ms > max_ms && starved_is(child->process.pid);
    if (silent_ms > max_ms && !is_late) {
        weir_log(WEIR_LOG_WARN, "child hangs, killing it", "child", child->config.name, NULL);
        condemn(child);
        return;
    }
    weir_timer_set(child->look, LOOK_MS);
}

static void begin_looks(struct child *child)
{
    child->silent_looks = 0;
    child->has_spoken = false;
    if (child->config.silence_max_ms) {
        weir_timer_set(child->look, LOOK_MS);
    }
}

static void start(void *ctx)
{
    struct child *child = ctx;
    struct weir_err err = {0};
    const char *const argv[] = {child->config.name, NULL};
    struct weir_process_spec spec = {
        .path = child->config.path, .argv = argv, .env = child->config.env, .has_channel = true};
    if (child->is_ending) {
        return;
    }
    respawn_started(&child->respawn, weir_clock_mono_ms());
    if (weir_process_start(&spec, &child->process, &err) != WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, "child cannot be started", "child", child->config.name, "why",
                 err.msg, NULL);
        schedule_restart(child);
        return;
    }
    child->is_up = true;
    child->is_condemned = false;
    child->starts++;
    begin_looks(child);
    weir_loop_watch(child->config.loop, child->process.pidfd, WEIR_LOOP_IN, on_exit_seen, child);
    watch_channel(child);
    child->config.on_start(child->config.ctx);
}

struct child *child_new(const struct child_config *config)
{
    struct child *child = weir_xalloc(sizeof(*child));
    child->config = *config;
    child->in.max = WEIR_CTL_BYTES_MAX + READ_BYTES;
    child->out.max = CHILD_QUEUE_MAX;
    child->arena = weir_arena_new(0);
    child->restart = weir_timer_new(config->loop, start, child);
    child->look = weir_timer_new(config->loop, on_look, child);
    weir_timer_set(child->restart, 0);
    return child;
}

void child_end(struct child *child)
{
    child->is_ending = true;
    weir_timer_clear(child->restart);
    weir_timer_clear(child->look);
    weir_process_signal(&child->process, SIGTERM);
}

bool child_is_up(const struct child *child)
{
    return child->is_up;
}

int64_t child_starts(const struct child *child)
{
    return child->starts;
}

void child_free(struct child *child)
{
    if (!child) {
        return;
    }
    child->is_ending = true;
    close_wires(child);
    weir_timer_free(&child->restart);
    weir_timer_free(&child->look);
    weir_buf_done(&child->in);
    weir_buf_done(&child->out);
    weir_arena_free(child->arena);
    weir_freep(&child);
}

void child_send(struct child *child, const struct weir_ctl *ctl)
{
    const char *line;
    size_t len;
    struct weir_err err = {0};
    if (!child->is_up || child->is_condemned) {
        return;
    }
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    if (weir_ctl_dump(ctl, arena, &line, &len, &err) != WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, "message to a child is outside its schema", "child",
                 child->config.name, "type", weir_ctl_type_name(ctl->type), "why", err.msg, NULL);
        return;
    }
    if (!weir_buf_add(&child->out, line, len)) {
        weir_log(WEIR_LOG_ERROR, "child does not read, killing it", "child", child->config.name,
                 NULL);
        condemn(child);
        return;
    }
    if (child->out.len == len) {
        write_lines(child);
    }
}
