/* SPDX-License-Identifier: Apache-2.0 */
#include "api/watch.h"

#include "api/codec_rules.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/domain/stream_state.h"

/* A camera says in its first answer what it sends. What takes longer plays as it comes. */
#define CODEC_WAIT_MS 3000
#define QUEUE_WAIT_MS 2000 /* for a place; who has to wait for room waits without us */
#define ASK_PAUSE_MS  500  /* between questions to its worker */

enum weir_code api_watch_read(struct api_call *call, struct api_watching *watching)
{
    return codec_read(weir_http_query(call->req, "video"), &watching->shows_hvc1)
               ? WEIR_OK
               : api_call_refuse(call, 422, "unknown_value", NULL,
                                 "video must be avc1, hvc1, or both with a comma between them");
}

void api_watch_found(const struct api_call *call, struct api_watching *watching,
                     const struct weir_stream_row *row)
{
    bool is_live = weir_stream_state_is_live(row->state);
    watching->starting =
        (struct api_starting){.wish = {.camera_id = row->camera_id,
                                       .profile = {true, true, {row->quality, row->fps}},
                                       .class = api_stream_class(call, row->class)},
                              .phase = is_live ? API_START_NEW : API_START_LIVE,
                              .row = *row};
}

/* ---- what his player shows ---- */

static void stop_waiting(struct api_call *call, struct api_watching *watching)
{
    if (watching->is_watched) {
        api_view_unwatch(call->api->view, call->api->server, watching->token);
    }
    watching->is_watched = false;
}

/* What the camera sends is known to its worker before the first segment of it is there, and mostly
 * before its first keyframe is. */
static bool ask_worker(struct api_call *call, struct api_watching *watching)
{
    const struct weir_stream_row *row = &watching->starting.row;
    watching->live = (struct camera_live){0};
    watching->live.has_lease = camera_live_lease(call, &row->camera_id, &watching->live.lease);
    return camera_live_ask(call, &watching->live);
}

/* Of a stream that is the camera's own, whatever that is, its worker's answer tells, too. */
static void take_answer(struct api_call *call, struct api_watching *watching,
                        struct weir_stream_row *row)
{
    struct weir_ctl_camera_status is;
    bool is_told = watching->is_asking && row->effective.codec[0] == '\0' && row->fps == 0 &&
                   camera_live_read(call, &watching->live, &is) && is.has_video_codec;
    if (is_told && WEIR_STR_SET(row->effective.codec, is.video_codec)) {
        row->effective.width = is.has_width ? is.width : 0;
        row->effective.height = is.has_height ? is.height : 0;
    }
}

/* For its worker's answer, and then for a change of the stream, in turn. False: it was enough. */
static bool wait_for_codec(struct api_call *call, struct api_watching *watching)
{
    const struct weir_stream_row *row = &watching->starting.row;
    int64_t now_ms = weir_clock_mono_ms();
    int64_t most_ms = row->state == WEIR_STREAM_STATE_QUEUED ? QUEUE_WAIT_MS : CODEC_WAIT_MS;
    if (watching->since_mono_ms == 0) {
        watching->since_mono_ms = now_ms;
    }
    if (now_ms - watching->since_mono_ms >= most_ms) {
        return false;
    }
    watching->is_asking = !watching->is_asking && row->fps == 0 && ask_worker(call, watching);
    if (!watching->is_asking) {
        watching->token = api_call_wait(call, now_ms + ASK_PAUSE_MS);
        watching->is_watched = true;
        api_view_watch(call->api->view, &row->stream_id, row->version, call->api->server,
                       watching->token);
    }
    return true;
}

/* Turns to the rendition where one is needed; `call->is_waiting` where that is not known yet. */
static void settle_codec(struct api_call *call, struct api_watching *watching)
{
    struct api_starting *starting = &watching->starting;
    struct weir_stream_row row = starting->row;
    stop_waiting(call, watching);
    if (api_view_stream(call->api->view, &row.stream_id, &row)) {
        starting->row = row;
    }
    take_answer(call, watching, &row);
    enum codec_verdict verdict = codec_judge(&row, watching->shows_hvc1);
    if (verdict == CODEC_UNKNOWN && wait_for_codec(call, watching)) {
        return;
    }
    if (verdict == CODEC_RENDITION && weir_stream_state_is_live(row.state)) {
        watching->is_rendition = true;
        *starting = (struct api_starting){.wish = {.camera_id = row.camera_id,
                                                   .profile = {true, true, codec_rendition(&row)},
                                                   .class = api_stream_class(call, row.class),
                                                   .is_followup = true}};
    }
}

/* ---- all of it ---- */

enum weir_code api_watch(struct api_call *call, struct api_watching *watching, void *state)
{
    struct api_starting *starting = &watching->starting;
    call->state = state;
    enum weir_code code = api_stream_start(call, starting, state);
    if (code == WEIR_OK && starting->phase != API_START_SENT && !watching->is_rendition) {
        settle_codec(call, watching);
        if (watching->is_rendition) {
            code = api_stream_start(call, starting, state);
        }
    }
    if (code != WEIR_OK || call->is_waiting) {
        return code;
    }
    code = api_tickets_mint(call, &watching->minting, &starting->row, &watching->ticket);
    watching->is_ready = code == WEIR_OK && !call->is_waiting;
    return code;
}

void api_watch_write_why(struct weir_json_out *out, const struct api_watching *watching)
{
    char text[WEIR_CEILING_TEXT_MAX];
    if (watching->is_rendition) {
        weir_json_str(out, "why", "the camera sends H.265, which video=hvc1 shows as it is");
    } else if (watching->starting.is_capped) {
        weir_json_str(out, "why", weir_ceiling_format(&watching->starting.ceiling, text));
    } else {
        weir_json_null(out, "why");
    }
}
