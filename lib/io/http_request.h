/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a request, shared by http_server's files and nobody else:
 *
 *     http_server.c   the HTTP library's thread: receives, gates, queues answers
 *     http_run.c      the pool: runs handlers, waits, wakes
 *     http_respond.c  what handlers see of a request and how they answer
 *
 * A request belongs to the HTTP library's thread until it is handed to the pool (its connection is
 * suspended then), and comes back with `is_answered` set when the connection is resumed.
 */
#ifndef WEIR_IO_HTTP_REQUEST_H
#define WEIR_IO_HTTP_REQUEST_H

#include "lib/base/buf.h"
#include "lib/domain/id.h"
#include "lib/io/http_conns.h"
#include "lib/io/http_gate.h"
#include "lib/io/http_pool.h"
#include "lib/io/http_server.h"
#include "lib/io/http_target.h"

struct weir_http_run;

enum weir_http_phase {
    WEIR_HTTP_RECEIVING,
    WEIR_HTTP_QUEUED,
    WEIR_HTTP_RUNNING,
    WEIR_HTTP_WAITING,
    WEIR_HTTP_ANSWERED,
};

/* Something that a handler wants done when its request is over; in the request's arena. */
struct weir_http_end {
    void (*fn)(void *ctx);
    void *ctx;
    struct weir_http_end *next;
};

struct weir_http_request {
    struct weir_arena *arena;
    void *connection; /* the HTTP library's */
    struct weir_http_run *run;
    struct weir_http_conn *conn;
    int64_t begin_us;

    const char *method;
    const char *target;
    const char *remote;
    char request_id[WEIR_ID_TEXT_MAX];
    struct weir_http_field *fields;
    size_t n_fields;
    const char *line_end; /* of the last field seen, in the library's buffer; while gating only */
    bool is_line_broken;
    struct weir_http_match match;
    struct weir_http_pair query[WEIR_HTTP_QUERY_MAX];
    size_t n_query;
    struct weir_buf body;
    bool is_head_seen; /* the gate passed it */

    struct weir_http_response response;
    void *library_response; /* made from `response`, NULL until answered */
    uint64_t body_bytes;    /* sent */
    bool must_close;

    /* guarded by the run's mutex */
    enum weir_http_phase phase;
    uint64_t token; /* 0: never waited */
    bool is_waiting_asked;
    bool is_woken;
    int64_t wait_deadline_mono_ms;
    struct weir_list waiting_node;

    unsigned attempts;
    bool is_inline; /* this run is on the library's thread */
    bool is_later;  /* it wants to be run in the pool instead */
    void *slot;
    struct weir_http_end *ends; /* last first */
    struct weir_http_job job;
};

/* Handlers run here. `ctx` is the configuration's; `answered` gives a request back to the library's
 * thread, from a pool thread. */
struct weir_http_run *weir_http_run_new(unsigned threads, unsigned queue_max, void *ctx,
                                        void (*answered)(struct weir_http_request *req));

/* Hands a request to the pool; false when its queue is full. */
bool weir_http_run_add(struct weir_http_run *run, struct weir_http_request *req);

/* Runs the handler on this thread; for WEIR_HTTP_INLINE. False when it asked to wait or to run in
 * the pool: suspend the connection then, and hand the request over by weir_http_run_go_on, which is
 * false when the pool's queue is full. */
bool weir_http_run_inline(struct weir_http_run *run, struct weir_http_request *req);
bool weir_http_run_go_on(struct weir_http_run *run, struct weir_http_request *req);

/* Runs handlers again whose deadline has come. */
void weir_http_run_tick(struct weir_http_run *run, int64_t now_mono_ms);
void weir_http_run_wake(struct weir_http_run *run, uint64_t token);

/* From now on nobody waits: who waits is run once more, and answered 503 if it waits again. */
void weir_http_run_drain(struct weir_http_run *run);

/* Ends the pool; what is still queued or waiting is answered 503. */
void weir_http_run_stop(struct weir_http_run *run);
void weir_http_run_free(struct weir_http_run *run); /* after weir_http_run_stop */

/* The pool, for jobs that read streams. */
struct weir_http_pool *weir_http_run_pool(struct weir_http_run *run);

#endif
