/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/log.h"

#define OUT_BYTES_MAX (1U << 20)

struct tap_control {
    struct weir_loop *loop;
    int fd;
    const struct tap_control_calls *calls;
    void *ctx;
    struct weir_buf in;
    struct weir_buf out;
    struct weir_arena *arena; /* of one line */
    bool is_closed;
};

static void on_event(void *ctx, unsigned events);

static void close_it(struct tap_control *control)
{
    if (control->is_closed)
        return;
    control->is_closed = true;
    weir_loop_unwatch(control->loop, control->fd);
    control->calls->closed(control->ctx);
}

static void flush(struct tap_control *control)
{
    while (control->out.len > 0) {
        ssize_t n = write(control->fd, control->out.bytes, control->out.len);
        if (n > 0) {
            weir_buf_consume(&control->out, (size_t)n);
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && errno == EAGAIN) {
            break;
        } else {
            close_it(control);
            return;
        }
    }
    unsigned events = WEIR_LOOP_IN | (control->out.len > 0 ? WEIR_LOOP_OUT : 0);
    weir_loop_watch(control->loop, control->fd, events, on_event, control);
}

static void read_line(struct tap_control *control, size_t len)
{
    struct weir_ctl ctl;
    struct weir_err err;
    weir_arena_reset(control->arena);
    if (weir_ctl_parse(control->in.bytes, len, control->arena, &ctl, &err) == WEIR_OK)
        control->calls->line(control->ctx, &ctl);
    else
        weir_log(WEIR_LOG_ERROR, "control: a line could not be read", "error", err.msg, NULL);
    /* It may have held a password. */
    explicit_bzero(&ctl, sizeof(ctl));
    explicit_bzero(control->in.bytes, len);
}

/* False when the other end is gone. */
static bool fill(struct tap_control *control)
{
    char bytes[16384];
    for (;;) {
        ssize_t n = read(control->fd, bytes, sizeof(bytes));
        if (n > 0) {
            if (!weir_buf_add(&control->in, bytes, (size_t)n))
                return false;
            explicit_bzero(bytes, (size_t)n);
            return true;
        }
        if (n < 0 && errno == EINTR)
            continue;
        return n < 0 && errno == EAGAIN;
    }
}

static void on_event(void *ctx, unsigned events)
{
    struct tap_control *control = ctx;
    if (!fill(control)) {
        close_it(control);
        return;
    }
    const char *newline;
    while (!control->is_closed && control->in.len > 0 &&
           (newline = memchr(control->in.bytes, '\n', control->in.len)) != NULL) {
        size_t len = (size_t)(newline - control->in.bytes) + 1;
        read_line(control, len);
        weir_buf_consume(&control->in, len);
    }
    if (control->in.len > WEIR_CTL_BYTES_MAX)
        close_it(control);
    else if (!control->is_closed && (events & WEIR_LOOP_OUT) != 0)
        flush(control);
}

struct tap_control *tap_control_new(struct weir_loop *loop, int fd,
                                    const struct tap_control_calls *calls, void *ctx)
{
    struct tap_control *control = weir_xalloc(sizeof(*control));
    control->loop = loop;
    control->fd = fd;
    control->calls = calls;
    control->ctx = ctx;
    control->in.max = 2 * WEIR_CTL_BYTES_MAX;
    control->out.max = OUT_BYTES_MAX;
    control->arena = weir_arena_new(0);
    WEIR_IGNORE(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), "a socket can always");
    weir_loop_watch(loop, fd, WEIR_LOOP_IN, on_event, control);
    return control;
}

void tap_control_free(struct tap_control *control)
{
    if (control == NULL)
        return;
    if (!control->is_closed)
        weir_loop_unwatch(control->loop, control->fd);
    weir_buf_done(&control->in);
    weir_buf_done(&control->out);
    weir_arena_free(control->arena);
    free(control);
}

void tap_control_send(struct tap_control *control, const struct weir_ctl *ctl)
{
    const char *bytes;
    size_t len;
    struct weir_err err;
    if (control->is_closed)
        return;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    if (weir_ctl_dump(ctl, arena, &bytes, &len, &err) != WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, "control: a line could not be written", "error", err.msg, NULL);
        return;
    }
    if (weir_buf_add(&control->out, bytes, len))
        flush(control);
    else
        close_it(control);
}

bool tap_control_is_behind(const struct tap_control *control)
{
    return control->out.len > 0;
}
