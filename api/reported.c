/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reported.h"

#include <string.h>

#include "api/api.h"
#include "api/play.h"
#include "api/playbacks.h"
#include "api/viewings.h"
#include "api/views.h"
#include "lib/base/clock.h"
#include "lib/domain/stream_state.h"

/* Which door reports; who shows the gateway's secret is believed. A gateway's requests are activity
 * by themselves (api/play.h), the CDN's only by its reports. */
static enum weir_ev_audit_viewing_door door_of(const struct weir_http_request *req)
{
    const char *door = weir_http_header(req, "X-Weir-Door");
    return door != NULL && strcmp(door, "gateway") == 0 ? WEIR_EV_AUDIT_VIEWING_DOOR_GATEWAY
                                                        : WEIR_EV_AUDIT_VIEWING_DOOR_CDN;
}

/* For idle time: the stream is not over, and it was not long ago. */
static bool note_activity(const struct api *api, const struct weir_stream_row *row,
                          const struct view_seen *seen)
{
    if (seen->age_ms > VIEWS_AGE_MAX_MS || weir_stream_state_is_final(row->state)) {
        return false;
    }
    api_activity_note(api->activity, &row->tenant_id, &row->stream_id, row->generation,
                      &seen->ticket_id, WEIR_EV_VIEWERS_SOURCE_CDN);
    return true;
}

/* For the limits: the CDN's door lets viewers in without asking, and is told whom it should not
 * (api/front_doors.h). */
static void note_playback(const struct api *api, const struct weir_stream_row *row,
                          const struct view_seen *seen)
{
    struct playback asked = {.tenant_id = row->tenant_id,
                             .viewer_id = seen->viewer_id,
                             .login_id = seen->login_id,
                             .stream_id = row->stream_id};
    if (!weir_id_is_nil(&seen->login_id) && seen->age_ms < PLAYBACKS_LIVE_MS) {
        (void)playbacks_take(api->playbacks, &asked, seen->is_playing, weir_clock_mono_ms());
    }
}

/* For the audit; also what was sent before a stream's end. */
static void note_viewing(const struct api *api, const struct weir_stream_row *row,
                         const struct view_seen *seen, enum weir_ev_audit_viewing_door door)
{
    int64_t now_ms = weir_clock_wall_ms();
    struct weir_ev_audit_viewing record = {.tenant_id = row->tenant_id,
                                           .viewer_id = seen->viewer_id,
                                           .camera_id = row->camera_id,
                                           .stream_id = row->stream_id,
                                           .door = door,
                                           .part_id = seen->part_id,
                                           .ticket_id = seen->ticket_id,
                                           .started_ms = now_ms - seen->since_ms,
                                           .seen_ms = now_ms - seen->age_ms,
                                           .segments = seen->segments,
                                           .bytes = seen->bytes};
    viewings_note(api->viewings, &record, weir_clock_mono_ms());
}

/* True when it counts: the stream is there, and that tenant's. */
static bool note(const struct api *api, const struct view_seen *seen,
                 enum weir_ev_audit_viewing_door door)
{
    struct weir_stream_row row = {0};
    if (!api_view_stream(api->view, &seen->stream_id, &row) ||
        !weir_id_equal(&row.tenant_id, &seen->tenant_id)) {
        return false;
    }
    bool is_noted = door == WEIR_EV_AUDIT_VIEWING_DOOR_CDN && note_activity(api, &row, seen);
    if (is_noted) {
        note_playback(api, &row, seen);
    }
    if (seen->is_counted) {
        note_viewing(api, &row, seen, door);
    }
    return is_noted || seen->is_counted;
}

static bool read_report(struct weir_http_request *req, struct weir_http_response *res,
                        struct view_seen seen[static VIEWS_MAX], size_t *ret_n)
{
    struct weir_json json;
    struct weir_err err = {0};
    struct api_fault fault = {0};
    size_t len;
    const char *body = weir_http_body(req, &len);
    if (weir_json_parse(body, len, res->arena, &json, &err) != WEIR_OK) {
        weir_http_problem(req, res, &err);
        return false;
    }
    if (views_read(&json, seen, ret_n, &fault) != WEIR_OK) {
        weir_http_problem_at(req, res, 422, fault.code, fault.pointer, "%s", fault.detail);
        return false;
    }
    return true;
}

void api_reported_post(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct api *api = ctx;
    size_t n = 0;
    size_t n_noted = 0;
    if (!api_play_is_gateway(api, req)) {
        weir_http_problem_at(req, res, 401, "unauthenticated", NULL,
                             "the gateway's secret is missing or wrong");
        return;
    }
    if (!api_view_is_known(api->view)) {
        weir_http_problem_at(req, res, 503, "unavailable", NULL, "the log is not read yet");
        return;
    }
    struct view_seen *seen = weir_arena_alloc(res->arena, VIEWS_MAX * sizeof(*seen));
    if (!read_report(req, res, seen, &n)) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        n_noted += note(api, &seen[i], door_of(req)) ? 1 : 0;
    }
    const char *text = weir_arena_printf(res->arena, "{\"noted\":%zu}", n_noted);
    weir_http_json(res, 200, text, strlen(text));
    weir_http_add_header(res, "Cache-Control", "no-store");
}
