/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reports.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/call.h"
#include "api/openapi.h"
#include "api/ticket_ids.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define AUDIT_ID_MAX 64

/* ---- the audit ---- */

#define UTC(column, digits)                                                                        \
    "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS." digits "\"Z\"')"

/* In the order of enum audit_column. */
#define AUDIT_COLUMNS                                                                              \
    "id, " UTC("recorded_at", "US") ", " UTC(                                                      \
        "at",                                                                                      \
        "MS") ", topic, off, event_id, type, actor, "                                              \
              "action, outcome, object_type, object_id, stream_id, camera_id, worker_id, "         \
              "generation, "                                                                       \
              "state_from, state_to, reason, command_id, request_id, remote_addr, detail, is_void"

enum audit_column {
    A_ID,
    A_RECORDED,
    A_AT,
    A_TOPIC,
    A_OFFSET,
    A_EVENT_ID,
    A_TYPE,
    A_FIRST_TEXT,
    A_GENERATION = A_FIRST_TEXT + 8,
    A_VOID = A_GENERATION + 8,
};

/* The columns from A_FIRST_TEXT on, as they are called outside; absent ones are left out. */
static const char *const audit_names[] = {
    "actor",      "action",     "outcome",     "object_type", "object_id", "stream_id",
    "camera_id",  "worker_id",  "generation",  "from",        "to",        "reason",
    "command_id", "request_id", "remote_addr", "detail",
};

static void write_audit_event(struct weir_json_out *out, const struct weir_db_rows *rows,
                              size_t row)
{
    weir_json_open(out, NULL, '{');
    weir_json_str(out, "id", weir_db_text(rows, row, A_ID));
    weir_json_str(out, "at", weir_db_text(rows, row, A_AT));
    weir_json_str(out, "topic", weir_db_text(rows, row, A_TOPIC));
    weir_json_int(out, "offset", weir_db_int(rows, row, A_OFFSET));
    weir_json_str(out, "event_id", weir_db_text(rows, row, A_EVENT_ID));
    weir_json_str(out, "type", weir_db_text(rows, row, A_TYPE));
    for (size_t i = 0; i < sizeof(audit_names) / sizeof(audit_names[0]); i++) {
        const char *text = weir_db_text(rows, row, A_FIRST_TEXT + i);
        if (text && A_FIRST_TEXT + i == A_GENERATION) {
            weir_json_raw(out, audit_names[i], text);
        } else if (text) {
            weir_json_str(out, audit_names[i], text);
        }
    }
    weir_json_bool(out, "void", weir_db_bool(rows, row, A_VOID));
    weir_json_close(out, '}');
}

/* The form of audit_event.id: letters of a topic, digits, dots and colons. */
static bool is_audit_id(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len <= AUDIT_ID_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.:") == len;
}

/* "<time>|<id>" of the last row shown, cut in two; both NULL for the first page. */
static enum weir_code read_cursor(struct api_call *call, const char *after,
                                  bool (*is_id)(const char *), const char **ret_time,
                                  const char **ret_id)
{
    int64_t ms;
    *ret_time = NULL;
    *ret_id = NULL;
    if (!after) {
        return WEIR_OK;
    }
    const char *bar = strchr(after, '|');
    if (!bar || !is_id(bar + 1) ||
        weir_clock_parse_ms(after, (size_t)(bar - after), &ms, NULL) != WEIR_OK) {
        return api_call_refuse(call, 422, "bad_cursor", NULL, "cursor is not one we gave");
    }
    *ret_time = weir_arena_memdup(call->arena, after, (size_t)(bar - after));
    *ret_id = bar + 1;
    return WEIR_OK;
}

/* A filter by id: NULL when not given. */
static enum weir_code read_filter(struct api_call *call, const char *name, const char **ret)
{
    struct weir_id id;
    *ret = weir_http_query(call->req, name);
    if (*ret && weir_id_parse(*ret, strlen(*ret), &id, NULL) != WEIR_OK) {
        return api_call_refuse(call, 422, "wrong_type", NULL, "%s must be a UUID", name);
    }
    return WEIR_OK;
}

static enum weir_code read_audit(struct api_call *call, const struct api_page *page,
                                 struct weir_db_rows **ret)
{
    const char *params[5];
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    enum weir_code code = read_cursor(call, page->after, is_audit_id, &params[0], &params[1]);
    if (code == WEIR_OK) {
        code = read_filter(call, "stream_id", &params[2]);
    }
    if (code == WEIR_OK) {
        code = read_filter(call, "camera_id", &params[3]);
    }
    params[4] = weir_arena_printf(call->arena, "%" PRId64, page->limit + 1);
    if (code == WEIR_OK) {
        code = weir_db_begin(call->api->db, &call->tenant_id, &tx, &call->err);
    }
    return code == WEIR_OK
               ? weir_db_exec(tx,
                              "SELECT " AUDIT_COLUMNS " FROM audit_event"
                              " WHERE ($1::text IS NULL"
                              "        OR (recorded_at, id) < ($1::timestamptz, $2::text))"
                              " AND ($3::uuid IS NULL OR stream_id = $3::uuid)"
                              " AND ($4::uuid IS NULL OR camera_id = $4::uuid)"
                              " ORDER BY recorded_at DESC, id DESC LIMIT $5::bigint",
                              params, 5, call->arena, ret, &call->err)
               : code;
}

static enum weir_code list_audit(struct api_call *call)
{
    static const char *const filters[] = {"stream_id", "camera_id", NULL};
    struct api_page page;
    struct weir_db_rows *rows = NULL;
    enum weir_code code = api_call_page(call, filters, &page);
    if (code == WEIR_OK) {
        code = read_audit(call, &page, &rows);
    }
    if (code != WEIR_OK) {
        return code;
    }
    size_t n = weir_db_count(rows);
    bool has_more = n > (size_t)page.limit;
    n = has_more ? (size_t)page.limit : n;
    struct weir_json_out out = {0};
    weir_json_open(&out, NULL, '{');
    weir_json_open(&out, "items", '[');
    for (size_t row = 0; row < n; row++) {
        write_audit_event(&out, rows, row);
    }
    weir_json_close(&out, ']');
    const char *next = NULL;
    if (has_more) {
        next = weir_arena_printf(call->arena, "%s|%s", weir_db_text(rows, n - 1, A_RECORDED),
                                 weir_db_text(rows, n - 1, A_ID));
    }
    weir_json_str(&out, "next_cursor", next ? api_cursor(call->arena, next) : NULL);
    weir_json_close(&out, '}');
    api_call_json(call, 200, &out);
    return WEIR_OK;
}

/* ---- viewings ---- */

/* In the order of enum viewing_column. It is over when it would not go on any more
 * (migrations/20261129000200_viewing_audit.sql). */
#define STARTED_US UTC("v.started_at", "US")
#define STARTED_MS UTC("v.started_at", "MS")
#define SEEN_MS    UTC("v.last_seen_at", "MS")
#define VIEWING_COLUMNS                                                                            \
    "v.id, u.subject, v.camera_id, v.stream_id, v.ticket_id, v.door, v.segments, v.bytes, "        \
    "v.last_seen_at < now() - interval '60 s', " STARTED_US ", " STARTED_MS ", " SEEN_MS

enum viewing_column {
    V_ID,
    V_SUBJECT,
    V_CAMERA,
    V_STREAM,
    V_TICKET,
    V_DOOR,
    V_SEGMENTS,
    V_BYTES,
    V_IS_OVER,
    V_CURSOR,
    V_START,
    V_SEEN,
};

static void write_viewing(struct weir_json_out *out, const struct weir_db_rows *rows, size_t row)
{
    bool is_over = weir_db_bool(rows, row, V_IS_OVER);
    weir_json_open(out, NULL, '{');
    weir_json_str(out, "id", weir_db_text(rows, row, V_ID));
    weir_json_str(out, "subject", weir_db_text(rows, row, V_SUBJECT));
    weir_json_str(out, "camera_id", weir_db_text(rows, row, V_CAMERA));
    weir_json_str(out, "stream_id", weir_db_text(rows, row, V_STREAM));
    weir_json_str(out, "ticket_id", weir_db_text(rows, row, V_TICKET));
    weir_json_str(out, "door", weir_db_text(rows, row, V_DOOR));
    weir_json_str(out, "started_at", weir_db_text(rows, row, V_START));
    weir_json_str(out, "last_seen_at", weir_db_text(rows, row, V_SEEN));
    weir_json_str(out, "ended_at", is_over ? weir_db_text(rows, row, V_SEEN) : NULL);
    weir_json_int(out, "segments", weir_db_int(rows, row, V_SEGMENTS));
    weir_json_int(out, "bytes", weir_db_int(rows, row, V_BYTES));
    weir_json_close(out, '}');
}

static bool is_uuid(const char *text)
{
    struct weir_id id;
    return weir_id_parse(text, strlen(text), &id, NULL) == WEIR_OK;
}

/* A filter by time: NULL when not given. */
static enum weir_code read_time(struct api_call *call, const char *name, const char **ret)
{
    int64_t ms;
    *ret = weir_http_query(call->req, name);
    if (*ret && weir_clock_parse_ms(*ret, strlen(*ret), &ms, NULL) != WEIR_OK) {
        return api_call_refuse(call, 422, "wrong_type", NULL,
                               "%s must be a time like 2026-11-29T08:00:00Z", name);
    }
    return WEIR_OK;
}

/* The subject is looked for as doors know him. */
static enum weir_code read_subject(struct api_call *call, const char **ret)
{
    struct weir_id subject;
    enum weir_code code = read_filter(call, "subject", ret);
    if (code == WEIR_OK && *ret && weir_id_parse(*ret, strlen(*ret), &subject, NULL) == WEIR_OK) {
        struct weir_id viewer = ticket_viewer_id(&call->tenant_id, &subject);
        *ret = weir_arena_strdup(call->arena, WEIR_ID_TEXT(&viewer));
    }
    return code;
}

static enum weir_code read_viewing_filters(struct api_call *call, const struct api_page *page,
                                           const char *params[static 8])
{
    enum weir_code code = read_cursor(call, page->after, is_uuid, &params[0], &params[1]);
    if (code == WEIR_OK) {
        code = read_filter(call, "camera_id", &params[2]);
    }
    if (code == WEIR_OK) {
        code = read_filter(call, "stream_id", &params[3]);
    }
    if (code == WEIR_OK) {
        code = read_subject(call, &params[4]);
    }
    if (code == WEIR_OK) {
        code = read_time(call, "from", &params[5]);
    }
    if (code == WEIR_OK) {
        code = read_time(call, "to", &params[6]);
    }
    params[7] = weir_arena_printf(call->arena, "%" PRId64, page->limit + 1);
    return code;
}

static enum weir_code read_viewings(struct api_call *call, const struct api_page *page,
                                    struct weir_db_rows **ret)
{
    const char *params[8];
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    enum weir_code code = read_viewing_filters(call, page, params);
    if (code == WEIR_OK) {
        code = weir_db_begin(call->api->db, &call->tenant_id, &tx, &call->err);
    }
    return code == WEIR_OK
               ? weir_db_exec(tx,
                              "SELECT " VIEWING_COLUMNS " FROM viewing AS v LEFT JOIN viewer AS u"
                              " ON u.tenant_id = v.tenant_id AND u.id = v.viewer_id"
                              " WHERE ($1::text IS NULL"
                              "        OR (v.started_at, v.id) < ($1::timestamptz, $2::uuid))"
                              " AND ($3::uuid IS NULL OR v.camera_id = $3::uuid)"
                              " AND ($4::uuid IS NULL OR v.stream_id = $4::uuid)"
                              " AND ($5::uuid IS NULL OR v.viewer_id = $5::uuid)"
                              " AND ($6::timestamptz IS NULL OR v.last_seen_at >= $6::timestamptz)"
                              " AND ($7::timestamptz IS NULL OR v.started_at < $7::timestamptz)"
                              " ORDER BY v.started_at DESC, v.id DESC LIMIT $8::bigint",
                              params, 8, call->arena, ret, &call->err)
               : code;
}

static enum weir_code list_viewings(struct api_call *call)
{
    static const char *const filters[] = {"camera_id", "stream_id", "subject", "from", "to", NULL};
    struct api_page page;
    struct weir_db_rows *rows = NULL;
    enum weir_code code = api_call_page(call, filters, &page);
    if (code == WEIR_OK) {
        code = read_viewings(call, &page, &rows);
    }
    if (code != WEIR_OK) {
        return code;
    }
    size_t found = weir_db_count(rows);
    size_t n = found > (size_t)page.limit ? (size_t)page.limit : found;
    struct weir_json_out out = {0};
    weir_json_open(&out, NULL, '{');
    weir_json_open(&out, "items", '[');
    for (size_t row = 0; row < n; row++) {
        write_viewing(&out, rows, row);
    }
    weir_json_close(&out, ']');
    const char *next = NULL;
    if (found > n) {
        next = weir_arena_printf(call->arena, "%s|%s", weir_db_text(rows, n - 1, V_CURSOR),
                                 weir_db_text(rows, n - 1, V_ID));
    }
    weir_json_str(&out, "next_cursor", next ? api_cursor(call->arena, next) : NULL);
    weir_json_close(&out, '}');
    api_call_json(call, 200, &out);
    return WEIR_OK;
}

/* ---- the routes ---- */

void api_viewings_list(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, list_viewings);
}

void api_audit_list(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_OPERATOR, list_audit);
}

void api_openapi_get(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)ctx;
    const char *seen = weir_http_header(req, "If-None-Match");
    weir_http_add_header(res, "ETag", api_openapi_etag);
    weir_http_add_header(res, "Cache-Control", "public, max-age=300");
    if (seen && strcmp(seen, api_openapi_etag) == 0) {
        res->status = 304;
        return;
    }
    weir_http_json(res, 200, api_openapi_json, api_openapi_json_len);
}
