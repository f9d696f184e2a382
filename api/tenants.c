/* SPDX-License-Identifier: Apache-2.0 */
#include "api/tenants.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/call.h"
#include "api/ceilings.h"
#include "api/outbox.h"
#include "api/revoke.h"
#include "api/sources.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/domain/reach.h"

#define COLUMNS                                                                                    \
    "id, name, max_streams, max_cameras, idle_timeout_s, version, "                                \
    "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), "                \
    "to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), stopped, "       \
    "camera_networks, max_warm_cameras, audio, " CEILING_COLUMNS

enum {
    F_ID,
    F_NAME,
    F_MAX_STREAMS,
    F_MAX_CAMERAS,
    F_MAX_WARM,
    F_IDLE,
    F_STOPPED,
    F_NETWORKS,
    F_AUDIO,
    F_CEILINGS,
    N_FIELDS = F_CEILINGS + CEILINGS_N
};

enum {
    C_VERSION = 5,
    C_STOPPED = 8,
    C_NETWORKS = 9,
    C_MAX_WARM = 10,
    C_AUDIO = 11,
    C_CEILINGS = 12
};

/* Off first: what is made has no sound. */
static const char *const audio_names[] = {"off", "on", NULL};

#define COMMON_FIELDS                                                                              \
    [F_MAX_STREAMS] = {"/max_streams", API_INT, .max = 1000000},                                   \
    [F_MAX_CAMERAS] = {"/max_cameras", API_INT, .max = 1000000},                                   \
    [F_MAX_WARM] = {"/max_warm_cameras", API_INT, .max = 1000000},                                 \
    [F_IDLE] = {"/idle_timeout_s", API_INT, .min = 1, .max = 86400, .is_nullable = true},          \
    [F_NETWORKS] = {"/camera_networks", API_NETWORKS, .is_nullable = true},                        \
    [F_AUDIO] = {"/audio", API_ENUM, .names = audio_names}, CEILING_FIELDS(F_CEILINGS)

static const struct api_field create_fields[N_FIELDS] = {
    [F_ID] = {"/id", API_ID},
    [F_NAME] = {"/name", API_STR, .min = 1, .max = 128, .is_required = true},
    [F_STOPPED] = {"/stopped", API_BOOL}, /* refused below: it is made to be used */
    COMMON_FIELDS,
};
static const struct api_field patch_fields[N_FIELDS] = {
    [F_ID] = {"/id", API_ID}, /* refused below: it never changes */
    [F_NAME] = {"/name", API_STR, .min = 1, .max = 128},
    [F_STOPPED] = {"/stopped", API_BOOL},
    COMMON_FIELDS,
};

static enum weir_code begin(struct api_call *call, struct weir_db_tx **tx)
{
    enum weir_code code = weir_db_begin(call->api->db, NULL, tx, &call->err);
    return code == WEIR_OK ? weir_db_exec(*tx, "SELECT set_config('app.platform', 'on', true)",
                                          NULL, 0, call->arena, NULL, &call->err)
                           : code;
}

/* The row's text as an array; null where the default counts. */
static void write_networks(struct weir_json_out *out, const char *text)
{
    if (!text) {
        weir_json_null(out, "camera_networks");
        return;
    }
    weir_json_open(out, "camera_networks", '[');
    while (*text) {
        char entry[WEIR_CIDR_TEXT_MAX];
        size_t len = strcspn(text, " ");
        snprintf(entry, sizeof(entry), "%.*s", (int)len, text);
        weir_json_str(out, NULL, entry);
        text += len + (text[len] == ' ');
    }
    weir_json_close(out, ']');
}

static void write_tenant(struct weir_json_out *out, const struct weir_db_rows *rows, size_t row)
{
    weir_json_open(out, NULL, '{');
    weir_json_str(out, "id", weir_db_text(rows, row, 0));
    weir_json_str(out, "name", weir_db_text(rows, row, 1));
    weir_json_int(out, "max_streams", weir_db_int(rows, row, 2));
    weir_json_int(out, "max_cameras", weir_db_int(rows, row, 3));
    weir_json_int(out, "max_warm_cameras", weir_db_int(rows, row, C_MAX_WARM));
    weir_json_raw(out, "idle_timeout_s",
                  weir_db_text(rows, row, 4) ? weir_db_text(rows, row, 4) : "null");
    write_networks(out, weir_db_text(rows, row, C_NETWORKS));
    weir_json_str(out, "audio", weir_db_text(rows, row, C_AUDIO));
    struct ceiling_texts ceilings = ceilings_of_row(rows, row, C_CEILINGS);
    ceilings_write(&ceilings, out);
    weir_json_bool(out, "stopped", weir_db_bool(rows, row, C_STOPPED));
    weir_json_int(out, "version", weir_db_int(rows, row, C_VERSION));
    weir_json_str(out, "created_at", weir_db_text(rows, row, 6));
    weir_json_str(out, "updated_at", weir_db_text(rows, row, 7));
    weir_json_close(out, '}');
}

static void answer(struct api_call *call, int status, const struct weir_db_rows *rows)
{
    struct weir_json_out out = {0};
    write_tenant(&out, rows, 0);
    api_call_set_etag(call, weir_db_int(rows, 0, C_VERSION));
    api_call_json(call, status, &out);
}

/* Puts the row's new state into the outbox. */
static enum weir_code publish(struct api_call *call, struct weir_db_tx *tx,
                              const struct weir_db_rows *rows, bool is_deleted)
{
    struct weir_event event = {.type = WEIR_EV_CONFIG_TENANT, .has_tenantid = true};
    struct weir_ev_config_tenant *tenant = &event.u.config_tenant;
    const char *id = weir_db_text(rows, 0, 0);
    enum weir_code code = weir_id_parse(id, strlen(id), &tenant->tenant_id, &call->err);
    if (code != WEIR_OK) {
        return code;
    }
    event.tenantid = tenant->tenant_id;
    WEIR_STR_SET(tenant->name, weir_db_text(rows, 0, 1));
    tenant->max_streams = weir_db_int(rows, 0, 2);
    tenant->max_cameras = weir_db_int(rows, 0, 3);
    tenant->has_idle_timeout_s = weir_db_text(rows, 0, 4) != NULL;
    tenant->idle_timeout_s = weir_db_int(rows, 0, 4);
    tenant->version = weir_db_int(rows, 0, C_VERSION) + is_deleted;
    tenant->deleted = is_deleted;
    tenant->has_stopped = weir_db_bool(rows, 0, C_STOPPED);
    tenant->stopped = tenant->has_stopped;
    tenant->has_camera_networks = weir_db_text(rows, 0, C_NETWORKS) != NULL;
    if (tenant->has_camera_networks) {
        WEIR_STR_SET(tenant->camera_networks, weir_db_text(rows, 0, C_NETWORKS));
    }
    return api_outbox_put(tx, &event, &tenant->tenant_id, &tenant->tenant_id, API_OUTBOX_EVERY_CELL,
                          call->arena, &call->err);
}

/* Every ticket of the tenant ends. */
static enum weir_code revoke(struct api_call *call, struct weir_db_tx *tx, const char *id,
                             bool is_final, const char *reason)
{
    struct api_revocation what = {
        .kind = WEIR_EV_CONFIG_REVOCATION_KIND_TENANT, .is_final = is_final, .reason = reason};
    enum weir_code code = weir_id_parse(id, strlen(id), &what.object_id, &call->err);
    return code == WEIR_OK ? api_revoke(call, tx, &what.object_id, &what, NULL) : code;
}

/* Runs the statement that changes one row, publishes it, commits and answers. */
static enum weir_code change(struct api_call *call, struct weir_db_tx **tx, const char *sql,
                             const char *const *params, size_t n, int status, const char *action)
{
    struct weir_db_rows *rows = NULL;
    enum weir_code code = weir_db_exec(*tx, sql, params, n, call->arena, &rows, &call->err);
    if (code == WEIR_ECONFLICT) {
        return api_call_refuse(call, 409, "already_exists", "/id", "a tenant has this id already");
    }
    if (code == WEIR_OK && weir_db_count(rows) == 0) {
        return api_call_not_found(call);
    }
    if (code == WEIR_OK) {
        code = publish(call, *tx, rows, false);
    }
    if (code == WEIR_OK && weir_db_bool(rows, 0, C_STOPPED)) {
        code = revoke(call, *tx, weir_db_text(rows, 0, 0), false, "tenant stopped");
    }
    if (code == WEIR_OK) {
        code = weir_db_commit(tx, &call->err);
    }
    if (code == WEIR_OK) {
        struct weir_id id;
        const char *text = weir_db_text(rows, 0, 0);
        answer(call, status, rows);
        if (weir_id_parse(text, strlen(text), &id, NULL) == WEIR_OK) {
            api_sources_tenant_changed(call->api, &id, weir_db_int(rows, 0, C_VERSION), true);
            call->tenant_id = id; /* the audit of the tenant that it is about */
            api_call_note(call, action, "tenant", &id, WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED, NULL);
        }
    }
    return code;
}

/* Text of a number that may be absent; the default when it was not given. */
static const char *number_text(struct weir_arena *arena, const struct api_value *value,
                               int64_t otherwise)
{
    return weir_arena_printf(arena, "%" PRId64, value->is_given ? value->integer : otherwise);
}

/* What the row keeps of a list; NULL when it was not given, or as null. */
static const char *networks_text(struct weir_arena *arena, const struct api_value *value)
{
    struct weir_networks networks = {0};
    char text[WEIR_NETWORKS_TEXT_MAX];
    if (!value->is_given || value->is_null) {
        return NULL;
    }
    for (size_t i = 0; i < value->json->n; i++) {
        WEIR_IGNORE(weir_networks_add(&networks, value->json->items[i].str, NULL),
                    "judged when it was read");
    }
    return weir_arena_strdup(arena, weir_networks_format(&networks, text));
}

static enum weir_code create(struct api_call *call)
{
    struct api_value values[N_FIELDS];
    enum weir_code code = api_call_body(call, create_fields, N_FIELDS, values);
    if (code == WEIR_OK && values[F_STOPPED].is_given) {
        code = api_call_refuse(call, 422, "unknown_field", "/stopped",
                               "/stopped is for a tenant that is there");
    }
    if (code != WEIR_OK) {
        return code;
    }
    const struct api_settings *settings = call->api->settings;
    struct weir_id id = values[F_ID].is_given ? values[F_ID].id : weir_id_new(weir_clock_wall_ms());
    const char *id_text = weir_arena_strdup(call->arena, WEIR_ID_TEXT(&id));
    struct ceiling_texts ceilings = {{NULL}};
    ceilings_overlay(&values[F_CEILINGS], call->arena, &ceilings);
    const char *params[] = {
        id_text,
        values[F_NAME].str,
        number_text(call->arena, &values[F_MAX_STREAMS], settings->default_max_streams),
        number_text(call->arena, &values[F_MAX_CAMERAS], settings->default_max_cameras),
        values[F_IDLE].is_given && !values[F_IDLE].is_null
            ? number_text(call->arena, &values[F_IDLE], 0)
            : NULL,
        networks_text(call->arena, &values[F_NETWORKS]),
        number_text(call->arena, &values[F_MAX_WARM], settings->default_max_warm_cameras),
        ceilings.text[CEILING_QUALITY],
        ceilings.text[CEILING_FPS],
        ceilings.text[CEILING_MAX_QUALITY],
        ceilings.text[CEILING_MAX_FPS],
        values[F_AUDIO].is_given ? values[F_AUDIO].str : audio_names[0],
    };
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    code = begin(call, &tx);
    if (code != WEIR_OK) {
        return code;
    }
    weir_http_add_header(call->res, "Location",
                         weir_arena_printf(call->arena, "/v1/tenants/%s", id_text));
    return change(
        call, &tx,
        "INSERT INTO tenant (id, name, max_streams, max_cameras, idle_timeout_s, "
        "camera_networks, max_warm_cameras, " CEILING_COLUMNS
        ", audio) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING " COLUMNS,
        params, sizeof(params) / sizeof(params[0]), 201, "tenant.create");
}

enum lock { LOCK_NONE, LOCK_FOR_CHANGE };

static enum weir_code find(struct api_call *call, struct weir_db_tx *tx, enum lock lock,
                           struct weir_db_rows **ret, const char **ret_id)
{
    struct weir_id id;
    enum weir_code code = api_call_id(call, "tenant_id", &id);
    if (code != WEIR_OK) {
        return code;
    }
    *ret_id = weir_arena_strdup(call->arena, WEIR_ID_TEXT(&id));
    const char *sql = lock == LOCK_FOR_CHANGE ? "SELECT " COLUMNS
                                                " FROM tenant WHERE id = $1 FOR UPDATE"
                                              : "SELECT " COLUMNS " FROM tenant WHERE id = $1";
    code = weir_db_exec(tx, sql, ret_id, 1, call->arena, ret, &call->err);
    return code == WEIR_OK && weir_db_count(*ret) == 0 ? api_call_not_found(call) : code;
}

static enum weir_code get(struct api_call *call)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    const char *id;
    enum weir_code code = begin(call, &tx);
    if (code == WEIR_OK) {
        code = find(call, tx, LOCK_NONE, &rows, &id);
    }
    if (code == WEIR_OK) {
        answer(call, 200, rows);
    }
    return code;
}

static enum weir_code patch(struct api_call *call)
{
    struct api_value values[N_FIELDS];
    enum weir_code code = api_call_body(call, patch_fields, N_FIELDS, values);
    if (code == WEIR_OK && values[F_ID].is_given) {
        code = api_call_refuse(call, 422, "unknown_field", "/id", "/id never changes");
    }
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    const char *id = NULL;
    if (code == WEIR_OK) {
        code = begin(call, &tx);
    }
    if (code == WEIR_OK) {
        code = find(call, tx, LOCK_FOR_CHANGE, &rows, &id);
    }
    if (code == WEIR_OK) {
        code = api_call_if_match(call, weir_db_int(rows, 0, C_VERSION));
    }
    if (code != WEIR_OK) {
        return code;
    }
    const char *idle =
        values[F_IDLE].is_given
            ? (values[F_IDLE].is_null ? NULL : number_text(call->arena, &values[F_IDLE], 0))
            : weir_db_text(rows, 0, 4);
    struct ceiling_texts ceilings = ceilings_of_row(rows, 0, C_CEILINGS);
    ceilings_overlay(&values[F_CEILINGS], call->arena, &ceilings);
    const char *params[] = {
        id,
        values[F_NAME].is_given ? values[F_NAME].str : weir_db_text(rows, 0, 1),
        number_text(call->arena, &values[F_MAX_STREAMS], weir_db_int(rows, 0, 2)),
        number_text(call->arena, &values[F_MAX_CAMERAS], weir_db_int(rows, 0, 3)),
        idle,
        (values[F_STOPPED].is_given ? values[F_STOPPED].boolean : weir_db_bool(rows, 0, C_STOPPED))
            ? "true"
            : "false",
        values[F_NETWORKS].is_given ? networks_text(call->arena, &values[F_NETWORKS])
                                    : weir_db_text(rows, 0, C_NETWORKS),
        number_text(call->arena, &values[F_MAX_WARM], weir_db_int(rows, 0, C_MAX_WARM)),
        ceilings.text[CEILING_QUALITY],
        ceilings.text[CEILING_FPS],
        ceilings.text[CEILING_MAX_QUALITY],
        ceilings.text[CEILING_MAX_FPS],
        values[F_AUDIO].is_given ? values[F_AUDIO].str : weir_db_text(rows, 0, C_AUDIO),
    };
    return change(
        call, &tx,
        "UPDATE tenant SET name = $2, max_streams = $3, max_cameras = $4, "
        "idle_timeout_s = $5, stopped = $6, camera_networks = $7, max_warm_cameras = $8, "
        "default_quality = $9, default_fps = $10, max_quality = $11, max_fps = $12, audio = $13, "
        "version = version + 1, updated_at = now() WHERE id = $1 RETURNING " COLUMNS,
        params, sizeof(params) / sizeof(params[0]), 200, "tenant.update");
}

/* Each of its cameras is told to be gone, too: the topic keeps what it knows of them for ever. */
static enum weir_code remove_cameras(struct api_call *call, struct weir_db_tx *tx, const char *id,
                                     const struct weir_id *tenant_id)
{
    struct weir_db_rows *rows = NULL;
    enum weir_code code = weir_db_exec(tx, "SELECT set_config('app.tenant_id', $1, true)", &id, 1,
                                       call->arena, NULL, &call->err);
    if (code == WEIR_OK) {
        code = weir_db_exec(tx, "DELETE FROM camera WHERE tenant_id = $1 RETURNING id, version",
                            &id, 1, call->arena, &rows, &call->err);
    }
    for (size_t i = 0; code == WEIR_OK && i < weir_db_count(rows); i++) {
        struct weir_event event = {.type = WEIR_EV_CONFIG_CAMERA};
        struct weir_ev_config_camera *camera = &event.u.config_camera;
        const char *camera_id = weir_db_text(rows, i, 0);
        camera->tenant_id = *tenant_id;
        camera->version = weir_db_int(rows, i, 1) + 1;
        camera->deleted = true;
        camera->max_leases = 1;
        code = weir_id_parse(camera_id, strlen(camera_id), &camera->camera_id, &call->err);
        if (code == WEIR_OK) {
            code = api_outbox_put(tx, &event, tenant_id, &camera->camera_id,
                                  (int32_t)call->api->settings->cell, call->arena, &call->err);
        }
    }
    return code;
}

static enum weir_code remove_row(struct api_call *call)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    const char *id = NULL;
    struct weir_id tenant_id = {{0}};
    enum weir_code code = begin(call, &tx);
    if (code == WEIR_OK) {
        code = find(call, tx, LOCK_FOR_CHANGE, &rows, &id);
    }
    if (code == WEIR_OK) {
        code = api_call_if_match(call, weir_db_int(rows, 0, C_VERSION));
    }
    if (code == WEIR_OK) {
        code = api_call_id(call, "tenant_id", &tenant_id);
    }
    if (code == WEIR_OK) {
        code = remove_cameras(call, tx, id, &tenant_id);
    }
    if (code == WEIR_OK) {
        code = weir_db_exec(tx, "DELETE FROM tenant WHERE id = $1", &id, 1, call->arena, NULL,
                            &call->err);
    }
    if (code == WEIR_OK) {
        code = publish(call, tx, rows, true);
    }
    if (code == WEIR_OK) {
        code = revoke(call, tx, id, true, "tenant deleted");
    }
    if (code == WEIR_OK) {
        code = weir_db_commit(&tx, &call->err);
    }
    if (code == WEIR_OK) {
        api_sources_tenant_changed(call->api, &tenant_id, weir_db_int(rows, 0, C_VERSION) + 1,
                                   true);
        call->res->status = 204;
        call->tenant_id = tenant_id; /* the audit of the tenant that it is about */
        api_call_note(call, "tenant.delete", "tenant", &tenant_id,
                      WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED, NULL);
    }
    return code;
}

static enum weir_code list(struct api_call *call)
{
    struct api_page page;
    enum weir_code code = api_call_page(call, NULL, &page);
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    struct weir_id after = {{0}};
    if (code == WEIR_OK && page.after &&
        weir_id_parse(page.after, strlen(page.after), &after, NULL) != WEIR_OK) {
        code = api_call_refuse(call, 422, "bad_cursor", NULL, "cursor is not one we gave");
    }
    if (code == WEIR_OK) {
        code = begin(call, &tx);
    }
    char after_text[WEIR_ID_TEXT_MAX];
    const char *params[] = {weir_id_format(&after, after_text),
                            weir_arena_printf(call->arena, "%" PRId64, page.limit + 1)};
    if (code == WEIR_OK) {
        code = weir_db_exec(tx, "SELECT " COLUMNS " FROM tenant WHERE id > $1 ORDER BY id LIMIT $2",
                            params, 2, call->arena, &rows, &call->err);
    }
    if (code != WEIR_OK) {
        return code;
    }
    size_t n = weir_db_count(rows) > (size_t)page.limit ? (size_t)page.limit : weir_db_count(rows);
    struct weir_json_out out = {0};
    weir_json_open(&out, NULL, '{');
    weir_json_open(&out, "items", '[');
    for (size_t i = 0; i < n; i++) {
        write_tenant(&out, rows, i);
    }
    weir_json_close(&out, ']');
    weir_json_str(&out, "next_cursor",
                  weir_db_count(rows) > n ? api_cursor(call->arena, weir_db_text(rows, n - 1, 0))
                                          : NULL);
    weir_json_close(&out, '}');
    api_call_json(call, 200, &out);
    return WEIR_OK;
}

void api_tenants_list(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_PLATFORM, list);
}

void api_tenants_create(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_PLATFORM, create);
}

void api_tenants_get(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_PLATFORM, get);
}

void api_tenants_patch(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_PLATFORM, patch);
}

void api_tenants_delete(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_PLATFORM, remove_row);
}
