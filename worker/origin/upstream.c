/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/origin/upstream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/list.h"
#include "lib/base/str.h"
#include "worker/origin/reply.h"

#define IDLE_MAX        64
#define READ_BYTES      (64 * 1024)
#define READS_PER_EVENT 16 /* then another connection has its turn */
#define REQUEST_MAX     1024

struct conn {
    struct upstream *upstream;
    struct weir_list node; /* among the idle ones */
    struct sockaddr_un address;
    int fd;
    struct fetch *fetch; /* NULL while idle */
    bool is_used;        /* it answered before: its end may have come while it was idle */
};

struct fetch {
    struct upstream *upstream;
    struct conn *conn;
    struct weir_timer *timer;
    struct sockaddr_un address;
    struct weir_buf request;
    size_t sent;
    struct reply reply;
    size_t max_bytes;
    struct weir_err failure; /* set: told as soon as the timer fires */
    upstream_done_fn *fn;
    void *ctx;
};

struct upstream {
    struct weir_loop *loop;
    struct weir_list idle;
    size_t n_idle;
    size_t n_active;
    char bytes[READ_BYTES];
};

struct upstream *upstream_new(struct weir_loop *loop)
{
    struct upstream *upstream = weir_xalloc(sizeof(*upstream));
    upstream->loop = loop;
    weir_list_init(&upstream->idle);
    return upstream;
}

static void conn_close(struct conn *conn)
{
    weir_list_remove(&conn->node);
    weir_loop_unwatch(conn->upstream->loop, conn->fd);
    close(conn->fd);
    free(conn);
}

static void conn_drop_idle(struct conn *conn)
{
    conn->upstream->n_idle--;
    conn_close(conn);
}

void upstream_free(struct upstream *upstream)
{
    if (upstream == NULL) {
        return;
    }
    assert(upstream->n_active == 0);
    WEIR_LIST_FOR(pos, &upstream->idle)
    {
        conn_drop_idle(WEIR_CONTAINER(pos, struct conn, node));
    }
    free(upstream);
}

size_t upstream_active(const struct upstream *upstream)
{
    return upstream->n_active;
}

static void fetch_free(struct fetch *fetch)
{
    fetch->upstream->n_active--;
    weir_timer_free(&fetch->timer);
    weir_buf_done(&fetch->request);
    reply_done(&fetch->reply);
    free(fetch);
}

/* Takes the fetch off its connection, which is kept when it can be used again. */
static void leave_conn(struct fetch *fetch, bool is_reusable)
{
    struct conn *conn = WEIR_TAKE(fetch->conn);
    if (conn == NULL) {
        return;
    }
    conn->fetch = NULL;
    if (!is_reusable || fetch->upstream->n_idle >= IDLE_MAX) {
        conn_close(conn);
        return;
    }
    conn->is_used = true;
    weir_list_push_front(&fetch->upstream->idle, &conn->node);
    fetch->upstream->n_idle++;
}

static void finish(struct fetch *fetch, const struct weir_err *err)
{
    bool is_ok = err->code == WEIR_OK;
    leave_conn(fetch, is_ok && fetch->reply.keeps_alive);
    upstream_done_fn *fn = fetch->fn;
    void *ctx = fetch->ctx;
    int status = is_ok ? fetch->reply.status : 0;
    struct weir_buf body = fetch->reply.body;
    fetch->reply.body = (struct weir_buf){0};
    fetch_free(fetch);
    fn(ctx, status, &body, err);
    weir_buf_done(&body);
}

static void fail_soon(struct fetch *fetch, enum weir_code code, const char *what, int error)
{
    WEIR_IGNORE(weir_fail(&fetch->failure, code, "%s: %s", what, strerror(error)), "kept");
    weir_timer_set(fetch->timer, 0);
}

static void fail_now(struct fetch *fetch, enum weir_code code, const char *what)
{
    struct weir_err err = {0};
    WEIR_IGNORE(weir_fail(&err, code, "%s", what), "given on");
    finish(fetch, &err);
}

static void on_timer(void *ctx)
{
    struct fetch *fetch = ctx;
    if (fetch->failure.code != WEIR_OK) {
        struct weir_err err = fetch->failure;
        finish(fetch, &err);
        return;
    }
    fail_now(fetch, WEIR_ETIMEOUT, "the engine did not answer in time");
}

/* ---- connections ---- */

static void on_event(void *ctx, unsigned events);

static void send_request(struct fetch *fetch)
{
    struct conn *conn = fetch->conn;
    size_t left = fetch->request.len - fetch->sent;
    ssize_t n = send(conn->fd, fetch->request.bytes + fetch->sent, left, MSG_NOSIGNAL);
    if (n > 0) {
        fetch->sent += (size_t)n;
    }
    bool is_sent = fetch->sent == fetch->request.len;
    weir_loop_watch(conn->upstream->loop, conn->fd,
                    is_sent ? WEIR_LOOP_IN : WEIR_LOOP_IN | WEIR_LOOP_OUT, on_event, conn);
}

static struct conn *find_idle(struct upstream *upstream, const struct sockaddr_un *address)
{
    WEIR_LIST_FOR(pos, &upstream->idle)
    {
        struct conn *conn = WEIR_CONTAINER(pos, struct conn, node);
        if (strcmp(conn->address.sun_path, address->sun_path) == 0) {
            weir_list_remove(&conn->node);
            upstream->n_idle--;
            return conn;
        }
    }
    return NULL;
}

static struct conn *connect_new(struct fetch *fetch)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        fail_soon(fetch, WEIR_EUNAVAILABLE, "no socket", errno);
        return NULL;
    }
    const struct sockaddr *address = (const struct sockaddr *)&fetch->address;
    if (connect(fd, address, sizeof(fetch->address)) != 0) {
        fail_soon(fetch, WEIR_EUNAVAILABLE, "the engine is not there", errno);
        close(fd);
        return NULL;
    }
    struct conn *conn = weir_xalloc(sizeof(*conn));
    weir_list_init(&conn->node);
    conn->upstream = fetch->upstream;
    conn->address = fetch->address;
    conn->fd = fd;
    return conn;
}

static void begin(struct fetch *fetch, bool may_reuse)
{
    struct conn *conn = may_reuse ? find_idle(fetch->upstream, &fetch->address) : NULL;
    if (conn == NULL) {
        conn = connect_new(fetch);
    }
    if (conn == NULL) {
        return;
    }
    conn->fetch = fetch;
    fetch->conn = conn;
    fetch->sent = 0;
    reply_init(&fetch->reply, fetch->max_bytes);
    send_request(fetch);
}

/* The connection ended before the answer did. */
static void on_end(struct fetch *fetch)
{
    bool was_idle_end = fetch->conn->is_used && fetch->reply.status == 0;
    if (!was_idle_end) {
        fail_now(fetch, WEIR_EUNAVAILABLE, "the engine ended the connection");
        return;
    }
    leave_conn(fetch, false);
    reply_done(&fetch->reply);
    begin(fetch, false);
}

/* False when the fetch is over or moved to another connection. */
static bool read_some(struct fetch *fetch)
{
    struct upstream *upstream = fetch->upstream;
    ssize_t n = recv(fetch->conn->fd, upstream->bytes, sizeof(upstream->bytes), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (n <= 0) {
        on_end(fetch);
        return false;
    }
    struct weir_err err = {0};
    bool is_bad = reply_feed(&fetch->reply, upstream->bytes, (size_t)n, &err) != WEIR_OK;
    if (is_bad || fetch->reply.is_done) {
        finish(fetch, &err);
        return false;
    }
    return true;
}

static void on_event(void *ctx, unsigned events)
{
    struct conn *conn = ctx;
    struct fetch *fetch = conn->fetch;
    if (fetch == NULL) {
        conn_drop_idle(conn);
        return;
    }
    if ((events & WEIR_LOOP_OUT) != 0) {
        send_request(fetch);
    }
    if ((events & (WEIR_LOOP_IN | WEIR_LOOP_HUP)) == 0) {
        return;
    }
    for (int i = 0; i < READS_PER_EVENT && read_some(fetch); i++) {
    }
}

struct fetch *upstream_get(struct upstream *upstream, const struct upstream_get *get)
{
    struct fetch *fetch = weir_xalloc(sizeof(*fetch));
    fetch->upstream = upstream;
    fetch->address.sun_family = AF_UNIX;
    fetch->max_bytes = get->max_bytes;
    fetch->fn = get->fn;
    fetch->ctx = get->ctx;
    fetch->timer = weir_timer_new(upstream->loop, on_timer, fetch);
    fetch->request.max = REQUEST_MAX;
    upstream->n_active++;
    weir_timer_set(fetch->timer, get->timeout_ms);
    bool fits = WEIR_STR_SET(fetch->address.sun_path, get->socket) &&
                weir_buf_printf(&fetch->request,
                                "GET %s HTTP/1.1\r\nHost: engine\r\nAuthorization: Bearer %s\r\n"
                                "User-Agent: weir-origin\r\n\r\n",
                                get->target, get->secret);
    if (!fits) {
        fail_soon(fetch, WEIR_ELIMIT, "request to the engine", E2BIG);
        return fetch;
    }
    begin(fetch, true);
    return fetch;
}

void upstream_cancel(struct fetch **fetch)
{
    struct fetch *gone = WEIR_TAKE(*fetch);
    if (gone != NULL) {
        leave_conn(gone, false);
        fetch_free(gone);
    }
}
