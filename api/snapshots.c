/* SPDX-License-Identifier: Apache-2.0 */
#include "api/snapshots.h"

#include "api/snapshot_take.h"
#include "lib/base/clock.h"

/* ---- the question ---- */

static enum weir_code read_query(struct api_call *call, struct snapshot_query *ret)
{
    struct api_fault fault = {0};
    enum weir_code code = snapshot_check_parameters(call, snapshot_parameters);
    if (code == WEIR_OK && snapshot_query_read(snapshot_parameter, call->req, weir_clock_wall_us(),
                                               ret, &fault) != WEIR_OK) {
        code = api_call_refuse(call, 422, fault.code, NULL, "%s", fault.detail);
    }
    return code;
}

/* ---- the answer ---- */

static void add_headers(struct api_call *call, const struct snapshot_taking *taking,
                        const struct weir_json *about)
{
    int64_t frame_us = snapshot_number(about, "frame_us");
    int64_t at_us = snapshot_moment(&taking->query, about);
    const char *source = weir_json_find_str(about, "source");
    weir_http_add_header(call->res, "Cache-Control", "private, no-cache");
    weir_http_add_header(call->res, "Weir-Requested-Time", snapshot_time_text(call, at_us));
    weir_http_add_header(call->res, "Weir-Frame-Error-Ms",
                         snapshot_ms_text(call, frame_us - at_us));
    weir_http_add_header(call->res, "Weir-Time-Source", source ? source : "arrival");
    if (weir_json_find(about, "clock_offset_us")) {
        weir_http_add_header(call->res, "Weir-Clock-Offset-Ms",
                             snapshot_ms_text(call, snapshot_number(about, "clock_offset_us")));
    }
    if (weir_json_find(about, "clock_scatter_us")) {
        weir_http_add_header(call->res, "Weir-Clock-Scatter-Ms",
                             snapshot_ms_text(call, snapshot_number(about, "clock_scatter_us")));
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
    return snapshot_begin(call, taking, read_query);
}

static enum weir_code take(struct api_call *call)
{
    return snapshot_run(call, begin, answer);
}

void api_snapshot_get(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_GUEST, take);
}
