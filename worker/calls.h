/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One helper thread that asks the apis, so that the loop never waits for another process.
 *
 * There may be several apis: a call goes to the one that answered last, and when that one is away,
 * does not answer in time or is in trouble itself (5xx), to the others in turn. What all of them
 * left unanswered is told as the last one's failure.
 *
 * A call is copied in; its answer comes back on the loop's thread. Calls are made one after the
 * other in the order they were posted. What was posted when calls_free comes is dropped without an
 * answer.
 *
 *     calls_post(calls, &(struct call){.path = "/internal/v1/...", .timeout_ms = 1000,
 *                                      .max_bytes = 65536, .fn = on_source, .ctx = worker});
 */
#ifndef WEIR_WORKER_CALLS_H
#define WEIR_WORKER_CALLS_H

#include "lib/domain/id.h"
#include "lib/io/http_client.h"
#include "lib/service/loop.h"

#define CALL_PATH_MAX    256
#define CALL_APIS_MAX    8
#define CALL_HEADER_MAX  320
#define CALL_HEADERS_MAX 2

struct call;

/* On the helper's thread, before the apis: true when it knows the answer, of status 200. */
typedef bool call_look_fn(void *ctx, const struct call *call, struct weir_arena *arena,
                          struct weir_http_answer *ret);

/* `answer` is NULL when there was none; `err` then says why. All live during the call. */
typedef void call_done_fn(void *ctx, const struct call *call, const struct weir_http_answer *answer,
                          const struct weir_err *err);

struct call {
    char path[CALL_PATH_MAX];                        /* behind the api's URL */
    char headers[CALL_HEADERS_MAX][CALL_HEADER_MAX]; /* "Name: value"; "": none. May be secret. */
    int64_t timeout_ms;                              /* of each api */
    size_t max_bytes;
    call_done_fn *fn;
    void *ctx;
    /* What it is about, for `fn`: its object may be gone when the answer comes. */
    struct weir_id id;
    int64_t number;
    /* What `look` needs to know; it is not asked unless `may_look`. */
    bool may_look;
    struct weir_id tenant_id;
    int64_t camera_version;
    int64_t tenant_version;
    bool was_seen; /* set for `fn`: the answer is `look`'s */
};

struct calls;

/* `apis`: base URLs, separated by commas; at most CALL_APIS_MAX count. Copied. */
struct calls *calls_new(struct weir_loop *loop, const char *apis);
/* Before the first call. `ctx` outlives it. */
void calls_look_first(struct calls *calls, call_look_fn *look, void *ctx);
/* After the loop ended. Waits for the call under way. NULL is fine. */
void calls_free(struct calls *calls);

/* Loop thread. */
void calls_post(struct calls *calls, const struct call *call);

#endif
