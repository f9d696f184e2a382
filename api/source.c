/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/cameras.h"
#include "api/sources.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

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

/* Versions of rows that the asker heard of; less will not do for it. */
static bool read_versions(const struct weir_http_request *req, struct api_source_wish *ret)
{
    const char *camera = weir_http_query(req, "camera_version");
    const char *tenant = weir_http_query(req, "tenant_version");
    return (!camera ||
            weir_str_to_int(camera, 0, INT64_MAX, &ret->camera_version, NULL) == WEIR_OK) &&
           (!tenant ||
            weir_str_to_int(tenant, 0, INT64_MAX, &ret->tenant_version, NULL) == WEIR_OK);
}

static void answer(const struct api *api, struct weir_http_request *req,
                   struct weir_http_response *res, const struct weir_lease_row *lease,
                   const struct api_known_camera *camera)
{
    struct weir_source_entry entry =
        api_sources_entry(api, &lease->tenant_id, &lease->camera_id, camera);
    const char *text = weir_source_entry_write(&entry, weir_http_arena(req));
    weir_http_json(res, 200, text, strlen(text));
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
    struct api_source_wish wish = {0};
    const char *camera = weir_http_param(req, "camera_id");
    if (!is_worker(api, req)) {
        weir_http_problem_at(req, res, 401, "unauthenticated", NULL, "a worker's secret is needed");
        return;
    }
    if (!read_worker_id(req, &worker_id) ||
        weir_id_parse(camera, strlen(camera), &camera_id, NULL) != WEIR_OK ||
        !read_versions(req, &wish)) {
        weir_http_problem_at(req, res, 400, "malformed_request", NULL,
                             "worker and camera are named by UUIDs, versions are numbers");
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
    bool has_asked = false;
    wish.tenant_id = lease.tenant_id;
    wish.camera_id = camera_id;
    if (api_sources_find(api, &wish, weir_http_arena(req), &known, &has_asked, &err) != WEIR_OK) {
        weir_http_problem(req, res, &err);
        return;
    }
    answer(api, req, res, &lease, &known);
    note(api, req, &lease, &worker_id, WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED);
}
