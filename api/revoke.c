/* SPDX-License-Identifier: Apache-2.0 */
#include "api/revoke.h"

#include <inttypes.h>
#include <string.h>

#include "api/outbox.h"
#include "api/ticket_ids.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define COLUMNS                                                                                    \
    "id, kind, object_id, reason, actor, "                                                         \
    "to_char(to_timestamp(at_s) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), "        \
    "to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), "                \
    "tenant_id, at_s, before_s"

enum { C_ID, C_KIND, C_OBJECT, C_REASON, C_ACTOR, C_AT, C_EXPIRES, C_TENANT, C_AT_S, C_BEFORE_S };

#define FULL_RETRY_S "60"

/* ---- revoking ---- */

/* Tickets and revocations of a tenant go one after the other, tickets beside each other: so none is
 * issued with a time after a revocation that its maker did not see. */
static enum weir_code lock(struct api_call *call, struct weir_db_tx *tx, const char *sql,
                           const struct weir_id *tenant_id)
{
    const char *tenant = weir_arena_strdup(call->arena, WEIR_ID_TEXT(tenant_id));
    return weir_db_exec(tx, sql, &tenant, 1, call->arena, NULL, &call->err);
}

enum weir_code api_revoke_lock_out(struct api_call *call, struct weir_db_tx *tx,
                                   const struct weir_id *tenant_id)
{
    return lock(call, tx, "SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 2))",
                tenant_id);
}

static bool has_tokens(enum weir_ev_config_revocation_kind kind)
{
    return kind == WEIR_EV_CONFIG_REVOCATION_KIND_SUBJECT ||
           kind == WEIR_EV_CONFIG_REVOCATION_KIND_SESSION;
}

/* What tickets of the tenant name it by. */
static struct weir_id value_of(const struct weir_id *tenant_id, const struct api_revocation *what)
{
    if (what->kind == WEIR_EV_CONFIG_REVOCATION_KIND_SUBJECT) {
        return ticket_viewer_id(tenant_id, &what->object_id);
    }
    return what->kind == WEIR_EV_CONFIG_REVOCATION_KIND_SESSION
               ? ticket_login_id(tenant_id, &what->object_id)
               : what->object_id;
}

static enum weir_code publish(struct api_call *call, struct weir_db_tx *tx,
                              const struct weir_id *tenant_id, const struct api_revocation *what,
                              const struct weir_id *id, const struct weir_db_rows *rows)
{
    struct weir_event event = {.type = WEIR_EV_CONFIG_REVOCATION};
    struct weir_ev_config_revocation *record = &event.u.config_revocation;
    record->revocation_id = *id;
    record->tenant_id = *tenant_id;
    record->kind = what->kind;
    record->value = value_of(tenant_id, what);
    record->at_s = weir_db_int(rows, 0, C_AT_S);
    record->before_s = weir_db_int(rows, 0, C_BEFORE_S);
    return api_outbox_put(tx, &event, tenant_id, id, API_OUTBOX_EVERY_CELL, call->arena,
                          &call->err);
}

enum weir_code api_revoke(struct api_call *call, struct weir_db_tx *tx,
                          const struct weir_id *tenant_id, const struct api_revocation *what,
                          struct weir_db_rows **ret)
{
    struct weir_id id = weir_id_new(weir_clock_wall_ms());
    struct weir_id value = value_of(tenant_id, what);
    int64_t life_s = has_tokens(what->kind) ? REVOCATIONS_TOKENS_S : REVOCATIONS_TICKETS_S;
    const char *life = weir_arena_printf(call->arena, "%" PRId64, life_s);
    const char *params[] = {
        weir_arena_strdup(call->arena, WEIR_ID_TEXT(&id)),
        weir_arena_strdup(call->arena, WEIR_ID_TEXT(tenant_id)),
        revocations_kind_name(what->kind),
        weir_arena_strdup(call->arena, WEIR_ID_TEXT(&what->object_id)),
        weir_arena_strdup(call->arena, WEIR_ID_TEXT(&value)),
        life,
        what->is_final ? life : "0",
        call->actor,
        what->reason,
    };
    struct weir_db_rows *rows = NULL;
    enum weir_code code =
        lock(call, tx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 2))", tenant_id);
    if (code == WEIR_OK) {
        code = weir_db_exec(
            tx,
            "INSERT INTO revocation (id, tenant_id, kind, object_id, value, at_s, before_s,"
            " expires_at, actor, reason) SELECT $1, $2, $3, $4, $5, now_s, now_s + $7::bigint,"
            " to_timestamp(now_s + $6::bigint), $8, $9"
            " FROM (SELECT floor(extract(epoch FROM clock_timestamp()))::bigint) AS clock (now_s)"
            " RETURNING " COLUMNS,
            params, sizeof(params) / sizeof(params[0]), call->arena, &rows, &call->err);
    }
    if (code == WEIR_OK) {
        code = publish(call, tx, tenant_id, what, &id, rows);
    }
    if (code == WEIR_OK && ret) {
        *ret = rows;
    }
    return code;
}

/* ---- out ---- */

static void write_revocation(struct weir_json_out *out, const struct weir_db_rows *rows, size_t row)
{
    weir_json_open(out, NULL, '{');
    weir_json_str(out, "id", weir_db_text(rows, row, C_ID));
    weir_json_str(out, "tenant_id", weir_db_text(rows, row, C_TENANT));
    weir_json_str(out, "kind", weir_db_text(rows, row, C_KIND));
    weir_json_str(out, "object_id", weir_db_text(rows, row, C_OBJECT));
    weir_json_str(out, "reason", weir_db_text(rows, row, C_REASON));
    weir_json_str(out, "revoked_by", weir_db_text(rows, row, C_ACTOR));
    weir_json_str(out, "revoked_at", weir_db_text(rows, row, C_AT));
    weir_json_str(out, "expires_at", weir_db_text(rows, row, C_EXPIRES));
    weir_json_close(out, '}');
}

/* ---- create ---- */

enum { F_KIND, F_OBJECT, F_REASON, N_FIELDS };

static const char *const kinds[] = {"tenant", "camera", "subject", "session", "ticket", NULL};
static const struct api_field create_fields[N_FIELDS] = {
    [F_KIND] = {"/kind", API_ENUM, .names = kinds, .is_required = true},
    [F_OBJECT] = {"/object_id", API_ID, .is_required = true},
    [F_REASON] = {"/reason", API_STR, .min = 1, .max = 256, .is_nullable = true},
};

static enum weir_code read_body(struct api_call *call, struct api_revocation *ret)
{
    struct api_value values[N_FIELDS];
    enum weir_code code = api_call_body(call, create_fields, N_FIELDS, values);
    if (code != WEIR_OK) {
        return code;
    }
    if (weir_id_is_nil(&values[F_OBJECT].id)) {
        return api_call_refuse(call, 422, "unknown_value", "/object_id",
                               "/object_id names nothing: it is all zeros");
    }
    ret->object_id = values[F_OBJECT].id;
    ret->reason = values[F_REASON].str;
    if (!revocations_kind_get(values[F_KIND].str, &ret->kind)) {
        return weir_fail(&call->err, WEIR_EINTERNAL, "a kind without a name");
    }
    ret->is_final = ret->kind == WEIR_EV_CONFIG_REVOCATION_KIND_SESSION ||
                    ret->kind == WEIR_EV_CONFIG_REVOCATION_KIND_TICKET;
    return WEIR_OK;
}

/* A tenant is revoked by the platform, what is in one by its administrators. */
static enum weir_code check_right(struct api_call *call, const struct api_revocation *what)
{
    bool is_tenant = what->kind == WEIR_EV_CONFIG_REVOCATION_KIND_TENANT;
    bool is_admin = call->who.has_tenant && call->who.role >= WEIR_ROLE_ADMIN;
    if (is_tenant ? call->who.is_platform : is_admin) {
        return WEIR_OK;
    }
    if (call->who.has_tenant) {
        api_call_note(call, "revocation.create", revocations_kind_name(what->kind),
                      &what->object_id, WEIR_EV_AUDIT_ACCESS_OUTCOME_DENIED, NULL);
    }
    return api_call_refuse(call, 403, "forbidden", "/kind", "this token's role may not do that");
}

/* Whom it belongs to: a pseudonym is of this tenant by the way it is made. */
static enum weir_code check_object(struct api_call *call, struct weir_db_tx *tx,
                                   const struct api_revocation *what)
{
    const char *sql = "SELECT 1 FROM camera WHERE id = $1";
    const char *id = weir_arena_strdup(call->arena, WEIR_ID_TEXT(&what->object_id));
    struct weir_db_rows *rows = NULL;
    switch (what->kind) {
    case WEIR_EV_CONFIG_REVOCATION_KIND_SUBJECT:
    case WEIR_EV_CONFIG_REVOCATION_KIND_SESSION:
        return WEIR_OK;
    case WEIR_EV_CONFIG_REVOCATION_KIND_TICKET:
        return ticket_id_is_of(&what->object_id, &call->tenant_id) ? WEIR_OK
                                                                   : api_call_not_found(call);
    case WEIR_EV_CONFIG_REVOCATION_KIND_TENANT:
        sql = "SELECT 1 FROM tenant WHERE id = $1";
        break;
    case WEIR_EV_CONFIG_REVOCATION_KIND_GRANT: /* it is deleted instead, or its camera moved */
    case WEIR_EV_CONFIG_REVOCATION_KIND_MEMBERSHIP:
        return api_call_not_found(call);
    case WEIR_EV_CONFIG_REVOCATION_KIND_CAMERA:
        break;
    }
    enum weir_code code = weir_db_exec(tx, sql, &id, 1, call->arena, &rows, &call->err);
    return code == WEIR_OK && weir_db_count(rows) == 0 ? api_call_not_found(call) : code;
}

/* After api_revoke its lock makes the count exact. */
enum weir_code api_revoke_check_quota(struct api_call *call, struct weir_db_tx *tx,
                                      const struct weir_id *tenant_id)
{
    const char *tenant = weir_arena_strdup(call->arena, WEIR_ID_TEXT(tenant_id));
    int64_t most = call->api->settings->revocations_max;
    struct weir_db_rows *rows = NULL;
    enum weir_code code = weir_db_exec(tx,
                                       "SELECT count(*) FROM revocation WHERE tenant_id = $1"
                                       " AND expires_at > now()",
                                       &tenant, 1, call->arena, &rows, &call->err);
    if (code == WEIR_OK && weir_db_int(rows, 0, 0) > most) {
        weir_http_add_header(call->res, "Retry-After", FULL_RETRY_S);
        return api_call_refuse(call, 429, "quota_exceeded", NULL,
                               "the tenant's limit is %" PRId64 " revocations that still count",
                               most);
    }
    return code;
}

static enum weir_code begin(struct api_call *call, bool is_platform, struct weir_db_tx **tx)
{
    enum weir_code code =
        weir_db_begin(call->api->db, is_platform ? NULL : &call->tenant_id, tx, &call->err);
    return code == WEIR_OK && is_platform
               ? weir_db_exec(*tx, "SELECT set_config('app.platform', 'on', true)", NULL, 0,
                              call->arena, NULL, &call->err)
               : code;
}

static void answer_created(struct api_call *call, const struct api_revocation *what,
                           const struct weir_id *tenant_id, const struct weir_db_rows *rows)
{
    struct weir_json_out out = {0};
    write_revocation(&out, rows, 0);
    api_call_json(call, 201, &out);
    call->tenant_id = *tenant_id; /* the audit of the tenant that it is about */
    api_call_note(call, "revocation.create", revocations_kind_name(what->kind), &what->object_id,
                  WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED,
                  weir_arena_printf(call->arena, "revocation %s", weir_db_text(rows, 0, C_ID)));
}

static enum weir_code create(struct api_call *call)
{
    struct api_revocation what = {0};
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    enum weir_code code = read_body(call, &what);
    if (code == WEIR_OK) {
        code = check_right(call, &what);
    }
    bool is_platform = what.kind == WEIR_EV_CONFIG_REVOCATION_KIND_TENANT;
    struct weir_id tenant_id = is_platform ? what.object_id : call->tenant_id;
    if (code == WEIR_OK) {
        code = begin(call, is_platform, &tx);
    }
    if (code == WEIR_OK) {
        code = check_object(call, tx, &what);
    }
    if (code == WEIR_OK) {
        code = api_revoke(call, tx, &tenant_id, &what, &rows);
    }
    if (code == WEIR_OK) {
        code = api_revoke_check_quota(call, tx, &tenant_id);
    }
    if (code == WEIR_OK) {
        code = weir_db_commit(&tx, &call->err);
    }
    if (code == WEIR_OK) {
        answer_created(call, &what, &tenant_id, rows);
    }
    return code;
}

/* ---- list ---- */

static enum weir_code list(struct api_call *call)
{
    struct api_page page;
    struct weir_id after = {{0}};
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    enum weir_code code = api_call_page(call, NULL, &page);
    if (code == WEIR_OK && page.after &&
        weir_id_parse(page.after, strlen(page.after), &after, NULL) != WEIR_OK) {
        code = api_call_refuse(call, 422, "bad_cursor", NULL, "cursor is not one we gave");
    }
    if (code == WEIR_OK) {
        code = begin(call, call->who.is_platform, &tx);
    }
    if (code == WEIR_OK) {
        char after_text[WEIR_ID_TEXT_MAX];
        const char *params[] = {weir_id_format(&after, after_text),
                                weir_arena_printf(call->arena, "%" PRId64, page.limit + 1)};
        code = weir_db_exec(tx,
                            "SELECT " COLUMNS " FROM revocation WHERE id > $1 AND"
                            " expires_at > now() ORDER BY id LIMIT $2",
                            params, 2, call->arena, &rows, &call->err);
    }
    if (code != WEIR_OK) {
        return code;
    }
    size_t found = weir_db_count(rows);
    size_t n = found > (size_t)page.limit ? (size_t)page.limit : found;
    struct weir_json_out out = {0};
    weir_json_open(&out, NULL, '{');
    weir_json_open(&out, "items", '[');
    for (size_t i = 0; i < n; i++) {
        write_revocation(&out, rows, i);
    }
    weir_json_close(&out, ']');
    weir_json_str(&out, "next_cursor",
                  found > n ? api_cursor(call->arena, weir_db_text(rows, n - 1, C_ID)) : NULL);
    weir_json_close(&out, '}');
    api_call_json(call, 200, &out);
    return WEIR_OK;
}

void api_revocations_list(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN_OR_PLATFORM, list);
}

void api_revocations_create(void *ctx, struct weir_http_request *req,
                            struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN_OR_PLATFORM, create);
}
