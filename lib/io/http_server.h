/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/1.1 server behind a proxy: libmicrohttpd, a gate that refuses malformed and ambiguous
 * requests, and a sweeper that closes slow senders (docs/adr/).
 *
 * A handler is a plain synchronous function that runs in a pool thread with the whole request and
 * fills one response. A handler that must wait (long poll) runs again later: it returns after
 * weir_http_wait, and the request is suspended without a thread until weir_http_wake or its
 * deadline.
 *
 *     static void get_live(void *ctx, struct weir_http_request *req, struct weir_http_response
 * *res)
 *     {
 *         weir_http_text(res, 200, "ok\n");
 *     }
 *     static const struct weir_http_route routes[] = {{"GET", "/livez", get_live, 0}};
 *
 * Path patterns: literal segments, `{name}` for one segment, and a last `{name...}` for the rest.
 * Unknown path: 404, known path with another method: 405 with Allow; both as problem+json.
 */
#ifndef WEIR_IO_HTTP_SERVER_H
#define WEIR_IO_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct weir_http_server;
struct weir_http_request;

#define WEIR_HTTP_HEADERS_MAX 16

/* Streams a body: writes up to `max` bytes to `buf`; returns the count, 0 at the end, -1 to cut the
 * connection. Runs in a pool thread and may block; a blocked one holds that thread. */
typedef ssize_t weir_http_body_fn(void *ctx, char *buf, size_t max);

struct weir_http_response {
    struct weir_arena *arena; /* the request's; bodies and header values may live here */
    int status;
    const char *content_type;
    const void *body; /* copied when the handler returns */
    size_t body_len;
    struct {
        const char *name;
        const char *value;
    } headers[WEIR_HTTP_HEADERS_MAX];
    size_t n_headers;
    weir_http_body_fn *stream; /* instead of body; length unknown: chunked */
    void (*stream_free)(void *ctx);
    void *stream_ctx;
    int64_t stream_len; /* -1 when unknown */
};

typedef void weir_http_handler_fn(void *ctx, struct weir_http_request *req,
                                  struct weir_http_response *res);

struct weir_http_route {
    const char *method;
    const char *pattern;
    weir_http_handler_fn *handler;
    unsigned flags; /* WEIR_HTTP_INLINE */
};
/* Runs on the server's thread, which spares two hand-overs between threads: must not block. When it
 * asks to wait (weir_http_wait), it runs again in the pool. */
#define WEIR_HTTP_INLINE 1U

struct weir_http_server_config {
    const char *listen; /* "host:port"; port 0 picks one; or "unix:/path" (mode 0700 dir) */
    const struct weir_http_route *routes;
    size_t n_routes;
    void *ctx;                  /* given to every handler */
    size_t body_max_bytes;      /* 0: 65536; larger: 413 naming the limit */
    size_t target_max_bytes;    /* 0: 2048; larger: 414 */
    int64_t header_deadline_ms; /* 0: 5000 */
    int64_t body_deadline_ms;   /* 0: 10000 */
    unsigned pool_threads;      /* 0: 8 */
    unsigned queue_max;         /* 0: 1024; full: 503 with Retry-After */
    unsigned connections_max;   /* 0: 4096 */
    /* Called once for every finished request (any thread), for logs and metrics; may be NULL. */
    void (*on_done)(void *ctx, const struct weir_http_request *req, int status, int64_t duration_us,
                    uint64_t body_bytes);
};

WEIR_MUST_USE enum weir_code weir_http_server_open(const struct weir_http_server_config *config,
                                                   struct weir_http_server **ret,
                                                   struct weir_err *err);
/* Stops accepting, lets running handlers finish for at most `drain_ms`, wakes waiters. Sets NULL.
 */
void weir_http_server_close(struct weir_http_server **server, int64_t drain_ms);
int weir_http_server_port(const struct weir_http_server *server);

/* ---- the request; all pointers live until the handler returns ---- */
const char *weir_http_method(const struct weir_http_request *req);
const char *weir_http_target(const struct weir_http_request *req); /* raw, with query */
const char *weir_http_route(const struct weir_http_request *req);  /* matched pattern or "" */
const char *weir_http_param(const struct weir_http_request *req, const char *name); /* or NULL */
/* Percent-decoded; NULL when absent. More than one of the same name: the request was refused. */
const char *weir_http_query(const struct weir_http_request *req, const char *name);
/* Walks the query's pairs, decoded; *at starts at 0. */
bool weir_http_next_query(const struct weir_http_request *req, size_t *at, const char **ret_name,
                          const char **ret_value);
const char *weir_http_header(const struct weir_http_request *req, const char *name); /* or NULL */
const char *weir_http_body(const struct weir_http_request *req, size_t *ret_len);
const char *weir_http_remote(const struct weir_http_request *req); /* numeric address, no port */
/* The caller's X-Request-Id if that is a UUID, else a new one. */
const char *weir_http_request_id(const struct weir_http_request *req);
struct weir_arena *weir_http_arena(const struct weir_http_request *req);
/* How often this handler was run for this request before (0 the first time). */
unsigned weir_http_attempt(const struct weir_http_request *req);
/* A pointer kept over waits, NULL at first. What it points to lives in the request's arena, or is
 * let go by weir_http_on_end. */
void **weir_http_slot(struct weir_http_request *req);
/* `fn` is called once when the request is over, however it ends (answered, cut, dropped at the
 * server's close), after its last run; the last one given is called first. On any thread. */
void weir_http_on_end(struct weir_http_request *req, void (*fn)(void *ctx), void *ctx);

/* ---- answering ---- */
void weir_http_text(struct weir_http_response *res, int status, const char *text);
void weir_http_json(struct weir_http_response *res, int status, const char *json, size_t len);
/* RFC 9457 problem+json with `code` and `request_id`; status from the error's code. */
void weir_http_problem(const struct weir_http_request *req, struct weir_http_response *res,
                       const struct weir_err *err);
/* Same with status and code text given, and the field that was wrong (JSON pointer) or NULL. */
void weir_http_problem_at(const struct weir_http_request *req, struct weir_http_response *res,
                          int status, const char *code, const char *pointer, const char *fmt, ...)
    WEIR_PRINTF(6, 7);
/* Value is copied to the request's arena. More than WEIR_HTTP_HEADERS_MAX: asserts. */
void weir_http_add_header(struct weir_http_response *res, const char *name, const char *value);

/* ---- waiting ---- */
/*
 * Ends this run of the handler without an answer: it runs again after weir_http_wake(token) or at
 * `deadline_mono_ms`. The token stays valid until the handler answers.
 */
uint64_t weir_http_wait(struct weir_http_request *req, int64_t deadline_mono_ms);
/* Ends this run without an answer: it runs again at once, in the pool, where it may block. */
void weir_http_later(struct weir_http_request *req);
/* Whether this run must not block (WEIR_HTTP_INLINE, the first time). */
bool weir_http_is_inline(const struct weir_http_request *req);
/* From any thread; an unknown or finished token does nothing. */
void weir_http_wake(struct weir_http_server *server, uint64_t token);

#endif
