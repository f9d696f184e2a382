/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/http_server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/io/http_listen.h"
#include "lib/io/http_request.h"

#define IDLE_MS            30000 /* between two requests, and of a reader that takes nothing */
#define MEMORY_BYTES       (16 * 1024)   /* of a connection: all headers of a request fit in */
#define DISCARD_MAX_BYTES  (1024 * 1024) /* of a refused body, read so that the answer arrives */
#define STREAM_BLOCK_BYTES (32 * 1024)
#define SWEEP_MS           100
#define STOP_POLL_MS       10
#define STOP_GRACE_MS      1000 /* for the last answers to leave */

struct weir_http_server {
    struct weir_http_server_config config;
    struct MHD_Daemon *daemon;
    int listen_fd;
    int port;
    struct weir_http_conns conns;
    struct weir_http_run *run;
    atomic_int n_requests;

    pthread_t sweeper;
    pthread_mutex_t sweep_mutex;
    pthread_cond_t sweep_end;
    bool is_ending;
};

/* ---- streams: read in the pool, so that a slow source never holds the library's thread ---- */

struct stream {
    struct weir_http_job job;
    struct MHD_Connection *connection;
    struct weir_http_pool *pool;
    weir_http_body_fn *read;
    void *ctx;
    size_t at, len;
    bool has_ended, has_failed;
    uint64_t *sent;
    char block[STREAM_BLOCK_BYTES];
};

static void stream_fill(struct stream *stream)
{
    ssize_t n = stream->read(stream->ctx, stream->block, sizeof(stream->block));
    stream->at = 0;
    stream->len = n > 0 ? (size_t)n : 0;
    stream->has_ended = n <= 0;
    stream->has_failed = n < 0;
}

static void stream_run(struct weir_http_job *job)
{
    struct stream *stream = WEIR_CONTAINER(job, struct stream, job);
    stream_fill(stream);
    MHD_resume_connection(stream->connection);
}

static void stream_drop(struct weir_http_job *job)
{
    struct stream *stream = WEIR_CONTAINER(job, struct stream, job);
    stream->has_ended = true;
    stream->has_failed = true;
    MHD_resume_connection(stream->connection);
}

static ssize_t stream_read(void *ctx, uint64_t at, char *buf, size_t max)
{
    (void)at;
    struct stream *stream = ctx;
    if (stream->at == stream->len && !stream->has_ended) {
        MHD_suspend_connection(stream->connection);
        if (!weir_http_pool_add(stream->pool, &stream->job, true)) {
            stream_drop(&stream->job);
        }
        return 0;
    }
    size_t n = stream->len - stream->at < max ? stream->len - stream->at : max;
    if (n == 0) {
        return stream->has_failed ? MHD_CONTENT_READER_END_WITH_ERROR
                                  : MHD_CONTENT_READER_END_OF_STREAM;
    }
    memcpy(buf, stream->block + stream->at, n);
    stream->at += n;
    *stream->sent += n;
    return (ssize_t)n;
}

static struct MHD_Response *new_stream_response(struct weir_http_request *req)
{
    struct weir_http_response *res = &req->response;
    struct stream *stream = weir_xalloc(sizeof(*stream));
    weir_list_init(&stream->job.node);
    stream->job.run = stream_run;
    stream->job.drop = stream_drop;
    stream->connection = req->connection;
    stream->pool = weir_http_run_pool(req->run);
    stream->read = res->stream;
    stream->ctx = res->stream_ctx;
    stream->sent = &req->body_bytes;
    stream_fill(stream);
    uint64_t len = res->stream_len >= 0 ? (uint64_t)res->stream_len : MHD_SIZE_UNKNOWN;
    return MHD_create_response_from_callback(len, STREAM_BLOCK_BYTES, stream_read, stream, free);
}

/* ---- answers ---- */

static bool has_header(const struct weir_http_response *res, const char *name)
{
    for (size_t i = 0; i < res->n_headers; i++) {
        if (strcasecmp(res->headers[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Turns what the handler filled in into the library's object. Pool or server thread. */
static void prepare(struct weir_http_request *req)
{
    struct weir_http_response *res = &req->response;
    if (res->status == 0) {
        weir_http_problem_at(req, res, 500, "internal_error", NULL, "the handler gave no answer");
    }
    struct MHD_Response *made;
    if (res->stream) {
        made = new_stream_response(req);
    } else {
        made = MHD_create_response_from_buffer(res->body_len, (void *)res->body,
                                               MHD_RESPMEM_MUST_COPY);
        req->body_bytes = res->body_len;
    }
    if (!made) {
        abort(); /* out of memory */
    }
    for (size_t i = 0; i < res->n_headers; i++) {
        MHD_add_response_header(made, res->headers[i].name, res->headers[i].value);
    }
    if (res->content_type) {
        MHD_add_response_header(made, MHD_HTTP_HEADER_CONTENT_TYPE, res->content_type);
    }
    MHD_add_response_header(made, "X-Request-Id", req->request_id);
    MHD_add_response_header(made, "X-Content-Type-Options", "nosniff");
    if (!has_header(res, MHD_HTTP_HEADER_CACHE_CONTROL)) {
        MHD_add_response_header(made, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    }
    if (req->must_close) {
        MHD_add_response_header(made, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    req->library_response = made;
}

static enum MHD_Result send_response(struct weir_http_request *req)
{
    return MHD_queue_response(req->connection, (unsigned)req->response.status,
                              req->library_response);
}

/* Called by the pool when a handler has answered. */
static void answered(struct weir_http_request *req)
{
    prepare(req);
    MHD_resume_connection(req->connection);
}

/* ---- receiving ---- */

/* First sight of a request: its line was read, its headers were not. */
static void *on_target(void *ctx, const char *target, struct MHD_Connection *connection)
{
    struct weir_http_server *server = ctx;
    struct weir_arena *arena = weir_arena_new(4096);
    struct weir_http_request *req = weir_arena_alloc(arena, sizeof(*req));
    req->arena = arena;
    req->connection = connection;
    req->run = server->run;
    req->begin_us = weir_clock_mono_us();
    req->target = weir_arena_strdup(arena, target);
    req->method = "";
    req->body.max = server->config.body_max_bytes;
    req->response.arena = arena;
    req->response.stream_len = -1;
    req->conn =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    weir_http_conns_set_deadline(&server->conns, req->conn,
                                 weir_clock_mono_ms() + server->config.header_deadline_ms);
    atomic_fetch_add(&server->n_requests, 1);
    return req;
}

/*
 * The library joins folded lines, takes a bare LF for a line end and cuts values at a NUL, and
 * tells nobody. But it parses in place: a header that was one well-formed line is followed, after
 * the two bytes of CRLF, by the next one's name (before the first stands the version). Anything
 * else there was not one line. tests/unit/io/test_http_matrix.c holds it to that.
 */
static bool follows_line(const char *previous_end, const char *name)
{
    return name == previous_end + 2;
}

/* After the last value stand two CRLF, all four bytes zeroed by the parser. */
static bool ends_block(const char *end)
{
    return !end[0] && !end[1] && !end[2] && !end[3];
}

static enum MHD_Result add_field(void *ctx, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    struct weir_http_request *req = ctx;
    if (!value || !follows_line(req->line_end, name)) {
        req->is_line_broken = true;
    }
    req->line_end = value ? value + value_len : name + name_len;
    if (req->n_fields <= WEIR_HTTP_GATE_HEADERS_MAX) {
        req->fields[req->n_fields++] = (struct weir_http_field){
            .name = weir_arena_memdup(req->arena, name, name_len),
            .name_len = name_len,
            .value = weir_arena_memdup(req->arena, value ? value : "", value_len),
            .value_len = value_len,
        };
    }
    return MHD_YES;
}

static void set_request_id(struct weir_http_request *req)
{
    const char *given = weir_http_header(req, "X-Request-Id");
    struct weir_id id;
    if (!given || weir_id_parse(given, strlen(given), &id, NULL) != WEIR_OK) {
        id = weir_id_new(weir_clock_wall_ms());
    }
    weir_id_format(&id, req->request_id);
}

/* Finds the route and splits the query; fills the response when that fails. */
static void route(struct weir_http_server *server, struct weir_http_request *req)
{
    struct weir_http_response *res = &req->response;
    weir_http_route_match(server->config.routes, server->config.n_routes, req->method, req->target,
                          req->arena, &req->match);
    struct weir_err err = {0};
    if (!req->match.route && req->match.allow) {
        weir_http_problem_at(req, res, 405, "method_not_allowed", NULL, "this path takes %s",
                             req->match.allow);
        weir_http_add_header(res, "Allow", req->match.allow);
    } else if (!req->match.route) {
        weir_http_problem_at(req, res, 404, "not_found", NULL, "there is nothing here");
    } else if (weir_http_query_split(req->target, req->arena, req->query, &req->n_query, &err) !=
               WEIR_OK) {
        weir_http_problem_at(req, res, 400, "malformed_query", NULL, "%s", err.msg);
    }
}

static void refuse(struct weir_http_request *req, const struct weir_http_verdict *verdict)
{
    req->must_close = true;
    if (verdict->limit) {
        weir_http_problem_at(req, &req->response, verdict->status, verdict->code, NULL,
                             "%s; the limit is %zu", verdict->detail, verdict->limit);
    } else {
        weir_http_problem_at(req, &req->response, verdict->status, verdict->code, NULL, "%s",
                             verdict->detail);
    }
}

/* Headers are whole. A refusal is sent at once, except that a body only somewhat too large is read
 * first: a client that is still sending would never see the answer. */
static enum MHD_Result on_head(struct weir_http_server *server, struct weir_http_request *req,
                               const char *method, const char *version)
{
    req->is_head_seen = true;
    req->method = weir_arena_strdup(req->arena, method);
    req->remote = req->conn->remote;
    req->line_end = version + strlen(version);
    req->fields =
        weir_arena_array(req->arena, WEIR_HTTP_GATE_HEADERS_MAX + 1, sizeof(*req->fields));
    MHD_get_connection_values_n(req->connection, MHD_HEADER_KIND, add_field, req);
    req->is_line_broken |= !ends_block(req->line_end);
    set_request_id(req);
    weir_http_conns_set_deadline(&server->conns, req->conn,
                                 weir_clock_mono_ms() + server->config.body_deadline_ms);
    struct weir_http_gate_request gated = {
        .method = method,
        .version = version,
        .target = req->target,
        .target_max_bytes = server->config.target_max_bytes,
        .body_max_bytes = server->config.body_max_bytes,
        .is_line_broken = req->is_line_broken,
        .fields = req->fields,
        .n_fields = req->n_fields,
    };
    struct weir_http_verdict verdict = weir_http_gate(&gated);
    if (!verdict.status) {
        route(server, req);
        return MHD_YES;
    }
    refuse(req, &verdict);
    if (verdict.status == 413 && verdict.body_bytes <= DISCARD_MAX_BYTES) {
        return MHD_YES;
    }
    prepare(req);
    return send_response(req);
}

/* The request is whole. */
static enum MHD_Result on_whole(struct weir_http_server *server, struct weir_http_request *req)
{
    weir_http_conns_set_deadline(&server->conns, req->conn, WEIR_HTTP_NO_DEADLINE);
    bool is_inline = req->response.status == 0 && req->match.route->flags & WEIR_HTTP_INLINE;
    bool is_done =
        req->response.status != 0 || (is_inline && weir_http_run_inline(server->run, req));
    if (!is_done) {
        MHD_suspend_connection(req->connection);
        if (is_inline ? weir_http_run_go_on(server->run, req)
                      : weir_http_run_add(server->run, req)) {
            return MHD_YES;
        }
        MHD_resume_connection(req->connection);
        weir_http_problem_at(req, &req->response, 503, "overloaded", NULL,
                             "too many requests wait here");
        weir_http_add_header(&req->response, "Retry-After", "1");
    }
    req->phase = WEIR_HTTP_ANSWERED;
    prepare(req);
    return send_response(req);
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *body,
                                 size_t *body_len, void **slot)
{
    (void)url;
    (void)connection;
    struct weir_http_server *server = ctx;
    struct weir_http_request *req = *slot;
    if (!req->is_head_seen) {
        return on_head(server, req, method, version);
    }
    if (*body_len > 0) {
        if (req->response.status == 0 && !weir_buf_add(&req->body, body, *body_len)) {
            return MHD_NO; /* more than Content-Length said */
        }
        *body_len = 0;
        return MHD_YES;
    }
    if (req->library_response) {
        return send_response(req);
    }
    return on_whole(server, req);
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode how)
{
    (void)connection;
    (void)how;
    struct weir_http_server *server = ctx;
    struct weir_http_request *req = *slot;
    if (!req) {
        return;
    }
    *slot = NULL;
    weir_http_conns_set_deadline(&server->conns, req->conn, weir_clock_mono_ms() + IDLE_MS);
    if (req->response.stream_free) {
        req->response.stream_free(req->response.stream_ctx);
    }
    if (req->library_response) {
        MHD_destroy_response(req->library_response);
    }
    if (server->config.on_done && req->is_head_seen) {
        server->config.on_done(server->config.ctx, req, req->response.status,
                               weir_clock_mono_us() - req->begin_us, req->body_bytes);
    }
    for (struct weir_http_end *end = req->ends; end; end = end->next) {
        end->fn(end->ctx);
    }
    weir_buf_done(&req->body);
    weir_arena_free(req->arena);
    atomic_fetch_sub(&server->n_requests, 1);
}

static void write_remote(struct MHD_Connection *connection, char *text, size_t size)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    snprintf(text, size, "unix");
    if (info && info->client_addr && info->client_addr->sa_family != AF_UNIX) {
        socklen_t len = info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                 : sizeof(struct sockaddr_in);
        getnameinfo(info->client_addr, len, text, (socklen_t)size, NULL, 0, NI_NUMERICHOST);
    }
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct weir_http_server *server = ctx;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        char remote[NI_MAXHOST];
        int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        write_remote(connection, remote, sizeof(remote));
        *socket_context = weir_http_conns_add(
            &server->conns, fd, remote, weir_clock_mono_ms() + server->config.header_deadline_ms);
    } else {
        weir_http_conns_remove(&server->conns, *socket_context);
        *socket_context = NULL;
    }
}

/* Targets are decoded once, by us, after routing. */
static size_t keep_escapes(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void)ctx;
    (void)connection;
    return strlen(text);
}

/* ---- life ---- */

static void *sweep(void *ctx)
{
    struct weir_http_server *server = ctx;
    pthread_setname_np(pthread_self(), "weir-http-sweep");
    pthread_mutex_lock(&server->sweep_mutex);
    while (!server->is_ending) {
        int64_t now_ms = weir_clock_mono_ms();
        weir_http_conns_sweep(&server->conns, now_ms);
        weir_http_run_tick(server->run, now_ms);
        weir_clock_wait(&server->sweep_end, &server->sweep_mutex, now_ms + SWEEP_MS);
    }
    pthread_mutex_unlock(&server->sweep_mutex);
    return NULL;
}

static void fill_defaults(struct weir_http_server_config *config)
{
    config->body_max_bytes = config->body_max_bytes ? config->body_max_bytes : 65536;
    config->target_max_bytes = config->target_max_bytes ? config->target_max_bytes : 2048;
    config->header_deadline_ms = config->header_deadline_ms ? config->header_deadline_ms : 5000;
    config->body_deadline_ms = config->body_deadline_ms ? config->body_deadline_ms : 10000;
    config->pool_threads = config->pool_threads ? config->pool_threads : 8;
    config->queue_max = config->queue_max ? config->queue_max : 1024;
    config->connections_max = config->connections_max ? config->connections_max : 4096;
}

static struct MHD_Daemon *start_daemon(struct weir_http_server *server)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_access, server,
        MHD_OPTION_LISTEN_SOCKET, server->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
        server->config.connections_max, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(IDLE_MS / 1000),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, server, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_END);
}

static void start_sweeper(struct weir_http_server *server)
{
    pthread_cond_init(&server->sweep_end, NULL);
    pthread_mutex_init(&server->sweep_mutex, NULL);
    if (pthread_create(&server->sweeper, NULL, sweep, server) != 0) {
        perror("weir-http-sweep: pthread_create");
        abort();
    }
}

static void stop_sweeper(struct weir_http_server *server)
{
    pthread_mutex_lock(&server->sweep_mutex);
    server->is_ending = true;
    pthread_cond_signal(&server->sweep_end);
    pthread_mutex_unlock(&server->sweep_mutex);
    pthread_join(server->sweeper, NULL);
    pthread_cond_destroy(&server->sweep_end);
    pthread_mutex_destroy(&server->sweep_mutex);
}

enum weir_code weir_http_server_open(const struct weir_http_server_config *config,
                                     struct weir_http_server **ret, struct weir_err *err)
{
    struct weir_http_server *server = weir_xalloc(sizeof(*server));
    server->config = *config;
    fill_defaults(&server->config);
    enum weir_code code = weir_http_listen(config->listen, &server->listen_fd, &server->port, err);
    if (code != WEIR_OK) {
        free(server);
        return code;
    }
    weir_http_conns_init(&server->conns);
    server->run = weir_http_run_new(server->config.pool_threads, server->config.queue_max,
                                    server->config.ctx, answered);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    start_sweeper(server);
    server->daemon = start_daemon(server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!server->daemon) {
        weir_http_server_close(&server, 0);
        return weir_fail(err, WEIR_EUNAVAILABLE, "the HTTP server on %s did not start",
                         config->listen);
    }
    *ret = server;
    return WEIR_OK;
}

static void wait_until_idle(struct weir_http_server *server, int64_t most_ms)
{
    int64_t end_ms = weir_clock_mono_ms() + most_ms;
    while (atomic_load(&server->n_requests) > 0 && weir_clock_mono_ms() < end_ms) {
        usleep(STOP_POLL_MS * 1000);
    }
}

void weir_http_server_close(struct weir_http_server **server_ptr, int64_t drain_ms)
{
    struct weir_http_server *server = WEIR_TAKE(*server_ptr);
    if (!server) {
        return;
    }
    if (server->daemon) {
        MHD_quiesce_daemon(server->daemon);
        weir_http_run_drain(server->run);
        wait_until_idle(server, drain_ms);
    }
    stop_sweeper(server);
    weir_http_run_stop(server->run);
    if (server->daemon) {
        wait_until_idle(server, drain_ms < STOP_GRACE_MS ? drain_ms : STOP_GRACE_MS);
        MHD_stop_daemon(server->daemon);
    }
    close(server->listen_fd);
    weir_http_run_free(server->run);
    weir_http_conns_done(&server->conns);
    free(server);
}

int weir_http_server_port(const struct weir_http_server *server)
{
    return server->port;
}

void weir_http_wake(struct weir_http_server *server, uint64_t token)
{
    weir_http_run_wake(server->run, token);
}
