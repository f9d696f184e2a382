/* SPDX-License-Identifier: Apache-2.0 */
#include "api/camera_live.h"

#include <inttypes.h>

#include "api/fetches.h"
#include "api/play_rules.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/domain/fault.h"

#define ANSWER_MS 1000

bool camera_live_lease(struct api_call *call, const struct weir_id *camera_id,
                       struct weir_lease_row *ret)
{
    return api_view_lease(call->api->view, camera_id, ret) && ret->state != WEIR_LEASE_STATE_NONE &&
           weir_id_equal(&ret->tenant_id, &call->tenant_id);
}

bool camera_live_upstream(struct api_call *call, const struct weir_lease_row *lease,
                          char ret[static CAMERA_LIVE_UPSTREAM_MAX])
{
    struct weir_worker_row worker;
    return api_view_worker(call->api->view, &lease->worker_id, &worker) &&
           worker.incarnation == lease->incarnation &&
           play_upstream(worker.origin_url, ret, CAMERA_LIVE_UPSTREAM_MAX);
}

bool camera_live_ask(struct api_call *call, struct camera_live *live)
{
    char upstream[CAMERA_LIVE_UPSTREAM_MAX];
    if (!live->has_lease || !camera_live_upstream(call, &live->lease, upstream)) {
        return false;
    }
    const char *tenant_id = weir_arena_strdup(call->arena, WEIR_ID_TEXT(&live->lease.tenant_id));
    const char *camera_id = weir_arena_strdup(call->arena, WEIR_ID_TEXT(&live->lease.camera_id));
    const char *url =
        weir_arena_printf(call->arena, "http://%s/camera/v1/%s/%s", upstream, tenant_id, camera_id);
    enum weir_fair_verdict verdict;
    struct fetch_wish wish = {.tenant_id = live->lease.tenant_id,
                              .camera_id = live->lease.camera_id,
                              .url = url,
                              .timeout_ms = ANSWER_MS,
                              .server = call->api->server,
                              .token = api_call_wait(call, weir_clock_mono_ms() + 2 * ANSWER_MS)};
    live->fetch = fetches_begin(call->api->live, &wish, &verdict);
    if (!live->fetch) {
        call->is_waiting = false;
        return false;
    }
    weir_http_on_end(call->req, fetch_release, live->fetch);
    return true;
}

bool camera_live_read(struct api_call *call, const struct camera_live *live,
                      struct weir_ctl_camera_status *ret)
{
    const struct weir_http_answer *answer = live->fetch ? fetch_answer(live->fetch) : NULL;
    struct weir_ctl ctl;
    bool is_read =
        answer && answer->status == 200 &&
        weir_ctl_parse(answer->body, answer->body_len, call->arena, &ctl, NULL) == WEIR_OK &&
        ctl.type == WEIR_CTL_CAMERA_STATUS;
    if (is_read) {
        *ret = ctl.u.camera_status;
    }
    return is_read;
}

/* ---- out ---- */

static void write_lease(struct weir_json_out *out, const struct weir_lease_row *lease)
{
    char since[WEIR_TIME_TEXT_MAX];
    weir_clock_format_ms(lease->since_ms, since);
    weir_json_open(out, "lease", '{');
    weir_json_str(out, "state", weir_lease_state_name(lease->state));
    weir_json_str(out, "reason", lease->reason[0] ? lease->reason : NULL);
    weir_json_str(out, "worker_id", WEIR_ID_TEXT(&lease->worker_id));
    weir_json_str(out, "since", since);
    weir_json_close(out, '}');
}

static void write_int(struct weir_json_out *out, const char *name, bool is_known, int64_t value)
{
    if (is_known) {
        weir_json_int(out, name, value);
    } else {
        weir_json_null(out, name);
    }
}

/* What was done about it. An older worker says nothing of it. */
static void write_actions(struct weir_json_out *out, const struct weir_ctl_camera_status *is)
{
    char text[WEIR_TIME_TEXT_MAX];
    int64_t now_ms = weir_clock_wall_ms();
    if (!is->has_remedies) {
        weir_json_null(out, "actions");
        return;
    }
    weir_json_open(out, "actions", '{');
    weir_json_int(out, "taken", is->remedies);
    bool is_known = is->has_remedy && is->has_remedy_ms;
    weir_json_str(out, "last", is_known ? weir_remedy_name(is->remedy) : NULL);
    weir_json_str(out, "reason", is->has_remedy_reason ? is->remedy_reason : NULL);
    if (is_known) {
        weir_clock_format_ms(now_ms - is->remedy_ms, text);
    }
    weir_json_str(out, "at", is_known ? text : NULL);
    bool must_wait = is->has_remedy_next_ms && is->remedy_next_ms > 0;
    if (must_wait) {
        weir_clock_format_ms(now_ms + is->remedy_next_ms, text);
    }
    weir_json_str(out, "not_before", must_wait ? text : NULL);
    weir_json_close(out, '}');
}

static void write_health(struct weir_json_out *out, const struct weir_ctl_camera_status *is)
{
    char since[WEIR_TIME_TEXT_MAX];
    if (!is->has_health || !is->has_faults || !is->has_health_ms) {
        weir_json_null(out, "health");
        return;
    }
    weir_clock_format_ms(weir_clock_wall_ms() - is->health_ms, since);
    weir_json_open(out, "health", '{');
    weir_json_str(out, "state", weir_picture_health_name(is->health));
    weir_json_open(out, "faults", '[');
    for (int i = 0; i < WEIR_FAULT_N; i++) {
        if ((is->faults >> i & 1) != 0) {
            weir_json_str(out, NULL, weir_fault_name((enum weir_fault)i));
        }
    }
    weir_json_close(out, ']');
    weir_json_str(out, "since", since);
    write_int(out, "faults_seen", is->has_faults_seen, is->faults_seen);
    write_actions(out, is);
    weir_json_close(out, '}');
}

static void write_status(struct api_call *call, struct weir_json_out *out,
                         const struct weir_ctl_camera_status *is)
{
    static const char *const states[WEIR_CTL_CAMERA_STATUS_STATE_N] = {
        [WEIR_CTL_CAMERA_STATUS_STATE_CONNECTING] = "connecting",
        [WEIR_CTL_CAMERA_STATUS_STATE_UP] = "up",
        [WEIR_CTL_CAMERA_STATUS_STATE_FAILING] = "failing"};
    weir_json_open(out, "live", '{');
    weir_json_str(out, "state", states[is->state]);
    weir_json_str(out, "reason", is->has_reason ? is->reason : NULL);
    weir_json_str(out, "detail", is->has_detail && is->detail[0] ? is->detail : NULL);
    if (is->has_video_codec) {
        weir_json_open(out, "video", '{');
        weir_json_str(out, "codec", is->video_codec);
        write_int(out, "width", is->has_width, is->width);
        write_int(out, "height", is->has_height, is->height);
        weir_json_close(out, '}');
    } else {
        weir_json_null(out, "video");
    }
    weir_json_str(out, "transport", is->has_transport ? weir_transport_name(is->transport) : NULL);
    write_int(out, "bitrate_bps", is->has_bitrate_bps, is->bitrate_bps);
    weir_json_raw(out, "fps",
                  is->has_fps_milli ? weir_arena_printf(call->arena, "%" PRId64 ".%03" PRId64,
                                                        is->fps_milli / 1000, is->fps_milli % 1000)
                                    : "null");
    write_int(out, "gop_ms", is->has_gop_ms, is->gop_ms);
    weir_json_int(out, "ring_ms", is->ring_ms);
    weir_json_int(out, "ring_bytes", is->ring_bytes);
    write_int(out, "gaps", is->has_gaps, is->gaps);
    write_int(out, "reconnects", is->has_reconnects, is->reconnects);
    write_health(out, is);
    if (is->has_cpu_ppm && is->has_mem_bytes) {
        weir_json_open(out, "cost", '{');
        weir_json_int(out, "cpu_ppm", is->cpu_ppm);
        weir_json_int(out, "mem_bytes", is->mem_bytes);
        weir_json_close(out, '}');
    } else {
        weir_json_null(out, "cost");
    }
    weir_json_close(out, '}');
}

void camera_live_write(struct api_call *call, const struct camera_live *live,
                       struct weir_json_out *out)
{
    struct weir_ctl_camera_status status;
    if (!live->has_lease) {
        weir_json_null(out, "lease");
        weir_json_null(out, "live");
        return;
    }
    write_lease(out, &live->lease);
    if (camera_live_read(call, live, &status)) {
        write_status(call, out, &status);
    } else {
        weir_json_null(out, "live");
    }
}
