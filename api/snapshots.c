/* SPDX-License-Identifier: Apache-2.0 */
#include "api/snapshots.h"

#include <inttypes.h>
#include <string.h>

#include "api/snapshot_take.h"
#include "api/ticket_ids.h"
#include "lib/base/clock.h"

/* ---- the question ---- */

static const char *value_of(void *ctx, const char *name)
{
    return weir_http_query(ctx, name);
}

static bool is_known(const char *name)
{
    for (size_t i = 0; snapshot_parameters[i]; i++) {
        if (strcmp(snapshot_parameters[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static enum weir_code read_query(struct api_call *call, struct snapshot_query *ret)
{
    struct api_fault fault = {0};
    const char *name;
    const char *value;
    for (size_t at = 0; weir_http_next_query(call->req, &at, &name, &value);) {
        if (!is_known(name)) {
            return api_call_refuse(call, 422, "unknown_parameter", NULL,
                                   "the query has a parameter that is not known here");
        }
    }
    if (snapshot_query_read(value_of, call->req, weir_clock_wall_us(), ret, &fault) != WEIR_OK) {
        return api_call_refuse(call, 422, fault.code, NULL, "%s", fault.detail);
    }
    return WEIR_OK;
}

/* ---- the answer ---- */

static void add_headers(struct api_call *call, const struct snapshot_taking *taking,
                        const struct weir_json *about)
{
    int64_t frame_us = snapshot_number(about, "frame_us");
    const char *source = weir_json_find_str(about, "source");
    weir_http_add_header(call->res, "Cache-Control", "private, no-cache");
    weir_http_add_header(call->res, "Weir-Requested-Time",
                         snapshot_time_text(call, taking->query.at_us));
    weir_http_add_header(call->res, "Weir-Frame-Error-Ms",
                         snapshot_ms_text(call, frame_us - taking->query.at_us));
    weir_http_add_header(call->res, "Weir-Time-Source", source ? source : "arrival");
    if (weir_json_find(about, "clock_offset_us")) {
        weir_http_add_header(call->res, "Weir-Clock-Offset-Ms",
                             snapshot_ms_text(call, snapshot_number(about, "clock_offset_us")));
    }
    snapshot_add_range(call, about);
}

static enum weir_code answer(struct api_call *call, const struct snapshot_taking *taking,
                             const struct snapshot_taken *taken)
{
    add_headers(call, taking, &taken->about);
    snapshot_show(call, &taking->query, taken);
    api_call_note(
        call, "snapshot.take", "camera", &taking->camera_id, WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED,
        weir_arena_printf(call->arena, "frame of %s",
                          snapshot_time_text(call, snapshot_number(&taken->about, "frame_us"))));
    return WEIR_OK;
}

/* ---- the call ---- */

static enum weir_code begin(struct api_call *call, struct snapshot_taking *taking)
{
    taking->may = snapshot_may;
    enum weir_code code = api_call_id(call, "camera_id", &taking->camera_id);
    if (code == WEIR_OK) {
        code = read_query(call, &taking->query);
    }
    if (code == WEIR_OK) {
        code = snapshot_check_camera(call, &taking->camera_id);
    }
    if (code == WEIR_OK) {
        struct weir_id viewer_id = ticket_viewer_id(&call->tenant_id, &call->who.subject);
        code = snapshot_check_quota(call, &viewer_id);
    }
    return code;
}

static enum weir_code take(struct api_call *call)
{
    return snapshot_run(call, begin, answer);
}

void api_snapshot_get(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_GUEST, take);
}
