/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/api.h"
#include "api/cameras.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/domain/json.h"

#define LOOK_AGAIN_MS 100 /* the worker may have read the log a moment before this api did */
#define LOOKS_MAX     8

static bool is_worker(const struct api *api, const struct weir_http_request *req)
{
    const char *header = weir_http_header(req, "Authorization");
    const char *secret = api->settings->worker_secret;
    size_t len = strlen(secret);
    return header && len > 0 && weir_str_starts_with(header, "Bearer ") &&
           strlen(header + 7) == len && weir_str_equal_secret(header + 7, secret, len);
}

static bool read_worker_id(const struct weir_http_request *req, struct weir_id *ret)
{
    const char *text = weir_http_header(req, "X-Weir-Worker-Id");
    text = text ? text : weir_http_query(req, "worker_id");
    return text && weir_id_parse(text, strlen(text), ret, NULL) == WEIR_OK;
}

static enum weir_code read_row(struct api *api, struct weir_http_request *req,
                               const struct weir_lease_row *lease, struct api_known_camera *ret,
                               struct weir_err *err)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    char id[WEIR_ID_TEXT_MAX];
    const char *params[] = {weir_id_format(&lease->camera_id, id)};
    enum weir_code code = weir_db_begin(api->db, &lease->tenant_id, &tx, err);
    if (code == WEIR_OK) {
        code = weir_db_exec(
            tx,
            "SELECT t.max_streams, c.source_version, convert_from(c.sealed, 'UTF8'),"
            " t.camera_networks, c.exclusive FROM camera c JOIN tenant t ON t.id = c.tenant_id"
            " WHERE c.id = $1",
            params, 1, weir_http_arena(req), &rows, err);
    }
    if (code == WEIR_OK && weir_db_count(rows) == 0) {
        code = weir_fail(err, WEIR_ENOTFOUND, "there is no such camera");
    }
    if (code == WEIR_OK) {
        ret->max_streams = weir_db_int(rows, 0, 0);
        ret->source_version = weir_db_int(rows, 0, 1);
        ret->sealed = weir_db_text(rows, 0, 2);
        ret->networks = weir_db_text(rows, 0, 3);
        ret->is_exclusive = weir_db_bool(rows, 0, 4);
    }
    return code;
}

/* From Postgres; from memory while it is away. */
static enum weir_code find_source(struct api *api, struct weir_http_request *req,
                                  const struct weir_lease_row *lease, struct api_known_camera *ret,
                                  struct weir_err *err)
{
    enum weir_code code = read_row(api, req, lease, ret, err);
    if (code == WEIR_OK) {
        api_known_cameras_put(api->known_cameras, &lease->tenant_id, &lease->camera_id, ret);
    } else if ((code == WEIR_EUNAVAILABLE || code == WEIR_ETIMEOUT) &&
               api_known_cameras_find(api->known_cameras, &lease->tenant_id, &lease->camera_id,
                                      weir_http_arena(req), ret)) {
        code = WEIR_OK;
    }
    return code;
}

static void answer(const struct api *api, struct weir_http_request *req,
                   struct weir_http_response *res, const struct weir_lease_row *lease,
                   const struct api_known_camera *camera)
{
    struct weir_json_out out = {0};
    weir_json_open(&out, NULL, '{');
    weir_json_str(&out, "tenant_id", WEIR_ID_TEXT(&lease->tenant_id));
    weir_json_str(&out, "camera_id", WEIR_ID_TEXT(&lease->camera_id));
    weir_json_int(&out, "version", camera->source_version);
    weir_json_str(&out, "sealed", camera->sealed);
    weir_json_bool(&out, "exclusive", camera->is_exclusive);
    weir_json_str(&out, "networks",
                  camera->networks ? camera->networks : api->settings->default_camera_networks);
    weir_json_close(&out, '}');
    size_t len;
    const char *text = weir_json_take(&out, weir_http_arena(req), &len);
    weir_http_json(res, 200, text, len);
}

static void note(struct api *api, const struct weir_http_request *req,
                 const struct weir_lease_row *lease, const struct weir_id *worker_id,
                 enum weir_ev_audit_access_outcome outcome)
{
    char actor[WEIR_ID_TEXT_MAX];
    struct api_access_note record = {
        .tenant_id = &lease->tenant_id,
        .actor = weir_id_format(worker_id, actor),
        .action = "camera.source",
        .object_type = "camera",
        .object_id = &lease->camera_id,
        .outcome = outcome,
    };
    api_access_note(api->access, req, &record);
}

void api_cameras_source(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct api *api = ctx;
    struct weir_id worker_id;
    struct weir_id camera_id;
    struct weir_lease_row lease = {0};
    const char *camera = weir_http_param(req, "camera_id");
    if (!is_worker(api, req)) {
        weir_http_problem_at(req, res, 401, "unauthenticated", NULL, "a worker's secret is needed");
        return;
    }
    if (!read_worker_id(req, &worker_id) ||
        weir_id_parse(camera, strlen(camera), &camera_id, NULL) != WEIR_OK) {
        weir_http_problem_at(req, res, 400, "malformed_request", NULL,
                             "worker and camera are named by UUIDs");
        return;
    }
    bool is_leased = api_view_lease(api->view, &camera_id, &lease);
    bool is_asker = weir_id_equal(&lease.worker_id, &worker_id) ||
                    weir_id_equal(&lease.second.worker_id, &worker_id);
    if (!is_leased || !is_asker) {
        if (weir_http_attempt(req) < LOOKS_MAX) {
            weir_http_wait(req, weir_clock_mono_ms() + LOOK_AGAIN_MS);
            return;
        }
        if (is_leased) {
            note(api, req, &lease, &worker_id, WEIR_EV_AUDIT_ACCESS_OUTCOME_DENIED);
        }
        weir_http_problem_at(req, res, 403, "not_leased", NULL,
                             "the log does not place this camera on this worker");
        return;
    }
    struct weir_err err = {0};
    struct api_known_camera known = {0};
    if (find_source(api, req, &lease, &known, &err) != WEIR_OK) {
        weir_http_problem(req, res, &err);
        return;
    }
    answer(api, req, res, &lease, &known);
    note(api, req, &lease, &worker_id, WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED);
}
