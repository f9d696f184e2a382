/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/origin/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/log.h"

#define READ_BYTES 16384
#define QUEUE_MAX  (1024 * 1024)

struct control {
    struct control_config config;
    struct weir_arena *arena;
    struct weir_buf in;
    struct weir_buf out;
    bool has_ended;
};

static void on_event(void *ctx, unsigned events);

static void end(struct control *control)
{
    if (!control->has_ended) {
        control->has_ended = true;
        weir_loop_unwatch(control->config.loop, control->config.fd);
        control->config.on_end(control->config.ctx);
    }
}

static void take_line(struct control *control, const char *line, size_t len)
{
    struct weir_ctl ctl;
    struct weir_err err = {0};
    weir_arena_reset(control->arena);
    if (weir_ctl_parse(line, len, control->arena, &ctl, &err) != WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, "control: a line is not understood", "why", err.msg, NULL);
        return;
    }
    control->config.on_line(control->config.ctx, &ctl);
}

static void take_lines(struct control *control)
{
    size_t begin = 0;
    const char *end_of_line = NULL;
    while (begin < control->in.len &&
           (end_of_line = memchr(control->in.bytes + begin, '\n', control->in.len - begin))) {
        size_t len = (size_t)(end_of_line - control->in.bytes) - begin;
        take_line(control, control->in.bytes + begin, len);
        begin += len + 1;
    }
    weir_buf_consume(&control->in, begin);
}

static void receive(struct control *control)
{
    char bytes[READ_BYTES];
    ssize_t n = recv(control->config.fd, bytes, sizeof(bytes), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        end(control);
        return;
    }
    if (!weir_buf_add(&control->in, bytes, (size_t)n)) {
        weir_log(WEIR_LOG_ERROR, "control: a line is too long", NULL);
        end(control);
        return;
    }
    take_lines(control);
}

static void send_queued(struct control *control)
{
    ssize_t n =
        send(control->config.fd, control->out.bytes, control->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
        weir_buf_consume(&control->out, (size_t)n);
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        end(control);
        return;
    }
    unsigned events = control->out.len > 0 ? WEIR_LOOP_IN | WEIR_LOOP_OUT : WEIR_LOOP_IN;
    weir_loop_watch(control->config.loop, control->config.fd, events, on_event, control);
}

static void on_event(void *ctx, unsigned events)
{
    struct control *control = ctx;
    if ((events & WEIR_LOOP_OUT) != 0) {
        send_queued(control);
    }
    if (!control->has_ended && (events & (WEIR_LOOP_IN | WEIR_LOOP_HUP)) != 0) {
        receive(control);
    }
}

enum weir_code control_open(const struct control_config *config, struct control **ret,
                            struct weir_err *err)
{
    int type = 0;
    socklen_t len = sizeof(type);
    if (getsockopt(config->fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_STREAM ||
        fcntl(config->fd, F_SETFL, O_NONBLOCK) != 0) {
        return weir_fail(err, WEIR_EINVAL,
                         "descriptor %d is no control channel; weir-worker "
                         "starts this program",
                         config->fd);
    }
    struct control *control = weir_xalloc(sizeof(*control));
    control->config = *config;
    control->arena = weir_arena_new(0);
    control->in.max = WEIR_CTL_BYTES_MAX + READ_BYTES;
    control->out.max = QUEUE_MAX;
    weir_loop_watch(config->loop, config->fd, WEIR_LOOP_IN, on_event, control);
    *ret = control;
    return WEIR_OK;
}

void control_close(struct control **control)
{
    struct control *gone = WEIR_TAKE(*control);
    if (gone == NULL) {
        return;
    }
    if (!gone->has_ended) {
        weir_loop_unwatch(gone->config.loop, gone->config.fd);
    }
    weir_arena_free(gone->arena);
    weir_buf_done(&gone->in);
    weir_buf_done(&gone->out);
    free(gone);
}

void control_say(struct control *control, const struct weir_ctl *ctl)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_err err = {0};
    const char *bytes = NULL;
    size_t len = 0;
    if (control->has_ended) {
        return;
    }
    if (weir_ctl_dump(ctl, arena, &bytes, &len, &err) != WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, "control: a line cannot be written", "why", err.msg, NULL);
        return;
    }
    if (!weir_buf_add(&control->out, bytes, len)) {
        weir_log(WEIR_LOG_ERROR, "control: weir-worker does not read", NULL);
        end(control);
        return;
    }
    send_queued(control);
}
