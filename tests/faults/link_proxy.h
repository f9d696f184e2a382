/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAULTS_LINK_PROXY_H
#define TESTS_FAULTS_LINK_PROXY_H

/*
 * What the parts of the link proxy share (link_proxy.c tells what the program does).
 *
 * A `link` is one listening address; a `conn` is one connection through it, made of two `flow`s,
 * one for each direction. A flow is a queue of chunks with the time at which each may go on, so
 * that delay, holding and a slow receiver are the same thing: bytes that wait.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mode {
    MODE_PASS,   /* as if the proxy were not there */
    MODE_HOLE,   /* nothing gets through and nobody is told: an unplugged cable */
    MODE_RESET,  /* every connection is reset, now and as soon as it is made */
    MODE_ORPHAN, /* connections of now stay open and lead nowhere; new ones pass */
    MODE_DEAF,   /* what the daemon sends arrives, the answers do not */
    MODE_MUTE,   /* what the daemon sends does not arrive */
    MODE_DELAY,  /* each chunk goes on `delay_ms` later */
    MODE_N
};

struct link {
    struct in_addr address;
    uint16_t port;
    int fd;
    enum mode mode;
    int64_t delay_ms;
};

struct chunk {
    struct chunk *next;
    int64_t due_ms;
    size_t length, sent;
    unsigned char bytes[];
};

struct flow {
    int from, to;
    struct chunk *first, **last;
    size_t queued;
    bool ended;    /* `from` said that it sends no more */
    bool shut;     /* and `to` has been told */
    bool is_reply; /* towards the daemon */
};

struct conn {
    struct conn *next;
    struct link *link;
    struct flow ask, reply;
    int client, server;
    uint32_t watched_client, watched_server;
    bool orphan;
    bool dead; /* to be freed once the events at hand are done */
};

/* Takes over the accepted `client`; NULL when the service behind refuses. */
struct conn *conn_open(struct link *link, int client);
/* Reads and writes what can be; sets `dead` when it is over. */
void conn_move(struct conn *conn, int epoll_fd, int64_t now_ms);
/* Frees it; a reset instead of an orderly end when `abruptly`. */
void conn_close(struct conn *conn, bool abruptly);
/* From now on the daemon's side stays open and leads nowhere. */
void conn_orphan(struct conn *conn);
/* When a chunk may go on at the earliest; INT64_MAX when none waits for the time. */
int64_t conn_due_ms(const struct conn *conn, int64_t now_ms);

#endif
