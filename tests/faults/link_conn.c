/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/faults/link_proxy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK_BYTES  (64 * 1024)
#define QUEUED_BYTES (1024 * 1024)

static void flow_init(struct flow *flow, int from, int to, bool is_reply)
{
    *flow = (struct flow){.from = from, .to = to, .is_reply = is_reply};
    flow->last = &flow->first;
}

static void flow_done(struct flow *flow)
{
    for (struct chunk *chunk = flow->first; chunk != NULL;) {
        struct chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    flow->first = NULL;
}

static bool is_held(const struct conn *conn, const struct flow *flow)
{
    enum mode mode = conn->link->mode;
    return mode == MODE_HOLE || mode == (flow->is_reply ? MODE_DEAF : MODE_MUTE);
}

struct conn *conn_open(struct link *link, int client)
{
    int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(link->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (server < 0 ||
        (connect(server, (const struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)) {
        if (server >= 0) {
            close(server);
        }
        return NULL;
    }
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        abort();
    }
    conn->link = link;
    conn->client = client;
    conn->server = server;
    flow_init(&conn->ask, client, server, false);
    flow_init(&conn->reply, server, client, true);
    return conn;
}

void conn_close(struct conn *conn, bool abruptly)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    int ends[] = {conn->client, conn->server};
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0) {
            if (abruptly) {
                setsockopt(ends[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            }
            close(ends[i]);
        }
    }
    flow_done(&conn->ask);
    flow_done(&conn->reply);
    free(conn);
}

void conn_orphan(struct conn *conn)
{
    conn->orphan = true;
    close(conn->server);
    conn->server = -1;
}

/* Whether to go on; a reset connection is as good as an ended one, only ruder. */
static bool flow_read(struct conn *conn, struct flow *flow, int64_t now_ms)
{
    struct chunk *chunk = malloc(sizeof *chunk + CHUNK_BYTES);
    if (chunk == NULL) {
        abort();
    }
    ssize_t n = recv(flow->from, chunk->bytes, CHUNK_BYTES, MSG_DONTWAIT);
    if (n > 0) {
        int64_t delay_ms = conn->link->mode == MODE_DELAY ? conn->link->delay_ms : 0;
        struct chunk *fit = realloc(chunk, sizeof *chunk + (size_t)n);
        chunk = fit != NULL ? fit : chunk;
        chunk->next = NULL;
        chunk->due_ms = now_ms + delay_ms;
        chunk->length = (size_t)n;
        chunk->sent = 0;
        *flow->last = chunk;
        flow->last = &chunk->next;
        flow->queued += (size_t)n;
        return true;
    }
    int error = errno;
    free(chunk);
    if (n == 0) {
        flow->ended = true;
        return true;
    }
    return error == EAGAIN || error == EINTR || error == ENOTCONN;
}

static bool flow_write(struct flow *flow, int64_t now_ms)
{
    while (flow->first != NULL && flow->first->due_ms <= now_ms) {
        struct chunk *chunk = flow->first;
        ssize_t n = send(flow->to, chunk->bytes + chunk->sent, chunk->length - chunk->sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
        }
        chunk->sent += (size_t)n;
        flow->queued -= (size_t)n;
        if (chunk->sent < chunk->length) {
            return true;
        }
        flow->first = chunk->next;
        if (flow->first == NULL) {
            flow->last = &flow->first;
        }
        free(chunk);
    }
    if (flow->ended && flow->first == NULL && !flow->shut) {
        shutdown(flow->to, SHUT_WR);
        flow->shut = true;
    }
    return true;
}

static bool wants_read(const struct conn *conn, const struct flow *flow)
{
    return !is_held(conn, flow) && !flow->ended && flow->queued < QUEUED_BYTES;
}

static bool wants_write(const struct conn *conn, const struct flow *flow, int64_t now_ms)
{
    return !is_held(conn, flow) && flow->first != NULL && flow->first->due_ms <= now_ms;
}

/*
 * A descriptor that nothing is wanted of is taken out altogether: the kernel would tell of its
 * end over and over, and a cut link must not pass that on.
 */
static void watch(int epoll_fd, int fd, struct conn *conn, uint32_t *watched, uint32_t wanted)
{
    struct epoll_event event = {.events = wanted, .data.ptr = conn};
    if (wanted == 0 && *watched != 0) {
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    } else if (wanted != 0 && *watched == 0) {
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    } else if (wanted != *watched) {
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event);
    }
    *watched = wanted;
}

static uint32_t events_for(bool reads, bool writes)
{
    return (reads ? (uint32_t)EPOLLIN : 0U) | (writes ? (uint32_t)EPOLLOUT : 0U);
}

/* Somebody who lost his other side sends into nothing; his own end is all that is heard. */
static void orphan_move(struct conn *conn, int epoll_fd)
{
    unsigned char nothing[4096];
    ssize_t n;
    do {
        n = recv(conn->client, nothing, sizeof nothing, MSG_DONTWAIT);
    } while (n > 0);
    conn->dead = n == 0 || (errno != EAGAIN && errno != EINTR);
    watch(epoll_fd, conn->client, conn, &conn->watched_client, EPOLLIN);
}

void conn_move(struct conn *conn, int epoll_fd, int64_t now_ms)
{
    if (conn->orphan) {
        orphan_move(conn, epoll_fd);
        return;
    }
    struct flow *flows[] = {&conn->ask, &conn->reply};
    for (int i = 0; i < 2 && !conn->dead; i++) {
        bool ok = !wants_read(conn, flows[i]) || flow_read(conn, flows[i], now_ms);
        if (ok && !is_held(conn, flows[i])) {
            ok = flow_write(flows[i], now_ms);
        }
        conn->dead = !ok;
    }
    conn->dead = conn->dead || (conn->ask.shut && conn->reply.shut);
    uint32_t at_client =
        events_for(wants_read(conn, &conn->ask), wants_write(conn, &conn->reply, now_ms));
    uint32_t at_server =
        events_for(wants_read(conn, &conn->reply), wants_write(conn, &conn->ask, now_ms));
    watch(epoll_fd, conn->client, conn, &conn->watched_client, at_client);
    watch(epoll_fd, conn->server, conn, &conn->watched_server, at_server);
}

int64_t conn_due_ms(const struct conn *conn, int64_t now_ms)
{
    int64_t due_ms = INT64_MAX;
    const struct flow *flows[] = {&conn->ask, &conn->reply};
    for (int i = 0; i < 2 && !conn->orphan; i++) {
        const struct chunk *chunk = flows[i]->first;
        if (chunk != NULL && chunk->due_ms > now_ms && chunk->due_ms < due_ms) {
            due_ms = chunk->due_ms;
        }
    }
    return due_ms;
}
