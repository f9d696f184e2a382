/* SPDX-License-Identifier: Apache-2.0 */
#include "api/grants.h"

#include <inttypes.h>
#include <string.h>

#include "api/grant_rules.h"
#include "api/list.h"
#include "api/once.h"
#include "api/revoke.h"
#include "lib/base/clock.h"

#define COLUMNS                                                                                    \
    "id, subject, group_id, role, "                                                                \
    "to_char(ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), reason, "           \
    "granted_by, version, "                                                                        \
    "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), "                \
    "to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), "                \
    "(extract(epoch FROM ends_at) * 1000)::bigint, "                                               \
    "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

enum {
    C_ID,
    C_SUBJECT,
    C_GROUP,
    C_ROLE,
    C_ENDS,
    C_REASON,
    C_BY,
    C_VERSION,
    C_CREATED,
    C_UPDATED,
    C_ENDS_MS,
    C_NOW_MS,
};

/* Only the first ones can be changed: another subject, group or role is another grant. */
enum { F_ENDS, F_REASON, N_PATCH, F_SUBJECT = N_PATCH, F_GROUP, F_ROLE, N_FIELDS };

static const char *const roles[] = {"viewer", "operator", NULL};

#define CHANGEABLE                                                                                 \
    [F_ENDS] = {"/ends_at", API_TIME, .is_nullable = true}, [F_REASON] = {"/reason", API_STR,      \
                                                                          .min = 1, .max = 256,    \
                                                                          .is_nullable = true}

static const struct api_field create_fields[N_FIELDS] = {
    [F_SUBJECT] = {"/subject", API_ID, .is_required = true},
    [F_GROUP] = {"/group_id", API_ID, .is_required = true},
    [F_ROLE] = {"/role", API_ENUM, .names = roles},
    CHANGEABLE};
static const struct api_field patch_fields[N_PATCH] = {CHANGEABLE};

/* ---- out ---- */

static void write_grant(struct weir_json_out *out, const struct weir_db_rows *rows, size_t row)
{
    weir_json_open(out, NULL, '{');
    weir_json_str(out, "id", weir_db_text(rows, row, C_ID));
    weir_json_str(out, "subject", weir_db_text(rows, row, C_SUBJECT));
    weir_json_str(out, "group_id", weir_db_text(rows, row, C_GROUP));
    weir_json_str(out, "role", weir_db_text(rows, row, C_ROLE));
    weir_json_str(out, "ends_at", weir_db_text(rows, row, C_ENDS));
    weir_json_str(out, "reason", weir_db_text(rows, row, C_REASON));
    weir_json_str(out, "granted_by", weir_db_text(rows, row, C_BY));
    weir_json_int(out, "version", weir_db_int(rows, row, C_VERSION));
    weir_json_str(out, "created_at", weir_db_text(rows, row, C_CREATED));
    weir_json_str(out, "updated_at", weir_db_text(rows, row, C_UPDATED));
    weir_json_close(out, '}');
}

static void answer(struct api_call *call, int status, const struct weir_db_rows *rows)
{
    struct weir_json_out out = {0};
    write_grant(&out, rows, 0);
    api_call_set_etag(call, weir_db_int(rows, 0, C_VERSION));
    api_call_json(call, status, &out);
}

static void set_location(struct api_call *call, const char *id_text)
{
    weir_http_add_header(call->res, "Location",
                         weir_arena_printf(call->arena, "/v1/grants/%s", id_text));
}

static int64_t end_of(const struct weir_db_rows *rows)
{
    return weir_db_text(rows, 0, C_ENDS_MS) ? weir_db_int(rows, 0, C_ENDS_MS) : GRANT_ENDLESS;
}

/* What was given to whom, for how long: the audit must not need a row that may be gone. */
static void note(struct api_call *call, const char *action, const struct weir_id *id,
                 const struct weir_db_rows *rows)
{
    const char *ends = weir_db_text(rows, 0, C_ENDS);
    api_call_note(call, action, "grant", id, WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED,
                  weir_arena_printf(call->arena, "%s of group %s for %s, %s%s",
                                    weir_db_text(rows, 0, C_ROLE), weir_db_text(rows, 0, C_GROUP),
                                    weir_db_text(rows, 0, C_SUBJECT),
                                    ends ? "until " : "without an end", ends ? ends : ""));
}

/* ---- in ---- */

static enum weir_code check_end(struct api_call *call, int64_t end_ms, int64_t now_ms)
{
    switch (grant_end_judge(end_ms, now_ms)) {
    case GRANT_END_PAST:
        return api_call_refuse(call, 422, "out_of_range", "/ends_at",
                               "/ends_at must be in the future");
    case GRANT_END_FAR:
        return api_call_refuse(call, 422, "out_of_range", "/ends_at",
                               "/ends_at must be at most ten years ahead; null is without an end");
    case GRANT_END_OK:
        break;
    }
    return WEIR_OK;
}

static int64_t given_end(const struct api_value *value)
{
    return value->is_given && !value->is_null ? value->integer : GRANT_ENDLESS;
}

/* As Postgres takes it; NULL for SQL NULL. */
static const char *end_text(struct api_call *call, int64_t end_ms)
{
    char text[WEIR_TIME_TEXT_MAX];
    if (end_ms == GRANT_ENDLESS) {
        return NULL;
    }
    weir_clock_format_ms(end_ms, text);
    return weir_arena_strdup(call->arena, text);
}

/* ---- finding ---- */

static enum weir_code begin(struct api_call *call, struct weir_db_tx **tx)
{
    return weir_db_begin(call->api->db, &call->tenant_id, tx, &call->err);
}

enum lock { LOCK_NONE, LOCK_FOR_CHANGE };

static enum weir_code open_grant(struct api_call *call, enum lock lock, struct weir_db_tx **tx,
                                 struct weir_id *ret_id, struct weir_db_rows **ret)
{
    enum weir_code code = api_call_id(call, "grant_id", ret_id);
    if (code == WEIR_OK) {
        code = begin(call, tx);
    }
    if (code == WEIR_OK) {
        const char *id = weir_arena_strdup(call->arena, WEIR_ID_TEXT(ret_id));
        const char *sql = lock == LOCK_FOR_CHANGE
                              ? "SELECT " COLUMNS " FROM camera_grant WHERE id = $1 FOR UPDATE"
                              : "SELECT " COLUMNS " FROM camera_grant WHERE id = $1";
        code = weir_db_exec(*tx, sql, &id, 1, call->arena, ret, &call->err);
    }
    return code == WEIR_OK && weir_db_count(*ret) == 0 ? api_call_not_found(call) : code;
}

/* ---- create ---- */

/* Grants that ended stay for a week to be looked at, or for as long as there is room. */
static enum weir_code make_room(struct api_call *call, struct weir_db_tx *tx)
{
    int64_t most = call->api->settings->grants_max;
    const char *max = weir_arena_printf(call->arena, "%" PRId64, most);
    struct weir_db_rows *rows = NULL;
    enum weir_code code =
        weir_db_exec(tx,
                     "DELETE FROM camera_grant WHERE ends_at < now() - interval '7 days' OR"
                     " ends_at < now() AND (SELECT count(*) FROM camera_grant) >= $1::bigint",
                     &max, 1, call->arena, NULL, &call->err);
    if (code == WEIR_OK) {
        code = weir_db_exec(tx, "SELECT count(*) FROM camera_grant", NULL, 0, call->arena, &rows,
                            &call->err);
    }
    if (code == WEIR_OK && weir_db_int(rows, 0, 0) >= most) {
        return api_call_refuse(call, 429, "quota_exceeded", NULL,
                               "the tenant's limit is %" PRId64 " grants", most);
    }
    return code == WEIR_OK ? api_revoke_check_quota(call, tx, &call->tenant_id) : code;
}

static enum weir_code check_group(struct api_call *call, struct weir_db_tx *tx,
                                  const char *group_id, int64_t end_ms)
{
    struct weir_db_rows *rows = NULL;
    enum weir_code code = weir_db_exec(tx,
                                       "SELECT EXISTS (SELECT 1 FROM camera_group WHERE id = $1),"
                                       " (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
                                       &group_id, 1, call->arena, &rows, &call->err);
    if (code == WEIR_OK && !weir_db_bool(rows, 0, 0)) {
        return api_call_not_found(call);
    }
    return code == WEIR_OK ? check_end(call, end_ms, weir_db_int(rows, 0, 1)) : code;
}

static enum weir_code insert(struct api_call *call, struct weir_db_tx *tx, const char *id_text,
                             const struct api_value *values, struct weir_db_rows **ret)
{
    const char *params[] = {
        id_text,
        weir_arena_strdup(call->arena, WEIR_ID_TEXT(&call->tenant_id)),
        weir_arena_strdup(call->arena, WEIR_ID_TEXT(&values[F_SUBJECT].id)),
        weir_arena_strdup(call->arena, WEIR_ID_TEXT(&values[F_GROUP].id)),
        values[F_ROLE].is_given ? values[F_ROLE].str : "viewer",
        end_text(call, given_end(&values[F_ENDS])),
        values[F_REASON].str,
        call->actor,
    };
    enum weir_code code = check_group(call, tx, params[3], given_end(&values[F_ENDS]));
    if (code == WEIR_OK) {
        code = make_room(call, tx);
    }
    if (code == WEIR_OK) {
        code =
            weir_db_exec(tx,
                         "INSERT INTO camera_grant (id, tenant_id, subject, group_id, role,"
                         " ends_at, reason, granted_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
                         " RETURNING " COLUMNS,
                         params, sizeof(params) / sizeof(params[0]), call->arena, ret, &call->err);
        /* The group was deleted beside. */
        code = code == WEIR_ESEMANTIC ? api_call_not_found(call) : code;
    }
    return code;
}

/* What the key made before: as it is now, or that it is gone. */
static enum weir_code answer_earlier(struct api_call *call, struct weir_db_tx *tx, const char *id)
{
    struct weir_db_rows *rows = NULL;
    enum weir_code code = weir_db_exec(tx, "SELECT " COLUMNS " FROM camera_grant WHERE id = $1",
                                       &id, 1, call->arena, &rows, &call->err);
    if (code == WEIR_OK && weir_db_count(rows) == 0) {
        return api_call_refuse(call, 410, "grant_deleted", NULL,
                               "the grant that this Idempotency-Key made was deleted");
    }
    if (code == WEIR_OK) {
        set_location(call, id);
        answer(call, 201, rows);
    }
    return code;
}

static enum weir_code read_body(struct api_call *call, struct api_value values[static N_FIELDS])
{
    enum weir_code code = api_call_body(call, create_fields, N_FIELDS, values);
    if (code == WEIR_OK && weir_id_is_nil(&values[F_SUBJECT].id)) {
        code = api_call_refuse(call, 422, "unknown_value", "/subject",
                               "/subject names nobody: it is all zeros");
    }
    return code;
}

static enum weir_code create(struct api_call *call)
{
    struct api_value values[N_FIELDS];
    struct api_once once = {0};
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    enum weir_code code = read_body(call, values);
    if (code == WEIR_OK) {
        code = api_once_begin(call, &tx, &once);
    }
    if (code == WEIR_OK && once.earlier) {
        return answer_earlier(call, tx, once.earlier);
    }
    struct weir_id id = weir_id_new(weir_clock_wall_ms());
    const char *id_text = weir_arena_strdup(call->arena, WEIR_ID_TEXT(&id));
    if (code == WEIR_OK) {
        code = insert(call, tx, id_text, values, &rows);
    }
    if (code == WEIR_OK) {
        code = api_once_commit(call, &tx, &once, id_text);
    }
    if (code == WEIR_OK) {
        set_location(call, id_text);
        answer(call, 201, rows);
        note(call, "grant.create", &id, rows);
    }
    return code;
}

/* ---- get, patch, delete, list ---- */

static enum weir_code get(struct api_call *call)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    struct weir_id id;
    enum weir_code code = open_grant(call, LOCK_NONE, &tx, &id, &rows);
    if (code != WEIR_OK) {
        return code;
    }
    if (api_call_is_fresh(call, weir_db_int(rows, 0, C_VERSION))) {
        call->res->status = 304;
        api_call_set_etag(call, weir_db_int(rows, 0, C_VERSION));
        return WEIR_OK;
    }
    answer(call, 200, rows);
    return WEIR_OK;
}

static enum weir_code revoke(struct api_call *call, struct weir_db_tx *tx, const struct weir_id *id,
                             bool is_final, const char *reason)
{
    struct api_revocation what = {.kind = WEIR_EV_CONFIG_REVOCATION_KIND_GRANT,
                                  .object_id = *id,
                                  .is_final = is_final,
                                  .reason = reason};
    return api_revoke(call, tx, &call->tenant_id, &what, NULL);
}

/* Sets what was given; `rows` is the row as it was, and then as it is. */
static enum weir_code change(struct api_call *call, struct weir_db_tx *tx, const struct weir_id *id,
                             const struct api_value *values, struct weir_db_rows **rows)
{
    int64_t old_ms = end_of(*rows);
    int64_t now_ms = weir_db_int(*rows, 0, C_NOW_MS);
    int64_t new_ms = old_ms;
    enum weir_code code = WEIR_OK;
    if (values[F_ENDS].is_given) {
        new_ms = given_end(&values[F_ENDS]);
        code = check_end(call, new_ms, now_ms);
    }
    if (code != WEIR_OK) {
        return code;
    }
    const char *params[] = {
        weir_db_text(*rows, 0, C_ID),
        end_text(call, new_ms),
        values[F_REASON].is_given ? values[F_REASON].str : weir_db_text(*rows, 0, C_REASON),
    };
    code = weir_db_exec(tx,
                        "UPDATE camera_grant SET ends_at = $2, reason = $3, version = version + 1,"
                        " updated_at = now() WHERE id = $1 RETURNING " COLUMNS,
                        params, 3, call->arena, rows, &call->err);
    return code == WEIR_OK && grant_takes_back(old_ms, new_ms, now_ms)
               ? revoke(call, tx, id, false, "grant shortened")
               : code;
}

static enum weir_code patch(struct api_call *call)
{
    struct api_value values[N_PATCH];
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    struct weir_id id;
    enum weir_code code = api_call_body(call, patch_fields, N_PATCH, values);
    if (code == WEIR_OK) {
        code = open_grant(call, LOCK_FOR_CHANGE, &tx, &id, &rows);
    }
    if (code == WEIR_OK) {
        code = api_call_if_match(call, weir_db_int(rows, 0, C_VERSION));
    }
    if (code == WEIR_OK) {
        code = change(call, tx, &id, values, &rows);
    }
    if (code == WEIR_OK) {
        code = weir_db_commit(&tx, &call->err);
    }
    if (code == WEIR_OK) {
        answer(call, 200, rows);
        note(call, "grant.change", &id, rows);
    }
    return code;
}

static enum weir_code remove_row(struct api_call *call)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    struct weir_id id;
    enum weir_code code = open_grant(call, LOCK_FOR_CHANGE, &tx, &id, &rows);
    if (code == WEIR_OK) {
        code = api_call_if_match(call, weir_db_int(rows, 0, C_VERSION));
    }
    if (code == WEIR_OK) {
        const char *id_text = weir_db_text(rows, 0, C_ID);
        code = weir_db_exec(tx, "DELETE FROM camera_grant WHERE id = $1", &id_text, 1, call->arena,
                            NULL, &call->err);
    }
    if (code == WEIR_OK) {
        code = revoke(call, tx, &id, true, "grant deleted");
    }
    if (code == WEIR_OK) {
        code = weir_db_commit(&tx, &call->err);
    }
    if (code == WEIR_OK) {
        call->res->status = 204;
        note(call, "grant.delete", &id, rows);
    }
    return code;
}

/* A filter of the query: NULL when absent. */
static enum weir_code read_filter(struct api_call *call, const char *name, const char **ret)
{
    struct weir_id id;
    *ret = weir_http_query(call->req, name);
    if (*ret && weir_id_parse(*ret, strlen(*ret), &id, NULL) != WEIR_OK) {
        return api_call_refuse(call, 422, "wrong_type", NULL, "%s must be a UUID", name);
    }
    return WEIR_OK;
}

static enum weir_code list(struct api_call *call)
{
    static const char *const also[] = {"subject", "group_id", NULL};
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    struct api_list page;
    const char *subject = NULL;
    const char *group_id = NULL;
    enum weir_code code = api_list_read(call, also, &page);
    if (code == WEIR_OK) {
        code = read_filter(call, "subject", &subject);
    }
    if (code == WEIR_OK) {
        code = read_filter(call, "group_id", &group_id);
    }
    if (code == WEIR_OK) {
        code = begin(call, &tx);
    }
    if (code == WEIR_OK) {
        const char *params[] = {page.after, page.limit_text, subject, group_id};
        code = weir_db_exec(tx,
                            "SELECT " COLUMNS " FROM camera_grant WHERE id > $1"
                            " AND ($3::uuid IS NULL OR subject = $3)"
                            " AND ($4::uuid IS NULL OR group_id = $4) ORDER BY id LIMIT $2",
                            params, 4, call->arena, &rows, &call->err);
    }
    if (code == WEIR_OK) {
        api_list_answer(call, &page, rows, C_ID, write_grant);
    }
    return code;
}

void api_grants_list(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, list);
}

void api_grants_create(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, create);
}

void api_grants_get(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, get);
}

void api_grants_patch(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, patch);
}

void api_grants_delete(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, remove_row);
}
