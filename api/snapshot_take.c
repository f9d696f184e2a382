/* SPDX-License-Identifier: Apache-2.0 */
#include "api/snapshot_take.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/camera_live.h"
#include "api/fetches.h"
#include "api/keys.h"
#include "api/rights.h"
#include "api/sources.h"
#include "api/ticket_ids.h"
#include "api/ticket_quota.h"
#include "lib/base/clock.h"
#include "lib/domain/stream_state.h"

/* Beside what a frame is waited for: decoding, and one's turn at it. */
#define MAKE_MS 9000
/* For a camera that is started; then 202. */
#define START_MS    8000
#define START_CLASS 2 /* those who watch come first */

/* ---- texts ---- */

const char *snapshot_time_text(struct api_call *call, int64_t wall_us)
{
    char text[WEIR_TIME_TEXT_MAX];
    weir_clock_format_ms(wall_us / 1000, text);
    /* Microseconds, as RFC 3339 allows: half a frame at 60 fps is 8 ms. */
    size_t len = strlen(text);
    return weir_arena_printf(call->arena, "%.*s%03dZ", (int)len - 1, text, (int)(wall_us % 1000));
}

int64_t snapshot_number(const struct weir_json *json, const char *name)
{
    const struct weir_json *value = weir_json_find(json, name);
    return value && value->type == WEIR_JSON_INT ? value->integer : 0;
}

const char *snapshot_ms_text(struct api_call *call, int64_t us)
{
    return weir_arena_printf(call->arena, "%s%" PRId64 ".%" PRId64, us < 0 ? "-" : "",
                             (us < 0 ? -us : us) / 1000, (us < 0 ? -us : us) % 1000 / 100);
}

int64_t snapshot_moment(const struct snapshot_query *query, const struct weir_json *about)
{
    return weir_json_find(about, "at_us") ? snapshot_number(about, "at_us") : query->at_us;
}

/* ---- the question ---- */

const char *snapshot_parameter(void *req, const char *name)
{
    return weir_http_query(req, name);
}

static bool is_known(const char *const *known, const char *name)
{
    size_t i = 0;
    while (known[i] && strcmp(known[i], name) != 0) {
        i++;
    }
    return known[i] != NULL;
}

enum weir_code snapshot_check_parameters(struct api_call *call, const char *const *known)
{
    const char *name;
    const char *value;
    for (size_t at = 0; weir_http_next_query(call->req, &at, &name, &value);) {
        if (!is_known(known, name)) {
            return api_call_refuse(call, 422, "unknown_parameter", NULL,
                                   "the query has a parameter that is not known here");
        }
    }
    return WEIR_OK;
}

/* ---- may he? ---- */

/* A camera of the tenant, which is not stopped. */
enum weir_code snapshot_check_camera(struct api_call *call, const struct weir_id *camera_id,
                                     struct weir_ceiling *ret)
{
    struct api *api = call->api;
    struct api_source_wish wish = {.tenant_id = call->tenant_id, .camera_id = *camera_id};
    struct api_known_camera camera = {0};
    bool has_asked = false;
    enum weir_code code = api_rights_see_camera(call, camera_id);
    if (code == WEIR_OK) {
        code = api_sources_find(api, &wish, call->arena, &camera, &has_asked, &call->err);
    }
    if (code == WEIR_ENOTFOUND && call->res->status == 0) {
        return api_call_not_found(call);
    }
    if (code == WEIR_OK && camera.is_stopped) {
        return api_call_refuse(call, 403, "tenant_stopped", NULL, "the tenant is stopped");
    }
    if (code == WEIR_OK) {
        *ret = camera.ceiling;
    }
    return code;
}

/* Lowers what is asked for to what he may see of it. */
static enum weir_code check_and_cap(struct api_call *call, struct snapshot_taking *taking)
{
    struct weir_ceiling ceiling = {0};
    enum weir_code code = snapshot_check_camera(call, &taking->camera_id, &ceiling);
    if (code == WEIR_OK) {
        snapshot_query_cap(&taking->query, &ceiling);
    }
    return code;
}

enum weir_code snapshot_may(struct api_call *call, struct snapshot_taking *taking)
{
    enum weir_code code = api_call_check_again(call);
    return code == WEIR_OK ? check_and_cap(call, taking) : code;
}

enum weir_code snapshot_check_quota(struct api_call *call, const struct weir_id *viewer_id)
{
    const struct api_settings *settings = call->api->settings;
    struct weir_id own = ticket_viewer_id(&call->tenant_id, &call->who.subject);
    int64_t retry_ms = 0;
    enum ticket_quota_verdict verdict =
        ticket_quota_take(call->api->snapshot_quota, &call->tenant_id, viewer_id ? viewer_id : &own,
                          weir_clock_mono_ms(), &retry_ms);
    if (verdict == TICKET_QUOTA_OK) {
        return WEIR_OK;
    }
    bool is_viewer = verdict == TICKET_QUOTA_VIEWER;
    weir_http_add_header(call->res, "Retry-After",
                         weir_arena_printf(call->arena, "%" PRId64, (retry_ms + 999) / 1000));
    return api_call_refuse(
        call, 429, "quota_exceeded", NULL, "the %s's limit is %" PRId64 " snapshots in ten seconds",
        is_viewer ? "viewer" : "tenant",
        is_viewer ? settings->snapshots_viewer_max : settings->snapshots_tenant_max);
}

enum weir_code snapshot_begin(struct api_call *call, struct snapshot_taking *taking,
                              snapshot_read_fn *read)
{
    taking->may = snapshot_may;
    enum weir_code code = api_call_id(call, "camera_id", &taking->camera_id);
    if (code == WEIR_OK) {
        code = read(call, &taking->query);
    }
    if (code == WEIR_OK) {
        code = check_and_cap(call, taking);
    }
    return code == WEIR_OK ? snapshot_check_quota(call, NULL) : code;
}

/* ---- where from? ---- */

static enum weir_code refuse_gone(struct api_call *call)
{
    return api_call_refuse(call, 410, "snapshot_gone", NULL,
                           "the picture is not kept any more; take another one");
}

static enum weir_code refuse_not_running(struct api_call *call, const struct snapshot_query *query)
{
    if (query->has_ts) {
        return refuse_gone(call);
    }
    return api_call_refuse(call, 409, "not_running", NULL,
                           "nothing reads this camera now: start a stream of it, or keep it warm, "
                           "and ask again");
}

/* The stream ended before there was a picture; it says why. */
static enum weir_code refuse_not_started(struct api_call *call, const struct weir_stream_row *row)
{
    weir_http_add_header(
        call->res, "Location",
        weir_arena_printf(call->arena, "/v1/streams/%s", WEIR_ID_TEXT(&row->stream_id)));
    return api_call_refuse(call, 409, "not_running", NULL, "its stream is %s (%s)",
                           weir_stream_state_name(row->state),
                           row->reason[0] ? row->reason : "no reason");
}

/* What weir-origin is asked, or NULL: no worker has the camera. */
static const char *url_of(struct api_call *call, const struct snapshot_taking *taking)
{
    const struct snapshot_query *query = &taking->query;
    struct weir_lease_row lease;
    char upstream[CAMERA_LIVE_UPSTREAM_MAX];
    if (!camera_live_lease(call, &taking->camera_id, &lease) ||
        !camera_live_upstream(call, &lease, upstream)) {
        return NULL;
    }
    return weir_arena_printf(
        call->arena,
        "http://%s/still/v1/%s/%s?at_us=%" PRId64 "&mode=%s&tolerance_us=%" PRId64
        "&wait_ms=%" PRId64 "&format=%s&width=%" PRId64 "&quality=%" PRId64
        "&long_side=%d&short_side=%d%s%s",
        upstream, weir_arena_strdup(call->arena, WEIR_ID_TEXT(&call->tenant_id)),
        weir_arena_strdup(call->arena, WEIR_ID_TEXT(&taking->camera_id)), query->at_us, query->mode,
        query->tolerance_us, query->wait_ms, snapshot_format_name(query->format), query->width,
        query->quality, query->box.long_side, query->box.short_side,
        query->has_ts ? weir_arena_printf(call->arena, "&ts=%" PRId64, query->ts) : "",
        query->is_now ? "&is_now=1" : "");
}

/* ---- the picture ---- */

void snapshot_add_range(struct api_call *call, const struct weir_json *about)
{
    if (weir_json_find(about, "from_us") && weir_json_find(about, "to_us")) {
        weir_http_add_header(call->res, "Weir-Ring-From",
                             snapshot_time_text(call, snapshot_number(about, "from_us")));
        weir_http_add_header(call->res, "Weir-Ring-To",
                             snapshot_time_text(call, snapshot_number(about, "to_us")));
    }
}

static enum weir_code refuse_busy(struct api_call *call)
{
    weir_http_add_header(call->res, "Retry-After", "1");
    return api_call_refuse(call, 503, "unavailable", NULL,
                           "no picture could be made now; ask again");
}

/* Nothing was begun: who has too many already? */
static enum weir_code refuse_full(struct api_call *call, enum weir_fair_verdict verdict)
{
    static const char *const whose[] = {[WEIR_FAIR_CAMERA_FULL] = "of this camera",
                                        [WEIR_FAIR_TENANT_FULL] = "of this tenant",
                                        [WEIR_FAIR_FULL] = "in all"};
    weir_http_add_header(call->res, "Retry-After", "1");
    return api_call_refuse(call, 503, "unavailable", NULL,
                           "too many pictures %s are being made or waited for here; wait for "
                           "some of them, then ask again",
                           whose[verdict]);
}

static enum weir_code refuse_as_worker(struct api_call *call, const struct snapshot_query *query,
                                       int status, const struct weir_json *about)
{
    static const struct {
        const char *code;
        const char *detail;
    } known[] = {
        {"no_picture_yet", "the camera has sent nothing that could be shown; see its streams"},
        {"no_picture_near", "no frame lies that near to the time; tolerance_ms allows more"},
        {"outside_ring", "the time lies before what is kept; Weir-Ring-From says what is"},
        {"group_too_large",
         "too much lies between the keyframe and this frame; mode=keyframe takes less"},
        {"undecodable", "the frame came broken from the camera"},
        {"picture_too_large", "the picture is larger than can be made"},
    };
    const char *code = weir_json_find_str(about, "code");
    for (size_t i = 0; code && i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i].code, code) == 0) {
            if (query->has_ts) {
                return refuse_gone(call);
            }
            snapshot_add_range(call, about);
            return api_call_refuse(call, status == 410 ? 410 : 409, known[i].code, NULL, "%s",
                                   known[i].detail);
        }
    }
    return status == 404 ? refuse_not_running(call, query) : refuse_busy(call);
}

int snapshot_collect(struct api_call *call, const struct snapshot_taking *taking,
                     struct snapshot_taken *ret)
{
    const struct weir_http_answer *is = fetch_answer(taking->fetch);
    const char *line_end = is ? memchr(is->body, '\n', is->body_len) : NULL;
    size_t line_len = is ? is->body_len : 0;
    *ret = (struct snapshot_taken){0};
    if (is && is->status == 200 && line_end) {
        line_len = (size_t)(line_end - is->body);
    }
    if (!is || weir_json_parse(is->body, line_len, call->arena, &ret->about, NULL) != WEIR_OK ||
        (is->status == 200 && !line_end)) {
        return 503;
    }
    if (is->status == 200) {
        ret->image = line_end + 1;
        ret->len = is->body_len - line_len - 1;
    }
    return is->status;
}

enum weir_code snapshot_refuse(struct api_call *call, const struct snapshot_taking *taking,
                               int status, const struct snapshot_taken *taken)
{
    return taken->about.type == WEIR_JSON_OBJ
               ? refuse_as_worker(call, &taking->query, status, &taken->about)
               : refuse_busy(call);
}

/* A moment that is to come is waited for here, where that costs nobody a thread. */
static bool wait_for_moment(struct api_call *call, struct snapshot_taking *taking)
{
    int64_t ahead_ms = (taking->query.at_us - weir_clock_wall_us()) / 1000;
    if (ahead_ms <= 0 || taking->is_ahead) {
        return false;
    }
    ahead_ms = ahead_ms < SNAPSHOT_AHEAD_MS ? ahead_ms : SNAPSHOT_AHEAD_MS;
    taking->is_ahead = true;
    call->state = taking;
    api_call_wait(call, weir_clock_mono_ms() + ahead_ms);
    return true;
}

enum weir_code snapshot_fetch(struct api_call *call, struct snapshot_taking *taking)
{
    if (wait_for_moment(call, taking)) {
        return WEIR_OK;
    }
    enum weir_code code = taking->is_ahead ? taking->may(call, taking) : WEIR_OK;
    taking->is_ahead = false;
    if (code != WEIR_OK) {
        return code;
    }
    const char *url = url_of(call, taking);
    if (!url) {
        return refuse_not_running(call, &taking->query);
    }
    int64_t timeout_ms = taking->query.wait_ms + MAKE_MS;
    enum weir_fair_verdict verdict;
    struct fetch_wish wish = {.tenant_id = call->tenant_id,
                              .camera_id = taking->camera_id,
                              .url = url,
                              .timeout_ms = timeout_ms,
                              .server = call->api->server,
                              .token =
                                  api_call_wait(call, weir_clock_mono_ms() + timeout_ms + 1000)};
    taking->fetch = fetches_begin(call->api->fetches, &wish, &verdict);
    if (!taking->fetch) {
        call->is_waiting = false;
        return refuse_full(call, verdict);
    }
    weir_http_on_end(call->req, fetch_release, taking->fetch);
    call->state = taking;
    return WEIR_OK;
}

/* ---- a camera that is started ---- */

static enum weir_code answer_started(struct api_call *call, const struct weir_stream_row *row)
{
    struct weir_json_out out = {0};
    weir_http_add_header(
        call->res, "Location",
        weir_arena_printf(call->arena, "/v1/streams/%s", WEIR_ID_TEXT(&row->stream_id)));
    weir_http_add_header(call->res, "Retry-After", "1");
    weir_json_open(&out, NULL, '{');
    weir_json_str(&out, "stream_id", WEIR_ID_TEXT(&row->stream_id));
    weir_json_str(&out, "state", weir_stream_state_name(row->state));
    weir_json_str(&out, "reason", row->reason[0] ? row->reason : NULL);
    weir_json_close(&out, '}');
    api_call_json(call, 202, &out);
    return WEIR_OK;
}

static enum weir_code wait_for_stream(struct api_call *call, struct snapshot_taking *taking,
                                      const struct weir_stream_row *row)
{
    if (weir_clock_mono_ms() >= taking->start_until_mono_ms) {
        return answer_started(call, row);
    }
    taking->token = api_call_wait(call, taking->start_until_mono_ms);
    taking->is_watched = true;
    call->state = taking;
    api_view_watch(call->api->view, &row->stream_id, row->version, call->api->server,
                   taking->token);
    return WEIR_OK;
}

/* Until its stream runs. Nothing is held meanwhile. */
static enum weir_code start_first(struct api_call *call, struct snapshot_taking *taking)
{
    struct api_starting *starting = &taking->starting;
    enum api_start_phase was = starting->phase;
    if (was == API_START_NEW) {
        starting->wish = (struct api_start_wish){
            .camera_id = taking->camera_id,
            .profile = {.names_quality = true,
                        .names_fps = true,
                        .profile = {.quality = WEIR_QUALITY_SOURCE, .fps = 0}},
            .class = START_CLASS};
        taking->start_until_mono_ms = weir_clock_mono_ms() + START_MS;
    }
    if (taking->is_watched) {
        api_view_unwatch(call->api->view, call->api->server, taking->token);
        taking->is_watched = false;
    }
    enum weir_code code = api_stream_start(call, starting, taking);
    if (code != WEIR_OK || starting->phase == API_START_SENT) {
        return code;
    }
    struct weir_stream_row row = starting->row;
    bool is_there = api_view_stream(call->api->view, &row.stream_id, &row);
    if (!is_there || !weir_stream_state_is_live(row.state)) {
        return refuse_not_started(call, &row);
    }
    if (row.state != WEIR_STREAM_STATE_RUNNING) {
        return wait_for_stream(call, taking, &row);
    }
    if (was != API_START_NEW) {
        snapshot_query_set_now(&taking->query, weir_clock_wall_us());
        code = taking->may(call, taking); /* that was a while ago */
    }
    return code == WEIR_OK ? snapshot_fetch(call, taking) : code;
}

/* Whether nothing reads the camera, or what does has nothing of it so far. */
static bool needs_start(int status, const struct weir_json *about)
{
    const char *code = weir_json_find_str(about, "code");
    return status == 404 || (code && strcmp(code, "no_picture_yet") == 0);
}

/* The worker that has the camera was asked in vain, and that was a while ago. */
static enum weir_code start_instead(struct api_call *call, struct snapshot_taking *taking)
{
    taking->fetch = NULL; /* the request releases it */
    snapshot_query_set_now(&taking->query, weir_clock_wall_us());
    enum weir_code code = taking->may(call, taking);
    return code == WEIR_OK ? start_first(call, taking) : code;
}

/* Who reads the camera is asked first: a picture of it needs no stream. */
static enum weir_code take(struct api_call *call, struct snapshot_taking *taking,
                           struct snapshot_taken *ret)
{
    bool is_starting = taking->starting.phase != API_START_NEW;
    bool may_start = taking->query.starts && !is_starting;
    if (!taking->fetch) {
        return is_starting || (may_start && !url_of(call, taking)) ? start_first(call, taking)
                                                                   : snapshot_fetch(call, taking);
    }
    int status = snapshot_collect(call, taking, ret);
    if (may_start && needs_start(status, &ret->about)) {
        return start_instead(call, taking);
    }
    return status == 200 ? WEIR_OK : snapshot_refuse(call, taking, status, ret);
}

enum weir_code snapshot_run(struct api_call *call, snapshot_begin_fn *begin, snapshot_end_fn *end)
{
    struct snapshot_taking *taking = call->state;
    struct snapshot_taken taken = {0};
    enum weir_code code = WEIR_OK;
    if (!taking) {
        taking = weir_arena_alloc(call->arena, sizeof(*taking));
        *taking = (struct snapshot_taking){0};
        code = begin(call, taking);
    }
    if (code == WEIR_OK) {
        code = take(call, taking, &taken);
    }
    return code == WEIR_OK && taken.image ? end(call, taking, &taken) : code;
}

/* ---- showing it ---- */

const char *snapshot_media_type(enum weir_still_format format)
{
    static const char *const types[] = {"image/jpeg", "image/png", "image/webp", "image/avif"};
    return types[format];
}

bool snapshot_is_damaged(const struct weir_json *about)
{
    const struct weir_json *damaged = weir_json_find(about, "is_damaged");
    return damaged && damaged->type == WEIR_JSON_BOOL && damaged->boolean;
}

static bool is_fresh(const struct api_call *call, const char *etag)
{
    const char *list = weir_http_header(call->req, "If-None-Match");
    return list && strstr(list, etag);
}

void snapshot_show(struct api_call *call, const struct snapshot_query *query,
                   const struct snapshot_taken *taken)
{
    int64_t frame_us = snapshot_number(&taken->about, "frame_us");
    /* The frame, and what was made of it. */
    const char *etag = weir_arena_printf(
        call->arena, "\"%" PRId64 "-%s-%" PRId64 "-%" PRId64 "-%d\"", frame_us,
        snapshot_format_name(query->format), query->width, query->quality, query->box.short_side);
    weir_http_add_header(call->res, "ETag", etag);
    weir_http_add_header(call->res, "Weir-Frame-Time", snapshot_time_text(call, frame_us));
    if (snapshot_is_damaged(&taken->about)) {
        weir_http_add_header(call->res, "Weir-Frame-Damaged", "true");
    }
    call->res->content_type = snapshot_media_type(query->format);
    if (is_fresh(call, etag)) {
        call->res->status = 304;
    } else {
        call->res->status = 200;
        call->res->body = taken->image;
        call->res->body_len = taken->len;
    }
}
