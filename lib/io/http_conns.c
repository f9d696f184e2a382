/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/http_conns.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/base/arena.h"

void weir_http_conns_init(struct weir_http_conns *conns)
{
    pthread_mutex_init(&conns->mutex, NULL);
    weir_list_init(&conns->list);
}

void weir_http_conns_done(struct weir_http_conns *conns)
{
    assert(weir_list_is_empty(&conns->list));
    pthread_mutex_destroy(&conns->mutex);
}

struct weir_http_conn *weir_http_conns_add(struct weir_http_conns *conns, int fd,
                                           const char *remote, int64_t deadline_mono_ms)
{
    struct weir_http_conn *conn = weir_xalloc(sizeof(*conn));
    conn->fd = fd;
    conn->remote = weir_xstrdup(remote);
    conn->deadline_mono_ms = deadline_mono_ms;
    pthread_mutex_lock(&conns->mutex);
    weir_list_push_back(&conns->list, &conn->node);
    pthread_mutex_unlock(&conns->mutex);
    return conn;
}

void weir_http_conns_remove(struct weir_http_conns *conns, struct weir_http_conn *conn)
{
    pthread_mutex_lock(&conns->mutex);
    weir_list_remove(&conn->node);
    pthread_mutex_unlock(&conns->mutex);
    free(conn->remote);
    free(conn);
}

void weir_http_conns_set_deadline(struct weir_http_conns *conns, struct weir_http_conn *conn,
                                  int64_t deadline_mono_ms)
{
    pthread_mutex_lock(&conns->mutex);
    conn->deadline_mono_ms = deadline_mono_ms;
    pthread_mutex_unlock(&conns->mutex);
}

void weir_http_conns_sweep(struct weir_http_conns *conns, int64_t now_mono_ms)
{
    pthread_mutex_lock(&conns->mutex);
    WEIR_LIST_FOR(pos, &conns->list)
    {
        struct weir_http_conn *conn = WEIR_CONTAINER(pos, struct weir_http_conn, node);
        if (conn->deadline_mono_ms <= now_mono_ms) {
            shutdown(conn->fd, SHUT_RDWR);
            conn->deadline_mono_ms = WEIR_HTTP_NO_DEADLINE;
        }
    }
    pthread_mutex_unlock(&conns->mutex);
}
