/* SPDX-License-Identifier: Apache-2.0 */
#include "api/snapshot_links.h"

#include <inttypes.h>
#include <string.h>

#include "api/revocations.h"
#include "api/snapshot_take.h"
#include "api/ticket_ids.h"
#include "api/tickets.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define LINK_MS 60000

/* ---- the question ---- */

enum { F_AT, F_MODE, F_TOLERANCE, F_FORMAT, F_WIDTH, F_QUALITY, F_START, N_FIELDS };

/* As text they are judged as those of a query are. */
#define ANY_INT .min = INT64_MIN, .max = INT64_MAX
static const struct api_field fields[N_FIELDS] = {
    [F_AT] = {"/at", API_STR, .min = 1, .max = 64},
    [F_MODE] = {"/mode", API_STR, .min = 1, .max = 16},
    [F_TOLERANCE] = {"/tolerance_ms", API_INT, ANY_INT},
    [F_FORMAT] = {"/format", API_STR, .min = 1, .max = 16},
    [F_WIDTH] = {"/width", API_INT, ANY_INT},
    [F_QUALITY] = {"/quality", API_INT, ANY_INT},
    [F_START] = {"/start", API_BOOL},
};

struct body {
    struct api_call *call;
    struct api_value values[N_FIELDS];
};

static const char *value_of(void *ctx, const char *name)
{
    const struct body *body = ctx;
    for (size_t i = 0; i < N_FIELDS; i++) {
        const struct api_value *value = &body->values[i];
        if (!value->is_given || value->is_null || strcmp(fields[i].pointer + 1, name) != 0) {
            continue;
        }
        if (fields[i].kind == API_BOOL) {
            return value->boolean ? "true" : "false";
        }
        return fields[i].kind == API_STR
                   ? value->str
                   : weir_arena_printf(body->call->arena, "%" PRId64, value->integer);
    }
    return NULL;
}

static enum weir_code read_body(struct api_call *call, struct snapshot_query *ret)
{
    struct body body = {.call = call};
    struct api_fault fault = {0};
    enum weir_code code = api_call_body(call, fields, N_FIELDS, body.values);
    if (code == WEIR_OK &&
        snapshot_query_read(value_of, &body, weir_clock_wall_us(), ret, &fault) != WEIR_OK) {
        return api_call_refuse(call, 422, fault.code, NULL, "%s", fault.detail);
    }
    return code;
}

/* ---- making a link ---- */

static struct weir_id picture_id(struct api_call *call, const struct weir_id *camera_id,
                                 const char *name)
{
    const char *text = weir_arena_printf(call->arena, "%s|%s", WEIR_ID_TEXT(camera_id), name);
    return weir_id_v5(&weir_space_picture, text, strlen(text));
}

/* As the worker says it; null where it does not. */
static void write_number(struct weir_json_out *out, const struct weir_json *about, const char *name)
{
    if (weir_json_find(about, name)) {
        weir_json_int(out, name, snapshot_number(about, name));
    } else {
        weir_json_null(out, name);
    }
}

static void answer_link(struct api_call *call, const struct snapshot_taking *taking,
                        const struct snapshot_taken *taken, const char *url, int64_t ends_at_ms)
{
    const struct weir_json *about = &taken->about;
    int64_t frame_us = snapshot_number(about, "frame_us");
    int64_t at_us = snapshot_moment(&taking->query, about);
    char expires_at[WEIR_TIME_TEXT_MAX];
    struct weir_json_out out = {0};
    weir_clock_format_ms(ends_at_ms, expires_at);
    weir_json_open(&out, NULL, '{');
    weir_json_str(&out, "camera_id", WEIR_ID_TEXT(&taking->camera_id));
    weir_json_str(&out, "url", url);
    weir_json_str(&out, "expires_at", expires_at);
    weir_json_str(&out, "requested_time", snapshot_time_text(call, at_us));
    weir_json_str(&out, "frame_time", snapshot_time_text(call, frame_us));
    weir_json_int(&out, "frame_error_us", frame_us - at_us);
    weir_json_str(&out, "time_source", weir_json_find_str(about, "source"));
    write_number(&out, about, "clock_offset_us");
    write_number(&out, about, "clock_scatter_us");
    weir_json_bool(&out, "damaged", snapshot_is_damaged(about));
    weir_json_str(&out, "format", snapshot_format_name(taking->query.format));
    weir_json_int(&out, "width", snapshot_number(about, "width"));
    weir_json_int(&out, "height", snapshot_number(about, "height"));
    weir_json_int(&out, "bytes", (int64_t)taken->len);
    weir_json_close(&out, '}');
    weir_http_add_header(call->res, "Location", url);
    api_call_json(call, 201, &out);
}

static void note(struct api_call *call, const char *action, const struct snapshot_taking *taking,
                 const struct snapshot_taken *taken, const struct weir_id *ticket_id)
{
    int64_t frame_us = snapshot_number(&taken->about, "frame_us");
    api_call_note(call, action, "camera", &taking->camera_id, WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED,
                  weir_arena_printf(call->arena, "frame of %s, ticket %s",
                                    snapshot_time_text(call, frame_us), WEIR_ID_TEXT(ticket_id)));
}

static enum weir_code link_to(struct api_call *call, const struct snapshot_taking *taking,
                              const struct snapshot_taken *taken)
{
    char name[SNAPSHOT_NAME_MAX];
    char text[WEIR_TICKET_TEXT_MAX];
    int64_t frame_us = snapshot_number(&taken->about, "frame_us");
    struct tickets_issue issue = {.life_ms = LINK_MS};
    if (!snapshot_name_write(&taking->query, frame_us, snapshot_number(&taken->about, "ts"),
                             name)) {
        return weir_fail(&call->err, WEIR_EINTERNAL, "a picture has too long a name");
    }
    struct weir_ticket ticket = {
        .tenant_id = call->tenant_id,
        .camera_id = taking->camera_id,
        .stream_id = picture_id(call, &taking->camera_id, name),
        .viewer_id = ticket_viewer_id(&call->tenant_id, &call->who.subject),
        .login_id = ticket_login_id(&call->tenant_id, &call->who.session_id),
        .ticket_id = ticket_id_new(&call->tenant_id, weir_clock_wall_ms()),
    };
    enum weir_code code = api_tickets_judge(call, &ticket, &issue);
    if (code == WEIR_OK && issue.wait_ms > 0) {
        code = weir_fail(&call->err, WEIR_EUNAVAILABLE, "what it names is being revoked");
    }
    if (code != WEIR_OK) {
        return code;
    }
    weir_ticket_mint(call->api->tickets, &ticket, text);
    answer_link(call, taking, taken,
                weir_arena_printf(call->arena, "/v1/snapshots/%s/%s", text, name),
                issue.ends_at_ms);
    note(call, "snapshot.link", taking, taken, &ticket.ticket_id);
    return WEIR_OK;
}

static enum weir_code begin_create(struct api_call *call, struct snapshot_taking *taking)
{
    return snapshot_begin(call, taking, read_body);
}

static enum weir_code create(struct api_call *call)
{
    return snapshot_run(call, begin_create, link_to);
}

/* ---- following one ---- */

static enum weir_code refuse_over(struct api_call *call)
{
    return api_call_refuse(call, 410, "link_expired", NULL, "this link is over");
}

static enum weir_code check_ticket(struct api_call *call, const char *name,
                                   struct weir_ticket *ticket)
{
    struct revocations *revocations = call->api->revocations;
    const char *text = weir_http_param(call->req, "ticket");
    int64_t now_ms = weir_clock_wall_ms();
    if (!revocations_is_known(revocations)) {
        return weir_fail(&call->err, WEIR_EUNAVAILABLE, "what was revoked is not read yet");
    }
    enum weir_code code =
        weir_ticket_verify(call->api->tickets, text, strlen(text), now_ms, ticket, &call->err);
    if (code == WEIR_EGONE) {
        return refuse_over(call);
    }
    struct weir_id id = {{0}};
    if (code == WEIR_OK) {
        id = picture_id(call, &ticket->camera_id, name);
    }
    if (code != WEIR_OK || !weir_id_equal(&id, &ticket->stream_id)) {
        return api_call_not_found(call);
    }
    return revocations_is_void(revocations, ticket) ||
                   revocations_is_stopped(revocations, &ticket->tenant_id)
               ? refuse_over(call)
               : WEIR_OK;
}

/* A camera whose clock is ahead sends frames of moments that are to come. */
static enum weir_code may_follow(struct api_call *call, struct snapshot_taking *taking)
{
    struct weir_ticket ticket;
    (void)taking;
    return check_ticket(call, weir_http_param(call->req, "picture"), &ticket);
}

static enum weir_code begin_get(struct api_call *call, struct snapshot_taking *taking)
{
    const char *name = weir_http_param(call->req, "picture");
    struct weir_ticket ticket;
    enum weir_code code = check_ticket(call, name, &ticket);
    if (code != WEIR_OK) {
        return code;
    }
    call->tenant_id = ticket.tenant_id;
    taking->camera_id = ticket.camera_id;
    taking->ticket_id = ticket.ticket_id;
    taking->may = may_follow;
    return snapshot_name_read(name, &taking->query) ? snapshot_check_quota(call, &ticket.viewer_id)
                                                    : api_call_not_found(call);
}

/* Whoever has the link: the note of its making has the same ticket, and who made it. */
static enum weir_code show(struct api_call *call, const struct snapshot_taking *taking,
                           const struct snapshot_taken *taken)
{
    snapshot_show(call, &taking->query, taken);
    weir_http_add_header(call->res, "Cache-Control", "private, no-store");
    weir_http_add_header(call->res, "Referrer-Policy", "no-referrer");
    WEIR_IGNORE(!WEIR_STR_SET(call->actor, "link"), "it fits");
    note(call, "snapshot.show", taking, taken, &taking->ticket_id);
    return WEIR_OK;
}

static enum weir_code get(struct api_call *call)
{
    return snapshot_run(call, begin_get, show);
}

void api_snapshot_links_create(void *ctx, struct weir_http_request *req,
                               struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_GUEST, create);
}

void api_snapshot_links_get(void *ctx, struct weir_http_request *req,
                            struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_LINK, get);
}
