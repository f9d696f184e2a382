/* SPDX-License-Identifier: Apache-2.0 */
#include "api/streams.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/keys.h"
#include "api/rights.h"
#include "api/watch.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/domain/stream_state.h"

enum { F_CAMERA, F_QUALITY, F_FPS, F_CLASS, N_FIELDS };

static const char *const qualities[] = {"source", "low", "medium", "high", "ultra", NULL};

static const struct api_field start_fields[N_FIELDS] = {
    [F_CAMERA] = {"/camera_id", API_ID, .is_required = true},
    [F_QUALITY] = {"/quality", API_ENUM, .names = qualities},
    [F_FPS] = {"/fps", API_INT, .min = 0, .max = WEIR_FPS_MAX},
    [F_CLASS] = {"/class", API_INT, .min = 0, .max = 3},
};

/* ---- out ---- */

static void write_time(struct weir_json_out *out, const char *name, int64_t wall_ms)
{
    char text[WEIR_TIME_TEXT_MAX];
    if (wall_ms <= 0) {
        weir_json_null(out, name);
        return;
    }
    weir_clock_format_ms(wall_ms, text);
    weir_json_str(out, name, text);
}

/* What is said of a stream's sound. */
static const struct {
    const char *codec; /* NULL: nothing is heard */
    const char *how;
    const char *why;
} audio_texts[WEIR_STREAM_AUDIO_N] = {
    [WEIR_STREAM_AUDIO_OFF] = {NULL, "none", "sound is switched off"},
    [WEIR_STREAM_AUDIO_ABSENT] = {NULL, "none", "the camera sends none"},
    [WEIR_STREAM_AUDIO_UNFIT] = {NULL, "none",
                                 "players show the camera's kind neither as it is nor made "
                                 "into another"},
    [WEIR_STREAM_AUDIO_AAC] = {"mp4a", "passthrough", "as the camera sends it"},
    [WEIR_STREAM_AUDIO_OPUS] = {"opus", "passthrough", "as the camera sends it"},
    [WEIR_STREAM_AUDIO_MADE] = {"mp4a", "transcode",
                                "the camera sends G.711 or G.726, which no player takes"},
};

static void write_audio(struct weir_json_out *out, const struct weir_effective *effective)
{
    if (!effective->has_audio) {
        weir_json_null(out, "audio");
        return;
    }
    weir_json_open(out, "audio", '{');
    weir_json_str(out, "codec", audio_texts[effective->audio].codec);
    weir_json_str(out, "how", audio_texts[effective->audio].how);
    weir_json_str(out, "why", audio_texts[effective->audio].why);
    weir_json_close(out, '}');
}

static void write_effective(struct weir_json_out *out, const struct weir_effective *effective)
{
    if (effective->codec[0] == '\0') {
        weir_json_null(out, "effective");
        return;
    }
    weir_json_open(out, "effective", '{');
    weir_json_str(out, "codec", effective->codec);
    weir_json_int(out, "width", effective->width);
    weir_json_int(out, "height", effective->height);
    weir_json_int(out, "fps", effective->fps);
    weir_json_int(out, "bitrate", effective->bitrate_bps);
    weir_json_str(out, "how", weir_rendition_how_name(effective->how));
    weir_json_str(out, "why", effective->why);
    write_audio(out, effective);
    weir_json_str(out, "encoder",
                  effective->has_encoder ? weir_encoder_name(effective->encoder) : NULL);
    weir_json_close(out, '}');
}

/* The object stays open. */
static void write_row(struct weir_json_out *out, const char *name,
                      const struct weir_stream_row *row)
{
    bool is_placed = !weir_id_is_nil(&row->worker_id);
    weir_json_open(out, name, '{');
    weir_json_str(out, "id", WEIR_ID_TEXT(&row->stream_id));
    weir_json_str(out, "camera_id", WEIR_ID_TEXT(&row->camera_id));
    weir_json_str(out, "quality", weir_quality_name(row->quality));
    weir_json_int(out, "fps", row->fps);
    weir_json_int(out, "class", row->class);
    weir_json_str(out, "state", weir_stream_state_name(row->state));
    weir_json_str(out, "reason", row->reason[0] ? row->reason : NULL);
    weir_json_str(out, "detail", row->detail[0] ? row->detail : NULL);
    weir_json_int(out, "version", row->version < 0 ? 0 : row->version + 1);
    weir_json_int(out, "generation", row->generation);
    weir_json_str(out, "worker_id", is_placed ? WEIR_ID_TEXT(&row->worker_id) : NULL);
    write_effective(out, &row->effective);
    write_time(out, "queued_at", row->queued_at_ms);
    write_time(out, "placed_at", row->placed_at_ms);
    write_time(out, "changed_at", row->changed_at_ms);
}

static void write_stream(struct weir_json_out *out, const char *name,
                         const struct weir_stream_row *row)
{
    write_row(out, name, row);
    weir_json_close(out, '}');
}

/* What was asked for, where the ceiling made something else of it. */
static void write_capped(struct weir_json_out *out, const struct api_starting *starting)
{
    char why[WEIR_CEILING_TEXT_MAX];
    if (!starting->is_capped) {
        weir_json_null(out, "capped");
        return;
    }
    weir_json_open(out, "capped", '{');
    weir_json_str(out, "quality", weir_quality_name(starting->asked.quality));
    weir_json_int(out, "fps", starting->asked.fps);
    weir_json_str(out, "why", weir_ceiling_format(&starting->ceiling, why));
    weir_json_close(out, '}');
}

void api_streams_write(struct weir_json_out *out, const char *name,
                       const struct api_starting *starting)
{
    write_row(out, name, &starting->row);
    write_capped(out, starting);
    weir_json_close(out, '}');
}

/* What clients see as version: 0 before the log has said anything, else offset + 1. */
static int64_t shown_version(const struct weir_stream_row *row)
{
    return row->version < 0 ? 0 : row->version + 1;
}

static void answer(struct api_call *call, int status, const struct weir_stream_row *row)
{
    struct weir_json_out out = {0};
    write_stream(&out, NULL, row);
    api_call_set_etag(call, shown_version(row));
    api_call_json(call, status, &out);
}

/* ---- finding ---- */

static enum weir_code check_known(struct api_call *call)
{
    return api_view_is_known(call->api->view)
               ? WEIR_OK
               : weir_fail(&call->err, WEIR_EUNAVAILABLE, "the decision log is not read yet");
}

/* Whether a stream of the tenant (`row` NULL: there is none) is shown to the caller. */
static enum weir_code check_shown(struct api_call *call, const struct weir_stream_row *row,
                                  bool *ret_is_shown)
{
    *ret_is_shown = row != NULL;
    return api_rights_by_role(call, WEIR_ROLE_VIEWER)
               ? WEIR_OK
               : api_rights_ask(call, row ? &row->camera_id : NULL, WEIR_ROLE_VIEWER, ret_is_shown);
}

/* What the view does not know may have been accepted by another api a moment ago; another tenant's
 * is looked for just as long, so that nobody can tell it from one that is not there. So is what a
 * guest was not granted. */
enum weir_code api_streams_find(struct api_call *call, struct weir_stream_row *ret)
{
    struct weir_id id;
    enum weir_code code = check_known(call);
    if (code == WEIR_OK) {
        code = api_call_id(call, "stream_id", &id);
    }
    if (code != WEIR_OK) {
        return code;
    }
    bool is_there = api_view_stream(call->api->view, &id, ret) &&
                    weir_id_equal(&ret->tenant_id, &call->tenant_id);
    bool is_shown = false;
    code = check_shown(call, is_there ? ret : NULL, &is_shown);
    if (code != WEIR_OK || is_shown) {
        return code;
    }
    bool is_certain = false;
    code = api_call_sync(call, &is_certain);
    if (code != WEIR_OK) {
        return code;
    }
    if (is_there && is_certain) {
        api_rights_note_denied(call, "stream", &id);
    }
    return is_certain ? api_call_not_found(call)
                      : weir_fail(&call->err, WEIR_EUNKNOWN, "the commands are being read");
}

/* ---- sending commands ---- */

/* What a stop keeps while its command is on its way; in its arena. */
struct sent {
    struct api_sent command;
    struct weir_stream_row expected;
};

/* ---- start ---- */

static void set_location(struct api_call *call, const struct weir_id *stream_id)
{
    weir_http_add_header(call->res, "Location",
                         weir_arena_printf(call->arena, "/v1/streams/%s", WEIR_ID_TEXT(stream_id)));
}

/* Once the stream lives or its start was accepted. */
static int answer_start(struct api_call *call, const struct api_starting *starting)
{
    bool is_live = starting->phase == API_START_LIVE;
    set_location(call, &starting->row.stream_id);
    if (!is_live) {
        weir_http_add_header(call->res, "Retry-After", "1");
    }
    return is_live ? 200 : 202;
}

/* 0 frames a second are named, too: as the camera sends them. */
static struct profile_wish wish_of(const struct api_value *quality, const struct api_value *fps)
{
    return (struct profile_wish){
        .names_quality = quality->is_given,
        .names_fps = fps->is_given,
        .profile = {(enum weir_quality)quality->integer, fps->integer},
    };
}

static enum weir_code start(struct api_call *call)
{
    struct api_starting *starting = call->state;
    struct api_value values[N_FIELDS];
    enum weir_code code = WEIR_OK;
    if (!starting) {
        starting = weir_arena_alloc(call->arena, sizeof(*starting));
        *starting = (struct api_starting){0};
        code = api_call_body(call, start_fields, N_FIELDS, values);
        if (code == WEIR_OK) {
            starting->wish = (struct api_start_wish){
                .camera_id = values[F_CAMERA].id,
                .profile = wish_of(&values[F_QUALITY], &values[F_FPS]),
                .class = values[F_CLASS].is_given ? values[F_CLASS].integer : API_CLASS_DEFAULT,
            };
            code = check_known(call);
        }
        if (code == WEIR_OK &&
            api_stream_class(call, starting->wish.class) != starting->wish.class) {
            return api_call_refuse(call, 403, "forbidden", NULL,
                                   "class 0 is for operators: leave it out, or ask for 1 to 3");
        }
        if (code == WEIR_OK) {
            code = api_rights_see_camera(call, &values[F_CAMERA].id);
        }
    }
    if (code == WEIR_OK) {
        code = api_stream_start(call, starting, starting);
    }
    if (code != WEIR_OK || starting->phase == API_START_SENT) {
        return code;
    }
    int status = answer_start(call, starting);
    struct weir_json_out out = {0};
    api_streams_write(&out, NULL, starting);
    api_call_set_etag(call, shown_version(&starting->row));
    api_call_json(call, status, &out);
    return WEIR_OK;
}

/* ---- change ---- */

enum { C_QUALITY, C_FPS, C_FIELDS };

static const struct api_field change_fields[C_FIELDS] = {
    [C_QUALITY] = {"/quality", API_ENUM, .names = qualities},
    [C_FPS] = {"/fps", API_INT, .min = 0, .max = WEIR_FPS_MAX},
};

static enum weir_code read_change(struct api_call *call, struct api_watching *ret)
{
    struct api_value values[C_FIELDS];
    struct weir_stream_row row;
    enum weir_code code = api_call_body(call, change_fields, C_FIELDS, values);
    if (code == WEIR_OK) {
        code = api_streams_find(call, &row);
    }
    if (code != WEIR_OK || call->is_waiting) {
        return code;
    }
    if (!values[C_QUALITY].is_given && !values[C_FPS].is_given) {
        return api_call_refuse(call, 422, "missing_field", "/quality",
                               "quality or fps must be there");
    }
    /* What is not named stays; the camera's defaults are for starts. */
    struct profile_wish wish = wish_of(&values[C_QUALITY], &values[C_FPS]);
    struct weir_profile is = {row.quality, row.fps};
    ret->starting.wish = (struct api_start_wish){
        .camera_id = row.camera_id,
        .profile = {true, true, ceilings_fill(&wish, &is)},
        .class = api_stream_class(call, row.class),
    };
    return WEIR_OK;
}

/* A stream's profile never changes: there is another stream, and a ticket for it. */
static enum weir_code change(struct api_call *call)
{
    struct api_watching *watching = call->state;
    enum weir_code code = WEIR_OK;
    if (!watching) {
        watching = weir_arena_alloc(call->arena, sizeof(*watching));
        *watching = (struct api_watching){0};
        code = api_watch_read(call, watching);
        if (code == WEIR_OK) {
            code = read_change(call, watching);
        }
    }
    if (code == WEIR_OK && !call->is_waiting) {
        code = api_watch(call, watching, watching);
    }
    if (code != WEIR_OK || !watching->is_ready) {
        return code;
    }
    struct weir_json_out out = {0};
    weir_json_open(&out, NULL, '{');
    api_watch_write_why(&out, watching);
    api_streams_write(&out, "stream", &watching->starting);
    weir_json_open(&out, "ticket", '{');
    api_tickets_write(&out, &watching->ticket);
    weir_json_close(&out, '}');
    weir_json_close(&out, '}');
    api_call_json(call, answer_start(call, &watching->starting), &out);
    return WEIR_OK;
}

/* ---- stop ---- */

static enum weir_code finish_stop(struct api_call *call, struct sent *sent)
{
    enum weir_code code = api_command_collect(call, &sent->command);
    if (code == WEIR_OK) {
        struct weir_stream_row row = sent->expected;
        api_view_stream(call->api->view, &row.stream_id, &row);
        answer(call, 202, &row);
    }
    api_call_note(call, "stream.stop", "stream", &sent->expected.stream_id,
                  code == WEIR_OK ? WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED
                                  : WEIR_EV_AUDIT_ACCESS_OUTCOME_ERROR,
                  code == WEIR_OK ? NULL : "outcome_unknown");
    return code;
}

static enum weir_code send_stop(struct api_call *call, const struct weir_stream_row *row,
                                const char *key)
{
    struct weir_event event = {.type = WEIR_EV_COMMAND_STOP};
    struct weir_ev_command_stop *command = &event.u.command_stop;
    struct sent *sent = weir_arena_alloc(call->arena, sizeof(*sent));
    sent->expected = *row;
    command->command_id = api_keys_command_id(call, key);
    command->tenant_id = call->tenant_id;
    command->stream_id = row->stream_id;
    WEIR_STR_SET(command->reason, "stop_asked");
    command->issued_at_ms = weir_clock_wall_ms();
    command->expires_at_ms = command->issued_at_ms + call->api->settings->command_life_ms;
    command->has_actor = true;
    WEIR_STR_SET(command->actor, call->actor);
    return api_command_send(call, &event, &row->stream_id, &sent->command, sent);
}

static enum weir_code check_may_stop(struct api_call *call, const struct weir_stream_row *row)
{
    bool may = api_rights_by_role(call, WEIR_ROLE_OPERATOR);
    enum weir_code code =
        may ? WEIR_OK : api_rights_ask(call, &row->camera_id, WEIR_ROLE_OPERATOR, &may);
    return code == WEIR_OK && !may ? api_call_forbid(call) : code;
}

static enum weir_code stop(struct api_call *call)
{
    if (call->state) {
        return finish_stop(call, call->state);
    }
    struct weir_stream_row row;
    const char *key = NULL;
    enum weir_code code = api_streams_find(call, &row);
    if (code == WEIR_OK) {
        code = check_may_stop(call, &row);
    }
    if (code == WEIR_OK) {
        code = api_call_if_match(call, shown_version(&row));
    }
    if (code == WEIR_OK) {
        code = api_call_key(call, &key);
    }
    bool is_over = code == WEIR_OK && weir_stream_state_is_final(row.state);
    if (code == WEIR_OK && key) {
        bool has_asked = false;
        code = is_over ? api_keys_look(call, key, USED_FOR_STOP, &row.stream_id, &has_asked)
                       : api_keys_judge(call, key, USED_FOR_STOP, &row.stream_id, &has_asked);
    }
    if (code == WEIR_OK && is_over) {
        answer(call, 202, &row);
        return WEIR_OK;
    }
    return code == WEIR_OK ? send_stop(call, &row, key) : code;
}

/* ---- get ---- */

/* Seconds of "Prefer: wait=N" (RFC 7240), 0 when there are none; at most the setting's. */
static int64_t wanted_wait_s(const struct api_call *call)
{
    const char *prefer = weir_http_header(call->req, "Prefer");
    for (const char *at = prefer; at && *at; at += strcspn(at, ","), at += *at == ',') {
        at += strspn(at, " \t");
        if (strncasecmp(at, "wait=", 5) == 0) {
            int64_t most_s = call->api->settings->wait_max_s;
            long wanted = strtol(at + 5, NULL, 10);
            return wanted <= 0 ? 0 : (wanted < most_s ? wanted : most_s);
        }
    }
    return 0;
}

struct waiting {
    uint64_t token;
    int64_t version;
    int64_t deadline_mono_ms;
};

/* Without a version that the client has seen, a state that lasts is worth no waiting. */
static bool is_worth_waiting(struct api_call *call, const struct weir_stream_row *row)
{
    if (weir_http_header(call->req, "If-None-Match")) {
        return api_call_is_fresh(call, shown_version(row));
    }
    return row->state != WEIR_STREAM_STATE_RUNNING && !weir_stream_state_is_final(row->state);
}

static bool begin_waiting(struct api_call *call, const struct weir_stream_row *row)
{
    struct waiting *waiting = call->state;
    int64_t now_ms = weir_clock_mono_ms();
    if (!waiting) {
        int64_t wait_s = wanted_wait_s(call);
        if (wait_s == 0 || !is_worth_waiting(call, row)) {
            return false;
        }
        waiting = weir_arena_alloc(call->arena, sizeof(*waiting));
        waiting->version = row->version;
        waiting->deadline_mono_ms = now_ms + wait_s * 1000;
        call->state = waiting;
    } else if (row->version != waiting->version || now_ms >= waiting->deadline_mono_ms) {
        return false;
    }
    waiting->token = api_call_wait(call, waiting->deadline_mono_ms);
    api_view_watch(call->api->view, &row->stream_id, row->version, call->api->server,
                   waiting->token);
    return true;
}

static enum weir_code get(struct api_call *call)
{
    struct waiting *waiting = call->state;
    struct weir_stream_row row;
    if (waiting) {
        api_view_unwatch(call->api->view, call->api->server, waiting->token);
    }
    enum weir_code code = api_streams_find(call, &row);
    if (code != WEIR_OK || begin_waiting(call, &row)) {
        return code;
    }
    if (call->state) {
        weir_http_add_header(call->res, "Preference-Applied", "wait");
    }
    if (api_call_is_fresh(call, shown_version(&row))) {
        call->res->status = 304;
        api_call_set_etag(call, shown_version(&row));
        return WEIR_OK;
    }
    answer(call, 200, &row);
    return WEIR_OK;
}

/* ---- list ---- */

/* What a list is narrowed to. */
struct filter {
    const char *camera, *state; /* NULL: any */
    struct weir_id camera_id;
    enum weir_stream_state wanted;
    bool is_guest;
    struct api_granted granted; /* to a guest */
};

static enum weir_code read_filter(struct api_call *call, struct filter *ret)
{
    ret->camera = weir_http_query(call->req, "camera_id");
    ret->state = weir_http_query(call->req, "state");
    ret->is_guest = !api_rights_by_role(call, WEIR_ROLE_VIEWER);
    if (ret->camera &&
        weir_id_parse(ret->camera, strlen(ret->camera), &ret->camera_id, NULL) != WEIR_OK) {
        return api_call_refuse(call, 422, "wrong_type", NULL, "camera_id must be a UUID");
    }
    if (ret->state && weir_stream_state_get(ret->state, &ret->wanted) != WEIR_OK) {
        return api_call_refuse(call, 422, "unknown_value", NULL, "state is not one of a stream");
    }
    return ret->is_guest ? api_rights_granted(call, &ret->granted) : WEIR_OK;
}

static bool passes(const struct filter *filter, const struct weir_stream_row *row)
{
    return (!filter->camera || weir_id_equal(&row->camera_id, &filter->camera_id)) &&
           (!filter->state || row->state == filter->wanted) &&
           (!filter->is_guest || api_rights_is_granted(&filter->granted, &row->camera_id));
}

static enum weir_code list(struct api_call *call)
{
    static const char *const also[] = {"camera_id", "state", NULL};
    struct api_page page;
    struct weir_id after = {{0}};
    enum weir_code code = check_known(call);
    if (code == WEIR_OK) {
        code = api_call_page(call, also, &page);
    }
    if (code != WEIR_OK) {
        return code;
    }
    struct filter filter = {0};
    if (page.after && weir_id_parse(page.after, strlen(page.after), &after, NULL) != WEIR_OK) {
        return api_call_refuse(call, 422, "bad_cursor", NULL, "cursor is not one we gave");
    }
    code = read_filter(call, &filter);
    if (code != WEIR_OK) {
        return code;
    }
    struct weir_stream_row *rows = NULL;
    size_t n = api_view_streams_of(call->api->view, &call->tenant_id, page.after ? &after : NULL,
                                   SIZE_MAX, &rows);
    struct weir_json_out out = {0};
    int64_t written = 0;
    const char *next = NULL;
    weir_json_open(&out, NULL, '{');
    weir_json_open(&out, "items", '[');
    for (size_t i = 0; i < n; i++) {
        if (!passes(&filter, &rows[i])) {
            continue;
        }
        if (written == page.limit) {
            next = api_cursor(call->arena, WEIR_ID_TEXT(&after));
            break;
        }
        write_stream(&out, NULL, &rows[i]);
        after = rows[i].stream_id;
        written++;
    }
    weir_json_close(&out, ']');
    weir_json_str(&out, "next_cursor", next);
    weir_json_close(&out, '}');
    free(rows);
    api_call_json(call, 200, &out);
    return WEIR_OK;
}

void api_streams_list(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_GUEST, list);
}

void api_streams_start(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_GUEST, start);
}

void api_streams_change(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_GUEST, change);
}

void api_streams_get(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_GUEST, get);
}

void api_streams_stop(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_GUEST, stop);
}
