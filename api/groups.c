/* SPDX-License-Identifier: Apache-2.0 */
#include "api/groups.h"

#include <inttypes.h>
#include <string.h>

#include "api/list.h"
#include "api/once.h"
#include "api/revoke.h"
#include "api/ticket_ids.h"
#include "lib/base/clock.h"

#define COLUMNS                                                                                    \
    "id, name, version, "                                                                          \
    "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), "                \
    "to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

enum { C_ID, C_NAME, C_VERSION, C_CREATED, C_UPDATED };
enum { M_CAMERA, M_NAME, M_ADDED };
enum { F_NAME, N_FIELDS };

static const struct api_field create_fields[N_FIELDS] = {
    [F_NAME] = {"/name", API_STR, .min = 1, .max = 128, .is_required = true}};
static const struct api_field patch_fields[N_FIELDS] = {
    [F_NAME] = {"/name", API_STR, .min = 1, .max = 128}};

/* ---- out ---- */

static void write_group(struct weir_json_out *out, const struct weir_db_rows *rows, size_t row)
{
    weir_json_open(out, NULL, '{');
    weir_json_str(out, "id", weir_db_text(rows, row, C_ID));
    weir_json_str(out, "name", weir_db_text(rows, row, C_NAME));
    weir_json_int(out, "version", weir_db_int(rows, row, C_VERSION));
    weir_json_str(out, "created_at", weir_db_text(rows, row, C_CREATED));
    weir_json_str(out, "updated_at", weir_db_text(rows, row, C_UPDATED));
    weir_json_close(out, '}');
}

static void write_member(struct weir_json_out *out, const struct weir_db_rows *rows, size_t row)
{
    weir_json_open(out, NULL, '{');
    weir_json_str(out, "camera_id", weir_db_text(rows, row, M_CAMERA));
    weir_json_str(out, "name", weir_db_text(rows, row, M_NAME));
    weir_json_str(out, "added_at", weir_db_text(rows, row, M_ADDED));
    weir_json_close(out, '}');
}

static void answer(struct api_call *call, int status, const struct weir_db_rows *rows)
{
    struct weir_json_out out = {0};
    write_group(&out, rows, 0);
    api_call_set_etag(call, weir_db_int(rows, 0, C_VERSION));
    api_call_json(call, status, &out);
}

static void set_location(struct api_call *call, const char *id_text)
{
    weir_http_add_header(call->res, "Location",
                         weir_arena_printf(call->arena, "/v1/groups/%s", id_text));
}

static void note(struct api_call *call, const char *action, const struct weir_id *group_id,
                 const char *detail)
{
    api_call_note(call, action, "group", group_id, WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED, detail);
}

/* ---- finding ---- */

static enum weir_code begin(struct api_call *call, struct weir_db_tx **tx)
{
    return weir_db_begin(call->api->db, &call->tenant_id, tx, &call->err);
}

enum lock { LOCK_NONE, LOCK_FOR_CHANGE };

/* Begins a transaction and finds the group of the path. Locked for change, no grant and no camera
 * comes to it beside. */
static enum weir_code open_group(struct api_call *call, enum lock lock, struct weir_db_tx **tx,
                                 struct weir_id *ret_id, struct weir_db_rows **ret)
{
    enum weir_code code = api_call_id(call, "group_id", ret_id);
    if (code == WEIR_OK) {
        code = begin(call, tx);
    }
    if (code == WEIR_OK) {
        const char *id = weir_arena_strdup(call->arena, WEIR_ID_TEXT(ret_id));
        const char *sql = lock == LOCK_FOR_CHANGE
                              ? "SELECT " COLUMNS " FROM camera_group WHERE id = $1 FOR UPDATE"
                              : "SELECT " COLUMNS " FROM camera_group WHERE id = $1";
        code = weir_db_exec(*tx, sql, &id, 1, call->arena, ret, &call->err);
    }
    return code == WEIR_OK && weir_db_count(*ret) == 0 ? api_call_not_found(call) : code;
}

/* ---- create ---- */

static enum weir_code check_quota(struct api_call *call, struct weir_db_tx *tx)
{
    struct weir_db_rows *rows = NULL;
    int64_t most = call->api->settings->groups_max;
    enum weir_code code = weir_db_exec(
        tx, "SELECT (SELECT count(*) FROM tenant), (SELECT count(*) FROM camera_group)", NULL, 0,
        call->arena, &rows, &call->err);
    if (code == WEIR_OK && weir_db_int(rows, 0, 0) == 0) {
        return api_call_refuse(call, 403, "unknown_tenant", NULL,
                               "the token's tenant does not exist here");
    }
    if (code == WEIR_OK && weir_db_int(rows, 0, 1) >= most) {
        return api_call_refuse(call, 429, "quota_exceeded", NULL,
                               "the tenant's limit is %" PRId64 " groups", most);
    }
    return code;
}

/* What the key made before: as it is now, or that it is gone. */
static enum weir_code answer_earlier(struct api_call *call, struct weir_db_tx *tx, const char *id)
{
    struct weir_db_rows *rows = NULL;
    enum weir_code code = weir_db_exec(tx, "SELECT " COLUMNS " FROM camera_group WHERE id = $1",
                                       &id, 1, call->arena, &rows, &call->err);
    if (code == WEIR_OK && weir_db_count(rows) == 0) {
        return api_call_refuse(call, 410, "group_deleted", NULL,
                               "the group that this Idempotency-Key made was deleted");
    }
    if (code == WEIR_OK) {
        set_location(call, id);
        answer(call, 201, rows);
    }
    return code;
}

static enum weir_code insert(struct api_call *call, struct weir_db_tx *tx, const char *id_text,
                             const char *name, struct weir_db_rows **ret)
{
    const char *params[] = {id_text, weir_arena_strdup(call->arena, WEIR_ID_TEXT(&call->tenant_id)),
                            name};
    return weir_db_exec(
        tx, "INSERT INTO camera_group (id, tenant_id, name) VALUES ($1, $2, $3) RETURNING " COLUMNS,
        params, 3, call->arena, ret, &call->err);
}

static enum weir_code create(struct api_call *call)
{
    struct api_value values[N_FIELDS];
    struct api_once once = {0};
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    enum weir_code code = api_call_body(call, create_fields, N_FIELDS, values);
    if (code == WEIR_OK) {
        code = api_once_begin(call, &tx, &once);
    }
    if (code == WEIR_OK && once.earlier) {
        return answer_earlier(call, tx, once.earlier);
    }
    if (code == WEIR_OK) {
        code = check_quota(call, tx);
    }
    struct weir_id id = weir_id_new(weir_clock_wall_ms());
    const char *id_text = weir_arena_strdup(call->arena, WEIR_ID_TEXT(&id));
    if (code == WEIR_OK) {
        code = insert(call, tx, id_text, values[F_NAME].str, &rows);
    }
    if (code == WEIR_OK) {
        code = api_once_commit(call, &tx, &once, id_text);
    }
    if (code == WEIR_OK) {
        set_location(call, id_text);
        answer(call, 201, rows);
        note(call, "group.create", &id, NULL);
    }
    return code;
}

/* ---- get, patch, delete, list ---- */

static enum weir_code get(struct api_call *call)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    struct weir_id id;
    enum weir_code code = open_group(call, LOCK_NONE, &tx, &id, &rows);
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

static enum weir_code patch(struct api_call *call)
{
    struct api_value values[N_FIELDS];
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    struct weir_id id;
    enum weir_code code = api_call_body(call, patch_fields, N_FIELDS, values);
    if (code == WEIR_OK) {
        code = open_group(call, LOCK_FOR_CHANGE, &tx, &id, &rows);
    }
    if (code == WEIR_OK) {
        code = api_call_if_match(call, weir_db_int(rows, 0, C_VERSION));
    }
    if (code == WEIR_OK) {
        const char *params[] = {weir_db_text(rows, 0, C_ID), values[F_NAME].str};
        code = weir_db_exec(tx,
                            "UPDATE camera_group SET name = coalesce($2, name), "
                            "version = version + 1, updated_at = now() WHERE id = $1 "
                            "RETURNING " COLUMNS,
                            params, 2, call->arena, &rows, &call->err);
    }
    if (code == WEIR_OK) {
        code = weir_db_commit(&tx, &call->err);
    }
    if (code == WEIR_OK) {
        answer(call, 200, rows);
        note(call, "group.change", &id, NULL);
    }
    return code;
}

/* Every ticket by one of the group's grants ends. */
static enum weir_code revoke_grants(struct api_call *call, struct weir_db_tx *tx,
                                    const struct weir_db_rows *grants)
{
    enum weir_code code = WEIR_OK;
    for (size_t row = 0; code == WEIR_OK && row < weir_db_count(grants); row++) {
        struct api_revocation gone = {.kind = WEIR_EV_CONFIG_REVOCATION_KIND_GRANT,
                                      .is_final = true,
                                      .reason = "group deleted"};
        const char *text = weir_db_text(grants, row, 0);
        code = weir_id_parse(text, strlen(text), &gone.object_id, &call->err);
        if (code == WEIR_OK) {
            code = api_revoke(call, tx, &call->tenant_id, &gone, NULL);
        }
    }
    return code;
}

static void note_grants(struct api_call *call, const struct weir_id *group_id,
                        const struct weir_db_rows *grants)
{
    const char *detail =
        weir_arena_printf(call->arena, "with its group %s", WEIR_ID_TEXT(group_id));
    for (size_t row = 0; row < weir_db_count(grants); row++) {
        struct weir_id id;
        const char *text = weir_db_text(grants, row, 0);
        if (weir_id_parse(text, strlen(text), &id, NULL) == WEIR_OK) {
            api_call_note(call, "grant.delete", "grant", &id, WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED,
                          detail);
        }
    }
}

static enum weir_code remove_row(struct api_call *call)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    struct weir_db_rows *grants = NULL;
    struct weir_id id;
    enum weir_code code = open_group(call, LOCK_FOR_CHANGE, &tx, &id, &rows);
    if (code == WEIR_OK) {
        code = api_call_if_match(call, weir_db_int(rows, 0, C_VERSION));
    }
    if (code != WEIR_OK) {
        return code;
    }
    const char *id_text = weir_db_text(rows, 0, C_ID);
    code = weir_db_exec(tx, "DELETE FROM camera_grant WHERE group_id = $1 RETURNING id", &id_text,
                        1, call->arena, &grants, &call->err);
    if (code == WEIR_OK) {
        code = weir_db_exec(tx, "DELETE FROM camera_group WHERE id = $1", &id_text, 1, call->arena,
                            NULL, &call->err);
    }
    if (code == WEIR_OK) {
        code = revoke_grants(call, tx, grants);
    }
    if (code == WEIR_OK) {
        code = weir_db_commit(&tx, &call->err);
    }
    if (code == WEIR_OK) {
        call->res->status = 204;
        note_grants(call, &id, grants);
        note(call, "group.delete", &id, NULL);
    }
    return code;
}

static enum weir_code list(struct api_call *call)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    struct api_list page;
    enum weir_code code = api_list_read(call, NULL, &page);
    if (code == WEIR_OK) {
        code = begin(call, &tx);
    }
    if (code == WEIR_OK) {
        const char *params[] = {page.after, page.limit_text};
        code = weir_db_exec(
            tx, "SELECT " COLUMNS " FROM camera_group WHERE id > $1 ORDER BY id LIMIT $2", params,
            2, call->arena, &rows, &call->err);
    }
    if (code == WEIR_OK) {
        api_list_answer(call, &page, rows, C_ID, write_group);
    }
    return code;
}

/* ---- cameras ---- */

/* The group and the camera of the path, by their ids as text. */
struct place {
    struct weir_id group_id, camera_id;
    const char *group, *camera;
    bool is_member;
    int64_t n_members; /* of the group */
};

static enum weir_code open_place(struct api_call *call, struct weir_db_tx **tx, struct place *ret)
{
    struct weir_db_rows *rows = NULL;
    enum weir_code code = api_call_id(call, "group_id", &ret->group_id);
    if (code == WEIR_OK) {
        code = api_call_id(call, "camera_id", &ret->camera_id);
    }
    if (code == WEIR_OK) {
        code = begin(call, tx);
    }
    if (code == WEIR_OK) {
        code = api_once_lock(call, *tx);
    }
    if (code != WEIR_OK) {
        return code;
    }
    ret->group = weir_arena_strdup(call->arena, WEIR_ID_TEXT(&ret->group_id));
    ret->camera = weir_arena_strdup(call->arena, WEIR_ID_TEXT(&ret->camera_id));
    const char *params[] = {ret->group, ret->camera};
    code = weir_db_exec(
        *tx,
        "SELECT EXISTS (SELECT 1 FROM camera_group WHERE id = $1)"
        " AND EXISTS (SELECT 1 FROM camera WHERE id = $2),"
        " EXISTS (SELECT 1 FROM camera_group_member WHERE group_id = $1 AND camera_id = $2),"
        " (SELECT count(*) FROM camera_group_member WHERE group_id = $1)",
        params, 2, call->arena, &rows, &call->err);
    if (code == WEIR_OK && !weir_db_bool(rows, 0, 0)) {
        return api_call_not_found(call);
    }
    if (code == WEIR_OK) {
        ret->is_member = weir_db_bool(rows, 0, 1);
        ret->n_members = weir_db_int(rows, 0, 2);
    }
    return code;
}

static void note_camera(struct api_call *call, const char *action, const struct place *place)
{
    note(call, action, &place->group_id,
         weir_arena_printf(call->arena, "camera %s", place->camera));
}

static enum weir_code add_member(struct api_call *call, struct weir_db_tx *tx,
                                 const struct place *place)
{
    int64_t most = call->api->settings->group_cameras_max;
    if (place->n_members >= most) {
        return api_call_refuse(call, 429, "quota_exceeded", NULL,
                               "a group's limit is %" PRId64 " cameras", most);
    }
    const char *params[] = {weir_arena_strdup(call->arena, WEIR_ID_TEXT(&call->tenant_id)),
                            place->group, place->camera};
    enum weir_code code = api_revoke_check_quota(call, tx, &call->tenant_id);
    if (code == WEIR_OK) {
        code = weir_db_exec(tx,
                            "INSERT INTO camera_group_member (tenant_id, group_id, camera_id)"
                            " VALUES ($1, $2, $3)",
                            params, 3, call->arena, NULL, &call->err);
    }
    /* One of the two was deleted beside. */
    return code == WEIR_ESEMANTIC ? api_call_not_found(call) : code;
}

static enum weir_code add_camera(struct api_call *call)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct place place;
    enum weir_code code = open_place(call, &tx, &place);
    if (code == WEIR_OK && !place.is_member) {
        code = add_member(call, tx, &place);
        code = code == WEIR_OK ? weir_db_commit(&tx, &call->err) : code;
    }
    if (code == WEIR_OK) {
        call->res->status = 204;
    }
    if (code == WEIR_OK && !place.is_member) {
        note_camera(call, "group.camera.add", &place);
    }
    return code;
}

/* Tickets for the camera by one of the group's grants end; it may come again. */
static enum weir_code remove_member(struct api_call *call, struct weir_db_tx *tx,
                                    const struct place *place)
{
    const char *params[] = {place->group, place->camera};
    struct api_revocation out = {.kind = WEIR_EV_CONFIG_REVOCATION_KIND_MEMBERSHIP,
                                 .object_id =
                                     ticket_membership_id(&place->group_id, &place->camera_id),
                                 .reason = "camera left the group"};
    enum weir_code code =
        weir_db_exec(tx, "DELETE FROM camera_group_member WHERE group_id = $1 AND camera_id = $2",
                     params, 2, call->arena, NULL, &call->err);
    return code == WEIR_OK ? api_revoke(call, tx, &call->tenant_id, &out, NULL) : code;
}

static enum weir_code remove_camera(struct api_call *call)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct place place;
    enum weir_code code = open_place(call, &tx, &place);
    if (code == WEIR_OK && place.is_member) {
        code = remove_member(call, tx, &place);
        code = code == WEIR_OK ? weir_db_commit(&tx, &call->err) : code;
    }
    if (code == WEIR_OK) {
        call->res->status = 204;
    }
    if (code == WEIR_OK && place.is_member) {
        note_camera(call, "group.camera.remove", &place);
    }
    return code;
}

static enum weir_code list_cameras(struct api_call *call)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    struct weir_id id;
    struct api_list page;
    enum weir_code code = api_list_read(call, NULL, &page);
    if (code == WEIR_OK) {
        code = open_group(call, LOCK_NONE, &tx, &id, &rows);
    }
    if (code == WEIR_OK) {
        const char *params[] = {weir_db_text(rows, 0, C_ID), page.after, page.limit_text};
        code = weir_db_exec(tx,
                            "SELECT m.camera_id, c.name, to_char(m.added_at AT TIME ZONE 'UTC',"
                            " 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM camera_group_member m"
                            " JOIN camera c ON c.id = m.camera_id WHERE m.group_id = $1"
                            " AND m.camera_id > $2 ORDER BY m.camera_id LIMIT $3",
                            params, 3, call->arena, &rows, &call->err);
    }
    if (code == WEIR_OK) {
        api_list_answer(call, &page, rows, M_CAMERA, write_member);
    }
    return code;
}

void api_groups_list(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, list);
}

void api_groups_create(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, create);
}

void api_groups_get(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, get);
}

void api_groups_patch(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, patch);
}

void api_groups_delete(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, remove_row);
}

void api_groups_list_cameras(void *ctx, struct weir_http_request *req,
                             struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, list_cameras);
}

void api_groups_add_camera(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, add_camera);
}

void api_groups_remove_camera(void *ctx, struct weir_http_request *req,
                              struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, remove_camera);
}
