/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP proxy whose links can be cut, for tests.
 *
 *   weir-linkproxy CONTROL ADDRESS:PORT...
 *
 * Listens on each ADDRESS:PORT (addresses of the loopback net other than 127.0.0.1) and passes
 * what comes there on to 127.0.0.1:PORT. An order is one message to the SOCK_SEQPACKET socket
 * CONTROL, and so is its answer:
 *
 *   <mode> <address or *> <port or *> [milliseconds]      ->  "ok <links> <connections>" or "no
 * ..."
 *
 * with the modes of link_proxy.h: pass, hole, reset, orphan, deaf, mute, delay. In a hole even
 * a new connection hears nothing, as from a host that is not there: its SYN is dropped, since
 * nobody accepts and the backlog is full (the first one or two are still taken by the kernel,
 * and stay silent). The program ends when its standard input does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/faults/link_proxy.h"

#define BACKLOG      128
#define EVENTS       64
#define LINKS_MAX    4096
#define DELAY_MAX_MS 60000

static const char *const mode_names[MODE_N] = {
    [MODE_PASS] = "pass", [MODE_HOLE] = "hole", [MODE_RESET] = "reset", [MODE_ORPHAN] = "orphan",
    [MODE_DEAF] = "deaf", [MODE_MUTE] = "mute", [MODE_DELAY] = "delay",
};

struct proxy {
    struct link links[LINKS_MAX];
    size_t n_links;
    struct conn *conns;
    int epoll_fd, control_fd;
};

static int64_t mono_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool fail(const char *what)
{
    fprintf(stderr, "weir-linkproxy: %s: %s\n", what, strerror(errno));
    return false;
}

/* ---- links ---- */

static bool link_open(struct proxy *proxy, const char *text)
{
    char address[INET_ADDRSTRLEN] = "";
    unsigned port = 0;
    struct link *link = &proxy->links[proxy->n_links];
    if (proxy->n_links == LINKS_MAX || sscanf(text, "%15[0-9.]:%5u", address, &port) != 2 ||
        inet_pton(AF_INET, address, &link->address) != 1 || port == 0 || port > UINT16_MAX) {
        errno = EINVAL;
        return fail(text);
    }
    link->port = (uint16_t)port;
    link->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(link->port), .sin_addr = link->address};
    int one = 1;
    setsockopt(link->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};
    if (link->fd < 0 || bind(link->fd, (const struct sockaddr *)&at, sizeof at) < 0 ||
        listen(link->fd, BACKLOG) < 0 ||
        epoll_ctl(proxy->epoll_fd, EPOLL_CTL_ADD, link->fd, &event) < 0) {
        return fail(text);
    }
    proxy->n_links++;
    return true;
}

static bool is_link(const struct proxy *proxy, const void *what)
{
    const char *first = (const char *)proxy->links;
    const char *given = what;
    return given >= first && given < first + sizeof proxy->links;
}

static void reset_at_once(int fd)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

static void link_accept(struct proxy *proxy, struct link *link)
{
    int client = accept4(link->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) {
        return;
    }
    int one = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct conn *conn = link->mode == MODE_RESET ? NULL : conn_open(link, client);
    if (conn == NULL) {
        reset_at_once(client);
        return;
    }
    setsockopt(conn->server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    conn->next = proxy->conns;
    proxy->conns = conn;
    conn_move(conn, proxy->epoll_fd, mono_ms());
}

static void link_listen(struct proxy *proxy, struct link *link, bool accepts)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};
    epoll_ctl(proxy->epoll_fd, EPOLL_CTL_DEL, link->fd, NULL);
    listen(link->fd, accepts ? BACKLOG : 0);
    if (accepts) {
        epoll_ctl(proxy->epoll_fd, EPOLL_CTL_ADD, link->fd, &event);
    }
}

/* ---- connections ---- */

static void sweep(struct proxy *proxy)
{
    for (struct conn **at = &proxy->conns; *at != NULL;) {
        struct conn *conn = *at;
        if (!conn->dead) {
            at = &conn->next;
            continue;
        }
        *at = conn->next;
        conn_close(conn, !(conn->ask.shut && conn->reply.shut));
    }
}

static int64_t move_due(struct proxy *proxy)
{
    int64_t now_ms = mono_ms();
    int64_t due_ms = INT64_MAX;
    for (struct conn *conn = proxy->conns; conn != NULL; conn = conn->next) {
        const struct chunk *heads[] = {conn->ask.first, conn->reply.first};
        bool is_due = (heads[0] != NULL && heads[0]->due_ms <= now_ms) ||
                      (heads[1] != NULL && heads[1]->due_ms <= now_ms);
        if (is_due && !conn->orphan) {
            conn_move(conn, proxy->epoll_fd, now_ms);
        }
        int64_t own_ms = conn_due_ms(conn, now_ms);
        due_ms = own_ms < due_ms ? own_ms : due_ms;
    }
    return due_ms == INT64_MAX ? -1 : due_ms - now_ms;
}

/* ---- orders ---- */

/* Returns how many connections it touched. */
static size_t apply(struct proxy *proxy, struct link *link, enum mode mode, int64_t delay_ms)
{
    bool accepted = link->mode != MODE_HOLE;
    size_t n = 0;
    link->mode = mode;
    link->delay_ms = delay_ms;
    if (accepted != (mode != MODE_HOLE)) {
        link_listen(proxy, link, mode != MODE_HOLE);
    }
    for (struct conn *conn = proxy->conns; conn != NULL; conn = conn->next) {
        if (conn->link != link || conn->dead || conn->orphan) {
            continue;
        }
        n++;
        if (mode == MODE_RESET) {
            conn->dead = true;
            continue;
        }
        if (mode == MODE_ORPHAN) {
            conn_orphan(conn);
        }
        conn_move(conn, proxy->epoll_fd, mono_ms());
    }
    return n;
}

static enum mode mode_find(const char *name)
{
    enum mode mode = MODE_PASS;
    while (mode < MODE_N && strcmp(mode_names[mode], name) != 0) {
        mode++;
    }
    return mode;
}

static bool fits(const struct link *link, const char *address, const char *port)
{
    char text[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &link->address, text, sizeof text);
    return (strcmp(address, "*") == 0 || strcmp(address, text) == 0) &&
           (strcmp(port, "*") == 0 || strtoul(port, NULL, 10) == link->port);
}

static void obey(struct proxy *proxy, const char *order, char *answer, size_t size)
{
    char name[16] = "";
    char address[INET_ADDRSTRLEN] = "";
    char port[8] = "";
    int delay_ms = 0;
    int n = sscanf(order, "%15s %15s %7s %d", name, address, port, &delay_ms);
    enum mode mode = mode_find(name);
    if (n < 3 || mode == MODE_N || delay_ms < 0 || delay_ms > DELAY_MAX_MS) {
        snprintf(answer, size, "no such order");
        return;
    }
    size_t n_links = 0;
    size_t n_conns = 0;
    for (size_t i = 0; i < proxy->n_links; i++) {
        if (fits(&proxy->links[i], address, port)) {
            n_links++;
            n_conns += apply(proxy, &proxy->links[i], mode, delay_ms);
        }
    }
    snprintf(answer, size, "ok %zu %zu", n_links, n_conns);
}

static void control(struct proxy *proxy)
{
    int fd = accept4(proxy->control_fd, NULL, NULL, SOCK_CLOEXEC);
    struct timeval patience = {.tv_sec = 1};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    char order[128];
    char answer[64];
    ssize_t n;
    while (fd >= 0 && (n = recv(fd, order, sizeof order - 1, 0)) > 0) {
        order[n] = '\0';
        obey(proxy, order, answer, sizeof answer);
        send(fd, answer, strlen(answer), MSG_NOSIGNAL);
    }
    if (fd >= 0) {
        close(fd);
    }
}

static bool control_open(struct proxy *proxy, const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof at.sun_path) {
        errno = ENAMETOOLONG;
        return fail(path);
    }
    memcpy(at.sun_path, path, strlen(path) + 1);
    unlink(path);
    proxy->control_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &proxy->control_fd};
    if (proxy->control_fd < 0 ||
        bind(proxy->control_fd, (const struct sockaddr *)&at, sizeof at) < 0 ||
        listen(proxy->control_fd, BACKLOG) < 0 ||
        epoll_ctl(proxy->epoll_fd, EPOLL_CTL_ADD, proxy->control_fd, &event) < 0) {
        return fail(path);
    }
    return true;
}

/* ---- the loop ---- */

static bool parent_is_gone(void)
{
    char byte;
    ssize_t n = read(STDIN_FILENO, &byte, 1);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void serve(struct proxy *proxy)
{
    struct epoll_event events[EVENTS];
    int64_t wait_ms = -1;
    for (;;) {
        int n = epoll_wait(proxy->epoll_fd, events, EVENTS, (int)wait_ms);
        for (int i = 0; i < n; i++) {
            void *what = events[i].data.ptr;
            if (what == NULL) {
                if (parent_is_gone()) {
                    return;
                }
            } else if (what == &proxy->control_fd) {
                control(proxy);
            } else if (is_link(proxy, what)) {
                link_accept(proxy, what);
            } else if (!((struct conn *)what)->dead) {
                conn_move(what, proxy->epoll_fd, mono_ms());
            }
        }
        wait_ms = move_due(proxy);
        sweep(proxy);
    }
}

static void allow_many_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    static struct proxy proxy;
    if (argc < 3) {
        fprintf(stderr, "usage: weir-linkproxy CONTROL ADDRESS:PORT...\n");
        return 2;
    }
    allow_many_files();
    signal(SIGPIPE, SIG_IGN);
    proxy.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    if (proxy.epoll_fd < 0 || epoll_ctl(proxy.epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0) {
        return fail("standard input") ? 0 : 1;
    }
    for (int i = 2; i < argc; i++) {
        if (!link_open(&proxy, argv[i])) {
            return 1;
        }
    }
    /* Last: who can give orders knows that all links are open. */
    if (!control_open(&proxy, argv[1])) {
        return 1;
    }
    serve(&proxy);
    unlink(argv[1]);
    return 0;
}
