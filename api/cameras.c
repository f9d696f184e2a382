/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cameras.h"

#include <inttypes.h>
#include <string.h>

#include "api/call.h"
#include "api/camera_live.h"
#include "api/camera_sources.h"
#include "api/camera_warm.h"
#include "api/ceilings.h"
#include "api/once.h"
#include "api/outbox.h"
#include "api/revoke.h"
#include "api/rights.h"
#include "api/sources.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define COLUMNS                                                                                    \
    "id, name, url, transport, has_credentials, labels::text, idle_timeout_s, warm, exclusive, "   \
    "version, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), "       \
    "to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), host, "          \
    "convert_from(sealed, 'UTF8'), source_version, sources::text, encoder_delay_ms, "              \
    "tls_pin_sha256, muted, " CAMERA_WARM_LABEL_SQL ", " CEILING_COLUMNS

/* By whom $2 names. */
#define SEEN API_RIGHTS_SQL_SEES("$2")

enum {
    C_ID,
    C_NAME,
    C_URL,
    C_TRANSPORT,
    C_HAS_CREDENTIALS,
    C_LABELS,
    C_IDLE,
    C_WARM,
    C_EXCLUSIVE,
    C_VERSION,
    C_CREATED,
    C_UPDATED,
    C_HOST,
    C_SEALED,
    C_SOURCE_VERSION,
    C_SOURCES,
    C_ENCODER_DELAY,
    C_TLS_PIN,
    C_MUTED,
    C_WARM_BY_LABEL,
    C_CEILINGS,
};

enum {
    F_NAME,
    F_URL,
    F_USERNAME,
    F_PASSWORD,
    F_TRANSPORT,
    F_TLS_PIN,
    F_SOURCES,
    F_LABELS,
    F_IDLE,
    F_WARM,
    F_EXCLUSIVE,
    F_ENCODER_DELAY,
    F_MUTED,
    F_CEILINGS,
    N_FIELDS = F_CEILINGS + CEILINGS_N
};

#define LABELS_MOST 256 /* the setting may lower it */

/* Sources are given as a whole: nobody here could add a new URL to a password that was sealed. */
#define SOURCE_FIELDS                                                                              \
    [F_URL] = {"/source/url", API_STR, .min = 1, .max = API_URL_MAX, .is_required = true},         \
    [F_USERNAME] = {"/source/username", API_STR, .max = 256, .is_nullable = true},                 \
    [F_PASSWORD] = {"/source/password", API_STR, .max = 256, .is_nullable = true},                 \
    [F_TRANSPORT] = {"/source/transport", API_ENUM, .names = camera_transports},                   \
    [F_TLS_PIN] = {"/source/tls_pin_sha256", API_STR, .min = CAMERA_PIN_MIN,                       \
                   .max = CAMERA_PIN_MAX, .is_nullable = true},                                    \
    [F_SOURCES] = {"/sources", API_ARRAY, .min = 1, .max = CAMERA_SOURCES_MAX},                    \
    [F_LABELS] = {"/labels", API_LABELS, .max = LABELS_MOST},                                      \
    [F_IDLE] = {"/idle_timeout_s", API_INT, .min = 1, .max = 86400, .is_nullable = true},          \
    [F_WARM] = {"/warm", API_BOOL}, [F_EXCLUSIVE] = {"/exclusive", API_BOOL},                      \
    [F_ENCODER_DELAY] = {"/encoder_delay_ms", API_INT, .max = WEIR_ENCODER_DELAY_MAX_MS},          \
    [F_MUTED] = {"/muted", API_BOOL}, CEILING_FIELDS(F_CEILINGS)

static const struct api_field create_fields[N_FIELDS] = {
    [F_NAME] = {"/name", API_STR, .min = 1, .max = 128, .is_required = true}, SOURCE_FIELDS};
static const struct api_field patch_fields[N_FIELDS] = {
    [F_NAME] = {"/name", API_STR, .min = 1, .max = 128}, SOURCE_FIELDS};

/* What a row will hold; every value as the text that Postgres takes, NULL for SQL NULL. */
struct camera {
    struct weir_id id;
    const char *id_text, *name, *url, *host, *transport, *sealed, *sources, *labels,
        *idle_timeout_s, *tls_pin;
    bool has_credentials, warm, is_warm_by_label, exclusive, muted;
    int64_t version, source_version, encoder_delay_ms;
    struct ceiling_texts ceilings;
};

static bool is_warm(const struct camera *camera)
{
    return camera->warm || camera->is_warm_by_label;
}

/* ---- out ---- */

/* The object stays open. */
static void write_row(struct weir_json_out *out, const struct weir_db_rows *rows, size_t row)
{
    weir_json_open(out, NULL, '{');
    weir_json_str(out, "id", weir_db_text(rows, row, C_ID));
    weir_json_str(out, "name", weir_db_text(rows, row, C_NAME));
    struct camera_source_shown main = {
        weir_db_text(rows, row, C_URL), weir_db_text(rows, row, C_TRANSPORT),
        weir_db_bool(rows, row, C_HAS_CREDENTIALS), weir_db_text(rows, row, C_TLS_PIN)};
    camera_sources_show(&main, weir_db_text(rows, row, C_SOURCES), out);
    weir_json_raw(out, "labels", weir_db_text(rows, row, C_LABELS));
    const char *idle = weir_db_text(rows, row, C_IDLE);
    weir_json_raw(out, "idle_timeout_s", idle ? idle : "null");
    weir_json_bool(out, "warm",
                   weir_db_bool(rows, row, C_WARM) || weir_db_bool(rows, row, C_WARM_BY_LABEL));
    weir_json_bool(out, "exclusive", weir_db_bool(rows, row, C_EXCLUSIVE));
    weir_json_int(out, "encoder_delay_ms", weir_db_int(rows, row, C_ENCODER_DELAY));
    weir_json_bool(out, "muted", weir_db_bool(rows, row, C_MUTED));
    struct ceiling_texts ceilings = ceilings_of_row(rows, row, C_CEILINGS);
    ceilings_write(&ceilings, out);
    weir_json_int(out, "version", weir_db_int(rows, row, C_VERSION));
    weir_json_str(out, "created_at", weir_db_text(rows, row, C_CREATED));
    weir_json_str(out, "updated_at", weir_db_text(rows, row, C_UPDATED));
}

static void write_camera(struct weir_json_out *out, const struct weir_db_rows *rows, size_t row)
{
    write_row(out, rows, row);
    weir_json_close(out, '}');
}

static void answer(struct api_call *call, int status, const struct weir_db_rows *rows)
{
    struct weir_json_out out = {0};
    write_camera(&out, rows, 0);
    api_call_set_etag(call, weir_db_int(rows, 0, C_VERSION));
    api_call_json(call, status, &out);
}

/* ---- in ---- */

/* A body, and the sources that it gives: none, one or several. */
struct body {
    struct api_value values[N_FIELDS];
    struct camera_sources sources;
};

static enum weir_code refuse_fault(struct api_call *call, const struct api_fault *fault)
{
    return api_call_refuse(call, 422, fault->code, fault->pointer, "%s %s", fault->pointer,
                           fault->detail);
}

static const char *given(const struct api_value *value)
{
    return value->str && value->str[0] ? value->str : NULL;
}

static enum weir_code read_sources(struct api_call *call, struct body *body)
{
    const struct api_value *values = body->values;
    struct api_fault fault = {0};
    enum weir_code code = WEIR_OK;
    if (values[F_SOURCES].is_given && values[F_URL].is_given) {
        return api_call_refuse(call, 422, "one_too_many", "/source",
                               "/source is main of /sources: give one of them");
    }
    if (values[F_SOURCES].is_given) {
        code = camera_sources_read(values[F_SOURCES].json, &body->sources, &fault);
    } else if (values[F_URL].is_given) {
        body->sources.n = 1;
        body->sources.of[0] = (struct camera_source){.name = CAMERA_SOURCE_MAIN,
                                                     .url = values[F_URL].str,
                                                     .username = given(&values[F_USERNAME]),
                                                     .password = given(&values[F_PASSWORD]),
                                                     .pin_given = values[F_TLS_PIN].str,
                                                     .transport = values[F_TRANSPORT].is_given
                                                                      ? values[F_TRANSPORT].str
                                                                      : camera_transports[0]};
        code = camera_source_check(&body->sources.of[0], "/source", &fault);
    }
    return code == WEIR_OK ? WEIR_OK : refuse_fault(call, &fault);
}

static enum weir_code read_body(struct api_call *call, const struct api_field *fields,
                                struct body *body)
{
    const struct api_value *values = body->values;
    *body = (struct body){0};
    enum weir_code code = api_call_body(call, fields, N_FIELDS, body->values);
    if (code == WEIR_OK) {
        code = read_sources(call, body);
    }
    int64_t labels_max = call->api->settings->labels_max;
    if (code == WEIR_OK && values[F_LABELS].is_given &&
        (int64_t)values[F_LABELS].json->n > labels_max) {
        code = api_call_refuse(call, 422, "too_many", "/labels",
                               "/labels must have at most %" PRId64 " members", labels_max);
    }
    return code;
}

/* What the worker will open: it names its tenant, camera and version so that none can be swapped.
 */
static const char *seal_sources(struct api_call *call, const struct camera *camera,
                                const struct camera_sources *sources)
{
    const struct camera_source *main = &sources->of[sources->main];
    struct weir_json_out out = {0};
    weir_json_open(&out, NULL, '{');
    weir_json_str(&out, "tenant_id", WEIR_ID_TEXT(&call->tenant_id));
    weir_json_str(&out, "camera_id", camera->id_text);
    weir_json_int(&out, "version", camera->source_version);
    weir_json_str(&out, "url", main->url);
    if (main->username) {
        weir_json_str(&out, "username", main->username);
        weir_json_str(&out, "password", main->password ? main->password : "");
    }
    weir_json_str(&out, "transport", main->transport);
    if (main->tls_pin[0]) {
        weir_json_str(&out, "tls_pin_sha256", main->tls_pin);
    }
    camera_sources_write_others(sources, &out);
    weir_json_close(&out, '}');
    const char *sealed = weir_seal(&call->api->seal_key, out.buf.bytes, out.buf.len, call->arena);
    explicit_bzero(out.buf.bytes, out.buf.len);
    weir_buf_done(&out.buf);
    return sealed;
}

static const char *labels_text(struct api_call *call, const struct weir_json *labels)
{
    struct weir_json_out out = {0};
    weir_json_open(&out, NULL, '{');
    for (size_t i = 0; i < labels->n; i++) {
        weir_json_str(&out, labels->members[i].name, labels->members[i].value.str);
    }
    weir_json_close(&out, '}');
    size_t len;
    return weir_json_take(&out, call->arena, &len);
}

/* The member that would make a camera warm; NULL: none. */
static const char *asks_for_warm(const struct api_value *values)
{
    if (values[F_WARM].is_given && values[F_WARM].boolean) {
        return "/warm";
    }
    return values[F_LABELS].is_given && camera_warm_by_label(values[F_LABELS].json) ? "/labels"
                                                                                    : NULL;
}

/* Lays what was given over what is there. `camera` holds the old row, or a new one's defaults. */
static void overlay(struct api_call *call, const struct body *body, struct camera *camera)
{
    const struct api_value *values = body->values;
    const struct camera_source *main = &body->sources.of[body->sources.main];
    if (values[F_NAME].is_given) {
        camera->name = values[F_NAME].str;
    }
    if (body->sources.n > 0) {
        camera->url = main->url;
        camera->host = main->host;
        camera->transport = main->transport;
        camera->has_credentials = main->username;
        camera->sources = camera_sources_text(&body->sources, call->arena);
        camera->tls_pin = main->tls_pin[0] ? main->tls_pin : NULL;
        camera->source_version = camera->version;
        camera->sealed = seal_sources(call, camera, &body->sources);
    }
    if (values[F_LABELS].is_given) {
        camera->labels = labels_text(call, values[F_LABELS].json);
        camera->is_warm_by_label = camera_warm_by_label(values[F_LABELS].json);
    }
    if (values[F_IDLE].is_given) {
        camera->idle_timeout_s = values[F_IDLE].is_null ? NULL
                                                        : weir_arena_printf(call->arena, "%" PRId64,
                                                                            values[F_IDLE].integer);
    }
    if (values[F_WARM].is_given) {
        camera->warm = values[F_WARM].boolean;
    }
    if (values[F_EXCLUSIVE].is_given) {
        camera->exclusive = values[F_EXCLUSIVE].boolean;
    }
    if (values[F_ENCODER_DELAY].is_given) {
        camera->encoder_delay_ms = values[F_ENCODER_DELAY].integer;
    }
    if (values[F_MUTED].is_given) {
        camera->muted = values[F_MUTED].boolean;
    }
    ceilings_overlay(&values[F_CEILINGS], call->arena, &camera->ceilings);
}

/* ---- rows ---- */

static enum weir_code publish(struct api_call *call, struct weir_db_tx *tx,
                              const struct camera *camera, bool is_deleted)
{
    struct weir_event event = {.type = WEIR_EV_CONFIG_CAMERA, .has_tenantid = true};
    struct weir_ev_config_camera *config = &event.u.config_camera;
    event.tenantid = call->tenant_id;
    config->tenant_id = call->tenant_id;
    config->camera_id = camera->id;
    config->version = camera->version;
    config->deleted = is_deleted;
    WEIR_STR_SET(config->host, camera->host);
    config->warm = is_warm(camera) && !is_deleted;
    config->exclusive = camera->exclusive;
    config->max_leases = 1;
    config->has_encoder_delay_ms = true;
    config->encoder_delay_ms = camera->encoder_delay_ms;
    int64_t idle_s;
    if (camera->idle_timeout_s &&
        weir_str_to_int(camera->idle_timeout_s, 1, 86400, &idle_s, NULL) == WEIR_OK) {
        config->has_idle_timeout_s = true;
        config->idle_timeout_s = idle_s;
    }
    return api_outbox_put(tx, &event, &call->tenant_id, &camera->id,
                          (int32_t)call->api->settings->cell, call->arena, &call->err);
}

static enum weir_code save(struct api_call *call, struct weir_db_tx *tx, const char *sql,
                           const struct camera *camera, struct weir_db_rows **ret)
{
    const char *params[] = {
        camera->id_text,
        weir_arena_strdup(call->arena, WEIR_ID_TEXT(&call->tenant_id)),
        camera->name,
        camera->url,
        camera->host,
        camera->transport,
        camera->has_credentials ? "true" : "false",
        camera->sealed,
        weir_arena_printf(call->arena, "%" PRId64, camera->source_version),
        camera->warm ? "true" : "false",
        camera->exclusive ? "true" : "false",
        camera->idle_timeout_s,
        camera->labels,
        weir_arena_printf(call->arena, "%" PRId64, camera->version),
        camera->ceilings.text[CEILING_QUALITY],
        camera->ceilings.text[CEILING_FPS],
        camera->ceilings.text[CEILING_MAX_QUALITY],
        camera->ceilings.text[CEILING_MAX_FPS],
        weir_arena_printf(call->arena, "%" PRId64, camera->encoder_delay_ms),
        camera->tls_pin,
        camera->sources,
        camera->muted ? "true" : "false",
    };
    return weir_db_exec(tx, sql, params, sizeof(params) / sizeof(params[0]), call->arena, ret,
                        &call->err);
}

enum lock { LOCK_NONE, LOCK_FOR_CHANGE };

static enum weir_code find_row(struct api_call *call, struct weir_db_tx *tx, const char *id_text,
                               enum lock lock, struct weir_db_rows **ret)
{
    const char *sql = lock == LOCK_FOR_CHANGE
                          ? "SELECT " COLUMNS " FROM camera WHERE id = $1 AND " SEEN
                            " FOR NO KEY UPDATE"
                          : "SELECT " COLUMNS " FROM camera WHERE id = $1 AND " SEEN;
    const char *params[] = {id_text, api_rights_guest(call)};
    enum weir_code code = weir_db_exec(tx, sql, params, 2, call->arena, ret, &call->err);
    return code == WEIR_OK && weir_db_count(*ret) == 0 ? api_call_not_found(call) : code;
}

static enum weir_code begin(struct api_call *call, struct weir_db_tx **tx)
{
    return weir_db_begin(call->api->db, &call->tenant_id, tx, &call->err);
}

/* ---- create ---- */

/* Literal addresses outside of the tenant's networks are told at once. */
static enum weir_code check_reach(struct api_call *call, struct weir_db_tx *tx,
                                  const struct body *body)
{
    struct weir_db_rows *rows = NULL;
    struct weir_reach reach = call->api->reach;
    enum weir_code code = weir_db_exec(tx, "SELECT camera_networks FROM tenant", NULL, 0,
                                       call->arena, &rows, &call->err);
    const char *networks =
        code == WEIR_OK && weir_db_count(rows) > 0 ? weir_db_text(rows, 0, 0) : NULL;
    if (code == WEIR_OK && networks) {
        code = weir_networks_parse(networks, &reach.tenant, &call->err);
    }
    for (size_t i = 0; i < body->sources.n && code == WEIR_OK; i++) {
        struct weir_err err = {0};
        if (api_source_url_judge(body->sources.of[i].host, &reach, &err) != WEIR_OK) {
            const char *pointer = body->values[F_SOURCES].is_given
                                      ? weir_arena_printf(call->arena, "/sources/%zu/url", i)
                                      : "/source/url";
            code = api_call_refuse(call, 422, "address_denied", pointer, "%s %s", pointer, err.msg);
        }
    }
    return code;
}

static enum weir_code check_quota(struct api_call *call, struct weir_db_tx *tx)
{
    struct weir_db_rows *rows = NULL;
    enum weir_code code =
        weir_db_exec(tx, "SELECT max_cameras, (SELECT count(*) FROM camera) FROM tenant", NULL, 0,
                     call->arena, &rows, &call->err);
    if (code != WEIR_OK) {
        return code;
    }
    if (weir_db_count(rows) == 0) {
        return api_call_refuse(call, 403, "unknown_tenant", NULL,
                               "the token's tenant does not exist here");
    }
    if (weir_db_int(rows, 0, 1) >= weir_db_int(rows, 0, 0)) {
        return api_call_refuse(call, 429, "quota_exceeded", NULL,
                               "the tenant's limit is %" PRId64 " cameras",
                               weir_db_int(rows, 0, 0));
    }
    return WEIR_OK;
}

static enum weir_code insert(struct api_call *call, struct weir_db_tx *tx,
                             const struct camera *camera, struct weir_db_rows **ret)
{
    enum weir_code code =
        save(call, tx,
             "INSERT INTO camera (id, tenant_id, name, url, host, transport, "
             "has_credentials, sealed, source_version, warm, exclusive, "
             "idle_timeout_s, labels, version, " CEILING_COLUMNS
             ", encoder_delay_ms, tls_pin_sha256, sources, muted) VALUES ($1, $2, $3, "
             "$4, $5, $6, $7, convert_to($8, 'UTF8'), $9, $10, $11, $12, $13, "
             "$14, $15, $16, $17, $18, $19, $20, $21, $22) "
             "RETURNING " COLUMNS,
             camera, ret);
    return code == WEIR_OK ? publish(call, tx, camera, false) : code;
}

static void set_location(struct api_call *call, const char *id_text)
{
    weir_http_add_header(call->res, "Location",
                         weir_arena_printf(call->arena, "/v1/cameras/%s", id_text));
}

/* What the key made before: as it is now, or that it is gone. */
static enum weir_code answer_earlier(struct api_call *call, struct weir_db_tx *tx, const char *id)
{
    struct weir_db_rows *rows = NULL;
    enum weir_code code = weir_db_exec(tx, "SELECT " COLUMNS " FROM camera WHERE id = $1", &id, 1,
                                       call->arena, &rows, &call->err);
    if (code != WEIR_OK) {
        return code;
    }
    if (weir_db_count(rows) == 0) {
        return api_call_refuse(call, 410, "camera_deleted", NULL,
                               "the camera that this Idempotency-Key made was deleted");
    }
    set_location(call, id);
    answer(call, 201, rows);
    return WEIR_OK;
}

static enum weir_code create(struct api_call *call)
{
    struct body body;
    const struct api_value *values = body.values;
    struct api_once once = {0};
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    enum weir_code code = read_body(call, create_fields, &body);
    if (code == WEIR_OK && body.sources.n == 0) {
        code = api_call_refuse(call, 422, "missing_field", "/source", "/source is missing");
    }
    if (code == WEIR_OK) {
        code = api_once_begin(call, &tx, &once);
    }
    if (code == WEIR_OK && once.earlier) {
        return answer_earlier(call, tx, once.earlier);
    }
    if (code == WEIR_OK) {
        code = check_quota(call, tx);
    }
    if (code == WEIR_OK && asks_for_warm(values)) {
        code = camera_warm_check_quota(call, tx, asks_for_warm(values));
    }
    if (code == WEIR_OK) {
        code = check_reach(call, tx, &body);
    }
    if (code != WEIR_OK) {
        return code;
    }
    struct camera camera = {.id = weir_id_new(weir_clock_wall_ms()), .version = 1, .labels = "{}"};
    camera.id_text = weir_arena_strdup(call->arena, WEIR_ID_TEXT(&camera.id));
    overlay(call, &body, &camera);
    code = insert(call, tx, &camera, &rows);
    if (code == WEIR_OK) {
        code = api_once_commit(call, &tx, &once, camera.id_text);
    }
    if (code == WEIR_OK) {
        set_location(call, camera.id_text);
        answer(call, 201, rows);
        api_call_note(call, "camera.create", "camera", &camera.id,
                      WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED, NULL);
    }
    return code;
}

/* ---- get, patch, delete ---- */

/* Begins a transaction and finds the camera of the path; `camera` gets the row. */
static enum weir_code open_row(struct api_call *call, enum lock lock, struct weir_db_tx **tx,
                               struct weir_db_rows **rows, struct camera *camera)
{
    enum weir_code code = api_call_id(call, "camera_id", &camera->id);
    if (code == WEIR_OK) {
        camera->id_text = weir_arena_strdup(call->arena, WEIR_ID_TEXT(&camera->id));
        code = begin(call, tx);
    }
    if (code == WEIR_OK) {
        code = find_row(call, *tx, camera->id_text, lock, rows);
    }
    if (code != WEIR_OK) {
        return code;
    }
    camera->name = weir_db_text(*rows, 0, C_NAME);
    camera->url = weir_db_text(*rows, 0, C_URL);
    camera->host = weir_db_text(*rows, 0, C_HOST);
    camera->transport = weir_db_text(*rows, 0, C_TRANSPORT);
    camera->has_credentials = weir_db_bool(*rows, 0, C_HAS_CREDENTIALS);
    camera->sealed = weir_db_text(*rows, 0, C_SEALED);
    camera->sources = weir_db_text(*rows, 0, C_SOURCES);
    camera->labels = weir_db_text(*rows, 0, C_LABELS);
    camera->idle_timeout_s = weir_db_text(*rows, 0, C_IDLE);
    camera->warm = weir_db_bool(*rows, 0, C_WARM);
    camera->is_warm_by_label = weir_db_bool(*rows, 0, C_WARM_BY_LABEL);
    camera->exclusive = weir_db_bool(*rows, 0, C_EXCLUSIVE);
    camera->version = weir_db_int(*rows, 0, C_VERSION);
    camera->source_version = weir_db_int(*rows, 0, C_SOURCE_VERSION);
    camera->encoder_delay_ms = weir_db_int(*rows, 0, C_ENCODER_DELAY);
    camera->tls_pin = weir_db_text(*rows, 0, C_TLS_PIN);
    camera->muted = weir_db_bool(*rows, 0, C_MUTED);
    camera->ceilings = ceilings_of_row(*rows, 0, C_CEILINGS);
    return WEIR_OK;
}

/* What one call keeps while the camera's worker is asked. */
struct getting {
    const struct weir_db_rows *rows;
    int64_t version;
    struct camera_live live;
};

static enum weir_code answer_now(struct api_call *call, const struct getting *getting)
{
    struct weir_json_out out = {0};
    write_row(&out, getting->rows, 0);
    camera_live_write(call, &getting->live, &out);
    weir_json_close(&out, '}');
    if (getting->live.has_lease) {
        api_call_set_live_etag(call, getting->version);
    } else {
        api_call_set_etag(call, getting->version);
    }
    api_call_json(call, 200, &out);
    return WEIR_OK;
}

static enum weir_code get(struct api_call *call)
{
    if (call->state) {
        return answer_now(call, call->state);
    }
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    struct camera camera = {0};
    enum weir_code code = open_row(call, LOCK_NONE, &tx, &rows, &camera);
    if (code != WEIR_OK) {
        return code;
    }
    struct getting *getting = weir_arena_alloc(call->arena, sizeof(*getting));
    *getting = (struct getting){.rows = rows, .version = camera.version};
    getting->live.has_lease = camera_live_lease(call, &camera.id, &getting->live.lease);
    if (!getting->live.has_lease && api_call_is_fresh(call, camera.version)) {
        call->res->status = 304;
        api_call_set_etag(call, camera.version);
        return WEIR_OK;
    }
    if (camera_live_ask(call, &getting->live)) {
        call->state = getting;
        return WEIR_OK;
    }
    return answer_now(call, getting);
}

static enum weir_code patch(struct api_call *call)
{
    struct body body;
    const struct api_value *values = body.values;
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    struct camera camera = {0};
    enum weir_code code = read_body(call, patch_fields, &body);
    if (code == WEIR_OK) {
        code = open_row(call, LOCK_FOR_CHANGE, &tx, &rows, &camera);
    }
    if (code == WEIR_OK) {
        code = api_call_if_match(call, camera.version);
    }
    if (code == WEIR_OK && values[F_URL].is_given && camera_sources_are_several(camera.sources)) {
        code = api_call_refuse(call, 422, "several_sources", "/source",
                               "/source is one of several that this camera has: give them all, as "
                               "/sources");
    }
    if (code == WEIR_OK && body.sources.n > 0) {
        code = check_reach(call, tx, &body);
    }
    if (code == WEIR_OK && asks_for_warm(values) && !is_warm(&camera)) {
        code = api_once_lock(call, tx);
        if (code == WEIR_OK) {
            code = camera_warm_check_quota(call, tx, asks_for_warm(values));
        }
    }
    if (code != WEIR_OK) {
        return code;
    }
    camera.version++;
    overlay(call, &body, &camera);
    code = save(call, tx,
                "UPDATE camera SET name = $3, url = $4, host = $5, transport = $6, "
                "has_credentials = $7, sealed = convert_to($8, 'UTF8'), source_version = $9, "
                "warm = $10, exclusive = $11, idle_timeout_s = $12, labels = $13, version = $14, "
                "default_quality = $15, default_fps = $16, max_quality = $17, max_fps = $18, "
                "encoder_delay_ms = $19, tls_pin_sha256 = $20, sources = $21, muted = $22, "
                "updated_at = now() WHERE id = $1 AND tenant_id = $2 RETURNING " COLUMNS,
                &camera, &rows);
    if (code == WEIR_OK) {
        code = publish(call, tx, &camera, false);
    }
    if (code == WEIR_OK) {
        code = weir_db_commit(&tx, &call->err);
    }
    if (code == WEIR_OK) {
        api_sources_camera_changed(call->api, &camera.id, camera.version, true);
        answer(call, 200, rows);
        api_call_note(call, "camera.update", "camera", &camera.id,
                      WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED, NULL);
    }
    return code;
}

static enum weir_code remove_row(struct api_call *call)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    struct camera camera = {0};
    enum weir_code code = open_row(call, LOCK_FOR_CHANGE, &tx, &rows, &camera);
    if (code == WEIR_OK) {
        code = api_call_if_match(call, camera.version);
    }
    if (code == WEIR_OK) {
        code = weir_db_exec(tx, "DELETE FROM camera WHERE id = $1", &camera.id_text, 1, call->arena,
                            NULL, &call->err);
    }
    if (code == WEIR_OK) {
        camera.version++;
        code = publish(call, tx, &camera, true);
    }
    if (code == WEIR_OK) {
        struct api_revocation gone = {.kind = WEIR_EV_CONFIG_REVOCATION_KIND_CAMERA,
                                      .object_id = camera.id,
                                      .is_final = true,
                                      .reason = "camera deleted"};
        code = api_revoke(call, tx, &call->tenant_id, &gone, NULL);
    }
    if (code == WEIR_OK) {
        code = weir_db_commit(&tx, &call->err);
    }
    if (code == WEIR_OK) {
        api_sources_camera_changed(call->api, &camera.id, camera.version, true);
        call->res->status = 204;
        api_call_note(call, "camera.delete", "camera", &camera.id,
                      WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED, NULL);
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
        code = begin(call, &tx);
    }
    char after_text[WEIR_ID_TEXT_MAX];
    if (code == WEIR_OK) {
        const char *params[] = {weir_id_format(&after, after_text), api_rights_guest(call),
                                weir_arena_printf(call->arena, "%" PRId64, page.limit + 1)};
        code = weir_db_exec(
            tx, "SELECT " COLUMNS " FROM camera WHERE id > $1 AND " SEEN " ORDER BY id LIMIT $3",
            params, 3, call->arena, &rows, &call->err);
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
        write_camera(&out, rows, i);
    }
    weir_json_close(&out, ']');
    weir_json_str(&out, "next_cursor",
                  found > n ? api_cursor(call->arena, weir_db_text(rows, n - 1, C_ID)) : NULL);
    weir_json_close(&out, '}');
    api_call_json(call, 200, &out);
    return WEIR_OK;
}

void api_cameras_list(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_GUEST, list);
}

void api_cameras_create(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, create);
}

void api_cameras_get(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_GUEST, get);
}

void api_cameras_patch(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, patch);
}

void api_cameras_delete(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN, remove_row);
}
