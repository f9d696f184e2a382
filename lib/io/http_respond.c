/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/http_server.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/domain/json.h"
#include "lib/io/http_request.h"

const char *weir_http_method(const struct weir_http_request *req)
{
    return req->method;
}

const char *weir_http_target(const struct weir_http_request *req)
{
    return req->target;
}

const char *weir_http_route(const struct weir_http_request *req)
{
    return req->match.route ? req->match.route->pattern : "";
}

static const char *find_pair(const struct weir_http_pair *pairs, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(pairs[i].name, name) == 0) {
            return pairs[i].value;
        }
    }
    return NULL;
}

const char *weir_http_param(const struct weir_http_request *req, const char *name)
{
    return find_pair(req->match.params, req->match.n_params, name);
}

const char *weir_http_query(const struct weir_http_request *req, const char *name)
{
    return find_pair(req->query, req->n_query, name);
}

bool weir_http_next_query(const struct weir_http_request *req, size_t *at, const char **ret_name,
                          const char **ret_value)
{
    if (*at >= req->n_query) {
        return false;
    }
    *ret_name = req->query[*at].name;
    *ret_value = req->query[*at].value;
    (*at)++;
    return true;
}

const char *weir_http_header(const struct weir_http_request *req, const char *name)
{
    for (size_t i = 0; i < req->n_fields; i++) {
        if (strcasecmp(req->fields[i].name, name) == 0) {
            return req->fields[i].value;
        }
    }
    return NULL;
}

const char *weir_http_body(const struct weir_http_request *req, size_t *ret_len)
{
    *ret_len = req->body.len;
    return req->body.bytes ? req->body.bytes : "";
}

const char *weir_http_remote(const struct weir_http_request *req)
{
    return req->remote;
}

const char *weir_http_request_id(const struct weir_http_request *req)
{
    return req->request_id;
}

struct weir_arena *weir_http_arena(const struct weir_http_request *req)
{
    return req->arena;
}

unsigned weir_http_attempt(const struct weir_http_request *req)
{
    return req->attempts;
}

void **weir_http_slot(struct weir_http_request *req)
{
    return &req->slot;
}

void weir_http_on_end(struct weir_http_request *req, void (*fn)(void *ctx), void *ctx)
{
    struct weir_http_end *end = weir_arena_alloc(req->arena, sizeof(*end));
    *end = (struct weir_http_end){.fn = fn, .ctx = ctx, .next = req->ends};
    req->ends = end;
}

/* ---- answering ---- */

static void set_body(struct weir_http_response *res, int status, const char *content_type,
                     const char *body, size_t len)
{
    res->status = status;
    res->content_type = content_type;
    res->body = body;
    res->body_len = len;
}

void weir_http_text(struct weir_http_response *res, int status, const char *text)
{
    set_body(res, status, "text/plain; charset=utf-8", text, strlen(text));
}

void weir_http_json(struct weir_http_response *res, int status, const char *json, size_t len)
{
    set_body(res, status, "application/json; charset=utf-8", json, len);
}

void weir_http_add_header(struct weir_http_response *res, const char *name, const char *value)
{
    assert(res->n_headers < WEIR_HTTP_HEADERS_MAX);
    res->headers[res->n_headers].name = name;
    res->headers[res->n_headers].value = weir_arena_strdup(res->arena, value);
    res->n_headers++;
}

/* Titles of the statuses this server answers with (RFC 9110 section 15). */
static const char *title_of(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }
    return "Error";
}

static void problem(const struct weir_http_request *req, struct weir_http_response *res, int status,
                    const char *code, const char *pointer, const char *detail)
{
    struct weir_json_out out = {0};
    weir_json_open(&out, NULL, '{');
    weir_json_str(&out, "type", "about:blank");
    weir_json_str(&out, "title", title_of(status));
    weir_json_int(&out, "status", status);
    weir_json_str(&out, "detail", detail);
    weir_json_str(&out, "code", code);
    weir_json_str(&out, "request_id", req->request_id);
    if (pointer) {
        weir_json_open(&out, "errors", '[');
        weir_json_open(&out, NULL, '{');
        weir_json_str(&out, "pointer", pointer);
        weir_json_str(&out, "detail", detail);
        weir_json_close(&out, '}');
        weir_json_close(&out, ']');
    }
    weir_json_close(&out, '}');
    size_t len;
    const char *body = weir_json_take(&out, req->arena, &len);
    set_body(res, status, "application/problem+json", body, len);
}

void weir_http_problem(const struct weir_http_request *req, struct weir_http_response *res,
                       const struct weir_err *err)
{
    int status = weir_code_http_status(err->code);
    problem(req, res, status, weir_code_text(err->code), NULL,
            status == 500 ? "something went wrong here; the log knows under the request id"
                          : err->msg);
    if (status == 503) {
        weir_http_add_header(res, "Retry-After", "1");
    }
}

void weir_http_problem_at(const struct weir_http_request *req, struct weir_http_response *res,
                          int status, const char *code, const char *pointer, const char *fmt, ...)
{
    char detail[WEIR_ERR_MSG_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    problem(req, res, status, code, pointer, detail);
}
