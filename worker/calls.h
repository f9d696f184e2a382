/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One helper thread for HTTP calls, so that the loop never waits for another process.
 *
 * A call is copied in; its answer comes back on the loop's thread. Calls are made one after the
 * other in the order they were posted. What was posted when calls_free comes is dropped without an
 * answer.
 *
 *     calls_post(calls, &(struct call){.url = "http://engine/v3/paths/list", .unix_socket = sock,
 *                                      .timeout_ms = 2000, .max_bytes = 65536,
 *                                      .fn = on_listed, .ctx = slot});
 */
#ifndef WEIR_WORKER_CALLS_H
#define WEIR_WORKER_CALLS_H

#include "lib/domain/id.h"
#include "lib/io/http_client.h"
#include "lib/service/loop.h"

#define CALL_URL_MAX     512
#define CALL_SOCKET_MAX  108
#define CALL_HEADER_MAX  320
#define CALL_HEADERS_MAX 2

struct call;

/* `answer` is NULL when there was none; `err` then says why. All live during the call. */
typedef void call_done_fn(void *ctx, const struct call *call, const struct weir_http_answer *answer,
                          const struct weir_err *err);

struct call {
    char url[CALL_URL_MAX];
    char unix_socket[CALL_SOCKET_MAX];               /* "": TCP */
    char headers[CALL_HEADERS_MAX][CALL_HEADER_MAX]; /* "Name: value"; "": none. May be secret. */
    int64_t timeout_ms;
    size_t max_bytes;
    call_done_fn *fn;
    void *ctx;
    /* What it is about, for `fn`: its object may be gone when the answer comes. */
    struct weir_id id;
    int64_t number;
};

struct calls;

struct calls *calls_new(struct weir_loop *loop);
/* After the loop ended. Waits for the call under way. NULL is fine. */
void calls_free(struct calls *calls);

/* Loop thread. */
void calls_post(struct calls *calls, const struct call *call);

#endif
