/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections of an http_server and the time by which each must have sent its request whole.
 * The library behind it measures only silence, so a client that drips a byte a second would hold a
 * connection for ever; here the whole request has one deadline.
 */
#ifndef WEIR_IO_HTTP_CONNS_H
#define WEIR_IO_HTTP_CONNS_H

#include <pthread.h>
#include <stdint.h>

#include "lib/base/list.h"

#define WEIR_HTTP_NO_DEADLINE INT64_MAX

struct weir_http_conn {
    struct weir_list node;
    int fd;
    int64_t deadline_mono_ms;
    char *remote; /* the peer's address, numeric, without port; "unix" */
};

struct weir_http_conns {
    pthread_mutex_t mutex;
    struct weir_list list;
};

void weir_http_conns_init(struct weir_http_conns *conns);
void weir_http_conns_done(struct weir_http_conns *conns); /* none may be left */

/* `remote` is copied. */
struct weir_http_conn *weir_http_conns_add(struct weir_http_conns *conns, int fd,
                                           const char *remote, int64_t deadline_mono_ms);
/* Before the descriptor is closed. Frees `conn`. */
void weir_http_conns_remove(struct weir_http_conns *conns, struct weir_http_conn *conn);

void weir_http_conns_set_deadline(struct weir_http_conns *conns, struct weir_http_conn *conn,
                                  int64_t deadline_mono_ms);

/* Shuts down the sockets whose time is over; their owner then closes them. Any thread. */
void weir_http_conns_sweep(struct weir_http_conns *conns, int64_t now_mono_ms);

#endif
