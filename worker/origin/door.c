/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/origin/door.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define GENERATION_MAX ((int64_t)1 << 53)
#define PART_MAX       1000000
#define DRAIN_MS       1000
#define POOL_THREADS   4
#define SECOND_MAX     99999999999

struct door {
    struct door_config config;
    struct weir_http_server *server;
};

/* ---- the question ---- */

static int64_t number_or(const char *text, int64_t max, int64_t otherwise)
{
    int64_t value = otherwise;
    if (text != NULL) {
        WEIR_IGNORE(weir_str_to_int(text, 0, max, &value, NULL), "a bad number counts as none");
    }
    return value;
}

/* NULL when the path names nothing that could be here. */
static struct ask *read_question(const struct weir_http_request *req)
{
    const char *stream_id = weir_http_param(req, "stream_id");
    const char *file = weir_http_param(req, "file");
    struct ask *ask WEIR_CLEANUP(ask_unref) = ask_new();
    if (weir_id_parse(stream_id, strlen(stream_id), &ask->stream_id, NULL) != WEIR_OK ||
        weir_str_to_int(weir_http_param(req, "generation"), 1, GENERATION_MAX, &ask->generation,
                        NULL) != WEIR_OK) {
        return NULL;
    }
    ask->kind = weir_playlist_file(file, strlen(file));
    if (ask->kind == WEIR_PLAYLIST_FILE_NONE || !WEIR_STR_SET(ask->file, file)) {
        return NULL;
    }
    ask->msn = number_or(weir_http_query(req, "_HLS_msn"), WEIR_PLAYLIST_SEQUENCE_MAX, -1);
    ask->part = number_or(weir_http_query(req, "_HLS_part"), PART_MAX, -1);
    return WEIR_TAKE(ask);
}

/* ---- the answer ---- */

static const char *content_type(const struct ask *ask)
{
    if (ask->kind == WEIR_PLAYLIST_FILE_INDEX || ask->kind == WEIR_PLAYLIST_FILE_MEDIA) {
        return "application/vnd.apple.mpegurl";
    }
    size_t len = strlen(ask->file);
    return strcmp(ask->file + len - 3, ".ts") == 0 ? "video/mp2t" : "video/mp4";
}

static void set_playlist_rules(struct weir_http_request *req, struct weir_http_response *res,
                               const struct ask *ask)
{
    if (ask->msn >= 0) {
        /* An answered reload never changes; any other answer to one is of this moment. */
        weir_http_add_header(res, "Cache-Control", ask->is_exact ? "max-age=6" : "no-store");
        return;
    }
    /* In this order: nginx 1.22 leaves Cache-Control unread after X-Accel-Expires. */
    weir_http_add_header(
        res, "Cache-Control",
        weir_arena_printf(res->arena, "max-age=1, stale-while-revalidate=1, stale-if-error=%lld",
                          (long long)ask->repeat_s));
    int64_t second = number_or(weir_http_header(req, "X-Weir-Second"), SECOND_MAX, -1);
    if (second >= 0) {
        weir_http_add_header(res, "X-Accel-Expires",
                             weir_arena_printf(res->arena, "@%lld", (long long)second));
    }
}

/* As every door words it: it may go through to a viewer as it is. */
static const char *error_text(int status)
{
    if (status == 401) {
        return "{\"status\":401,\"code\":\"unauthenticated\",\"title\":\"Who asks?\"}\n";
    }
    if (status == 404) {
        return "{\"status\":404,\"code\":\"not_found\",\"title\":\"Nothing here\"}\n";
    }
    return "{\"status\":503,\"code\":\"unavailable\",\"title\":\"Not available now\"}\n";
}

static void answer_error(struct weir_http_response *res, int status)
{
    weir_http_text(res, status, error_text(status));
    res->content_type = "application/problem+json";
    if (status == 503) {
        weir_http_add_header(res, "Retry-After", "1");
    }
    weir_http_add_header(res, "Cache-Control", "no-store");
}

static void release(void *ctx)
{
    struct ask *ask = ctx;
    ask_unref(&ask);
}

static void answer(struct weir_http_request *req, struct weir_http_response *res, struct ask *ask)
{
    /* The body is read after this returns: the ask goes with the request. */
    res->stream_free = release;
    res->stream_ctx = ask;
    if (!ask_is_answered(ask)) {
        answer_error(res, 503);
        return;
    }
    if (ask->status != 200) {
        answer_error(res, ask->status);
        return;
    }
    res->status = 200;
    res->content_type = content_type(ask);
    res->body = ask->body->bytes.len > 0 ? ask->body->bytes.bytes : "";
    res->body_len = ask->body->bytes.len;
    if (ask->kind == WEIR_PLAYLIST_FILE_INDEX || ask->kind == WEIR_PLAYLIST_FILE_MEDIA) {
        set_playlist_rules(req, res, ask);
    } else {
        weir_http_add_header(res, "Cache-Control", "public, max-age=3600, immutable");
    }
}

static void on_ask(void *ctx)
{
    struct ask *ask = ctx;
    struct door *door = ask->ctx;
    ask->server = door->server;
    door->config.on_ask(door->config.ctx, ask);
}

/* `ask` (NULL: the path names nothing) is this call's. */
static void ask_about(struct door *door, struct weir_http_request *req,
                      struct weir_http_response *res, struct ask *ask)
{
    if (!secrets_allow(door->config.secrets, weir_http_header(req, "Authorization"))) {
        answer_error(res, 401);
        ask_unref(&ask);
        return;
    }
    if (ask == NULL) {
        answer_error(res, 404);
        return;
    }
    ask->ctx = door;
    ask->token = weir_http_wait(req, weir_clock_mono_ms() + DOOR_WAIT_MS);
    *weir_http_slot(req) = ask;
    atomic_fetch_add(&ask->refs, 1);
    weir_loop_post(door->config.loop, on_ask, ask);
}

static void get_file(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct door *door = ctx;
    void **slot = weir_http_slot(req);
    if (*slot != NULL) {
        answer(req, res, WEIR_TAKE(*slot));
        return;
    }
    ask_about(door, req, res, read_question(req));
}

/* ---- pictures ---- */

/* The ids of the path; false: they are none. */
static bool read_camera_ids(const struct weir_http_request *req, struct ask *ask)
{
    const char *tenant_id = weir_http_param(req, "tenant_id");
    const char *camera_id = weir_http_param(req, "camera_id");
    return weir_id_parse(tenant_id, strlen(tenant_id), &ask->tenant_id, NULL) == WEIR_OK &&
           weir_id_parse(camera_id, strlen(camera_id), &ask->camera_id, NULL) == WEIR_OK;
}

/* Numbers and names and nothing else: what is asked of weir-still is put together from these. */
static bool is_plain(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_=&-")] == '\0';
}

static struct ask *read_still(const struct weir_http_request *req)
{
    const char *query = strchr(weir_http_target(req), '?');
    struct ask *ask WEIR_CLEANUP(ask_unref) = ask_new();
    query = query != NULL ? query + 1 : "";
    if (!read_camera_ids(req, ask) || !is_plain(query)) {
        return NULL;
    }
    int len = snprintf(ask->still, sizeof(ask->still), "/v1/still/%s/%s?%s",
                       weir_http_param(req, "tenant_id"), weir_http_param(req, "camera_id"), query);
    return len < (int)sizeof(ask->still) ? WEIR_TAKE(ask) : NULL;
}

static void answer_plain(struct weir_http_response *res, struct ask *ask)
{
    res->stream_free = release;
    res->stream_ctx = ask;
    if (!ask_is_answered(ask) || ask->body == NULL) {
        answer_error(res, ask_is_answered(ask) ? ask->status : 503);
        return;
    }
    res->status = ask->status;
    res->content_type = "application/octet-stream";
    res->body = ask->body->bytes.len > 0 ? ask->body->bytes.bytes : "";
    res->body_len = ask->body->bytes.len;
    weir_http_add_header(res, "Cache-Control", "no-store");
}

static void get_still(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    void **slot = weir_http_slot(req);
    if (*slot != NULL) {
        answer_plain(res, WEIR_TAKE(*slot));
    } else {
        ask_about(ctx, req, res, read_still(req));
    }
}

/* ---- cameras ---- */

static struct ask *read_camera(const struct weir_http_request *req)
{
    struct ask *ask WEIR_CLEANUP(ask_unref) = ask_new();
    return read_camera_ids(req, ask) && !weir_id_is_nil(&ask->camera_id) ? WEIR_TAKE(ask) : NULL;
}

static void get_camera(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    void **slot = weir_http_slot(req);
    if (*slot != NULL) {
        answer_plain(res, WEIR_TAKE(*slot));
    } else {
        ask_about(ctx, req, res, read_camera(req));
    }
}

static const struct weir_http_route routes[] = {
    {"GET", "/camera/v1/{tenant_id}/{camera_id}", get_camera, 0},
    {"GET", "/still/v1/{tenant_id}/{camera_id}", get_still, 0},
    {"GET", "/{stream_id}/{generation}/{file}", get_file, 0},
};

enum weir_code door_open(const struct door_config *config, struct door **ret, struct weir_err *err)
{
    struct door *door = weir_xalloc(sizeof(*door));
    door->config = *config;
    struct weir_http_server_config server = {.listen = config->listen,
                                             .routes = routes,
                                             .n_routes = sizeof(routes) / sizeof(routes[0]),
                                             .ctx = door,
                                             .body_max_bytes = 1024,
                                             .pool_threads = POOL_THREADS,
                                             .queue_max = 4096,
                                             .connections_max = config->connections_max};
    enum weir_code code = weir_http_server_open(&server, &door->server, err);
    if (code != WEIR_OK) {
        free(door);
        return code;
    }
    *ret = door;
    return WEIR_OK;
}

void door_close(struct door **door)
{
    struct door *gone = WEIR_TAKE(*door);
    if (gone != NULL) {
        weir_http_server_close(&gone->server, DRAIN_MS);
        free(gone);
    }
}

int door_port(const struct door *door)
{
    return weir_http_server_port(door->server);
}
