/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/arena.h"

#define REQUEST_MAX (PROBE_TARGET_MAX + 96)

struct probe {
    struct weir_loop *loop;
    struct weir_timer *deadline;
    int fd;
    probe_done_fn *fn;
    void *ctx;
};

static void release(struct probe *probe)
{
    if (probe->fd >= 0) {
        weir_loop_unwatch(probe->loop, probe->fd);
        close(probe->fd);
    }
    weir_timer_free(&probe->deadline);
    free(probe);
}

static void finish(struct probe *probe, int status)
{
    probe_done_fn *fn = probe->fn;
    void *ctx = probe->ctx;
    release(probe);
    fn(ctx, status);
}

/* False: nothing came yet. The status line comes in one piece, or counts as no answer. */
static bool read_status(const struct probe *probe, int *ret)
{
    char text[64] = "";
    if (probe->fd < 0) {
        return false;
    }
    ssize_t n = recv(probe->fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    *ret = 0;
    if (n > 0 && sscanf(text, "HTTP/1.%*1d %3d", ret) != 1) {
        *ret = 0;
    }
    return true;
}

static void on_readable(void *ctx, unsigned events)
{
    struct probe *probe = ctx;
    int status = 0;
    (void)events;
    if (read_status(probe, &status)) {
        finish(probe, status);
    }
}

/* This process may have been the one that stood still: what came meanwhile counts. */
static void on_deadline(void *ctx)
{
    struct probe *probe = ctx;
    int status = 0;
    finish(probe, read_status(probe, &status) ? status : 0);
}

static bool ask(struct probe *probe, const char *socket_path, const char *target)
{
    char request[REQUEST_MAX];
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int len = snprintf(request, sizeof(request),
                       "GET %s HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n", target);
    if (len >= (int)sizeof(request) || strlen(socket_path) >= sizeof(addr.sun_path)) {
        return false;
    }
    memcpy(addr.sun_path, socket_path, strlen(socket_path));
    probe->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return probe->fd >= 0 &&
           connect(probe->fd, (const struct sockaddr *)(const void *)&addr, sizeof(addr)) == 0 &&
           send(probe->fd, request, (size_t)len, MSG_NOSIGNAL) == len;
}

struct probe *probe_get(struct weir_loop *loop, const char *socket_path, const char *target,
                        int64_t timeout_ms, probe_done_fn *fn, void *ctx)
{
    struct probe *probe = weir_xalloc(sizeof(*probe));
    probe->loop = loop;
    probe->fd = -1;
    probe->fn = fn;
    probe->ctx = ctx;
    probe->deadline = weir_timer_new(loop, on_deadline, probe);
    if (ask(probe, socket_path, target)) {
        weir_loop_watch(loop, probe->fd, WEIR_LOOP_IN, on_readable, probe);
        weir_timer_set(probe->deadline, timeout_ms);
        return probe;
    }
    if (probe->fd >= 0) {
        close(probe->fd);
        probe->fd = -1;
    }
    weir_timer_set(probe->deadline, 0);
    return probe;
}

void probe_cancel(struct probe **probe)
{
    if (*probe) {
        release(*probe);
    }
    *probe = NULL;
}
