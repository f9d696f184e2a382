/* SPDX-License-Identifier: Apache-2.0 */
#include "api/tickets.h"

#include <inttypes.h>

#include "api/grant_rules.h"
#include "api/revoke.h"
#include "api/rights.h"
#include "api/streams.h"
#include "api/ticket_ids.h"
#include "api/ticket_quota.h"
#include "api/watch.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define WAITS_MAX   3
#define WAIT_MOST_S 2 /* a revocation that ends later is a clock that went back */

/* ---- may he, now? ---- */

/* What Postgres says at one moment, by its own clock. */
struct right {
    int64_t now_ms;
    bool has_camera, has_tenant, is_stopped;
    int64_t before_s; /* no ticket of this kind is good that was issued until then */
    bool is_refused;  /* the token is */
    bool has_right;   /* by a role, or by a grant */
    int64_t ends_at_ms;
};

/* A role in the tenant is the best right; else the grant that ends last, which the ticket names. */
static enum weir_code choose_way(struct api_call *call, struct weir_db_tx *tx,
                                 struct weir_ticket *ticket, struct right *ret)
{
    struct api_way way = {.ends_at_ms = GRANT_ENDLESS};
    ret->has_right = api_rights_by_role(call, WEIR_ROLE_VIEWER);
    enum weir_code code = ret->has_right ? WEIR_OK
                                         : api_rights_find(call, tx, &ticket->camera_id,
                                                           WEIR_ROLE_VIEWER, &ret->has_right, &way);
    ticket->grant_id = way.grant_id;
    ticket->membership_id = way.membership_id;
    ret->ends_at_ms = way.ends_at_ms;
    return code;
}

/* NULL where the ticket is by no grant: it equals no value then. */
static const char *claim_text(struct api_call *call, const struct weir_id *id)
{
    return weir_id_is_nil(id) ? NULL : weir_arena_strdup(call->arena, WEIR_ID_TEXT(id));
}

static enum weir_code ask_right(struct api_call *call, struct weir_db_tx *tx,
                                const struct weir_ticket *ticket, struct right *ret)
{
    struct weir_db_rows *rows = NULL;
    const char *params[] = {
        weir_arena_strdup(call->arena, WEIR_ID_TEXT(&ticket->camera_id)),
        weir_arena_strdup(call->arena, WEIR_ID_TEXT(&ticket->tenant_id)),
        weir_arena_strdup(call->arena, WEIR_ID_TEXT(&ticket->viewer_id)),
        weir_arena_strdup(call->arena, WEIR_ID_TEXT(&ticket->login_id)),
        weir_arena_printf(call->arena, "%" PRId64, call->who.issued_at_ms / 1000),
        claim_text(call, &ticket->grant_id),
        claim_text(call, &ticket->membership_id),
    };
    enum weir_code code = weir_db_exec(
        tx,
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,"
        " EXISTS (SELECT 1 FROM camera WHERE id = $1),"
        " (SELECT stopped FROM tenant WHERE id = $2),"
        " (SELECT max(before_s) FROM revocation WHERE tenant_id = $2 AND"
        "  (kind, value) IN (('tenant', $2), ('camera', $1), ('subject', $3), ('session', $4),"
        "   ('grant', $6), ('membership', $7))),"
        " EXISTS (SELECT 1 FROM revocation WHERE tenant_id = $2 AND"
        "  (kind = 'session' AND value = $4 OR"
        "   kind = 'subject' AND value = $3 AND at_s >= $5::bigint))",
        params, sizeof(params) / sizeof(params[0]), call->arena, &rows, &call->err);
    if (code == WEIR_OK) {
        ret->now_ms = weir_db_int(rows, 0, 0);
        ret->has_camera = weir_db_bool(rows, 0, 1);
        ret->has_tenant = weir_db_text(rows, 0, 2) != NULL;
        ret->is_stopped = weir_db_bool(rows, 0, 2);
        ret->before_s = weir_db_int(rows, 0, 3);
        ret->is_refused = weir_db_bool(rows, 0, 4);
    }
    return code;
}

static enum weir_code ask_postgres(struct api_call *call, struct weir_ticket *ticket,
                                   struct right *ret)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    enum weir_code code = weir_db_begin(call->api->db, &call->tenant_id, &tx, &call->err);
    if (code == WEIR_OK) {
        code = api_revoke_lock_out(call, tx, &call->tenant_id);
    }
    if (code == WEIR_OK) {
        code = choose_way(call, tx, ticket, ret);
    }
    return code == WEIR_OK ? ask_right(call, tx, ticket, ret) : code;
}

static enum weir_code refuse_stopped(struct api_call *call)
{
    return api_call_refuse(call, 403, "tenant_stopped", NULL, "the tenant is stopped");
}

static enum weir_code check_right(struct api_call *call, const struct weir_ticket *ticket,
                                  const struct right *right)
{
    if (right->is_refused) {
        enum weir_code code =
            weir_fail(&call->err, WEIR_EUNAUTH, "the subject or its session was revoked");
        api_call_refuse_token(call, code);
        return code;
    }
    if (!right->has_tenant) {
        return api_call_refuse(call, 403, "unknown_tenant", NULL,
                               "the token's tenant does not exist here");
    }
    if (right->is_stopped) {
        return refuse_stopped(call);
    }
    if (!right->has_right) { /* it ended since the stream was found */
        api_rights_note_denied(call, "stream", &ticket->stream_id);
        return api_call_not_found(call);
    }
    return right->has_camera
               ? WEIR_OK
               : api_call_refuse(call, 410, "camera_deleted", NULL, "the camera was deleted");
}

static bool is_postgres_away(enum weir_code code)
{
    return code == WEIR_EUNAVAILABLE || code == WEIR_ETIMEOUT || code == WEIR_EUNKNOWN;
}

static void issue_at(struct weir_ticket *ticket, int64_t now_ms, int64_t right_ends_at_ms,
                     struct tickets_issue *ret)
{
    int64_t life_ms = ret->life_ms;
    ticket->issued_at_ms = now_ms / 1000 * 1000;
    ticket->expires_at_ms = grant_ticket_end_ms(ticket->issued_at_ms, life_ms, right_ends_at_ms);
    ret->ends_at_ms = ticket->issued_at_ms + life_ms;
    if (right_ends_at_ms < ret->ends_at_ms) {
        ret->ends_at_ms = right_ends_at_ms;
    }
}

static enum weir_code judge_from_memory(struct api_call *call, struct weir_ticket *ticket,
                                        struct tickets_issue *ret)
{
    int64_t now_ms = weir_clock_wall_ms();
    issue_at(ticket, now_ms, GRANT_ENDLESS, ret);
    if (revocations_is_stopped(call->api->revocations, &ticket->tenant_id)) {
        return refuse_stopped(call);
    }
    ret->wait_ms = revocations_is_void(call->api->revocations, ticket) ? 1000 - now_ms % 1000 : 0;
    return WEIR_OK;
}

enum weir_code api_tickets_judge(struct api_call *call, struct weir_ticket *ticket,
                                 struct tickets_issue *ret)
{
    struct right right = {0};
    enum weir_code code = ask_postgres(call, ticket, &right);
    if (is_postgres_away(code)) {
        return api_rights_by_role(call, WEIR_ROLE_VIEWER) ? judge_from_memory(call, ticket, ret)
                                                          : api_rights_fail(call, code);
    }
    if (code == WEIR_OK) {
        code = check_right(call, ticket, &right);
    }
    if (code == WEIR_OK && right.before_s > right.now_ms / 1000 + WAIT_MOST_S) {
        code = weir_fail(&call->err, WEIR_EUNAVAILABLE, "a revocation lies ahead of the clock");
    }
    if (code == WEIR_OK) {
        issue_at(ticket, right.now_ms, right.ends_at_ms, ret);
        int64_t wait_ms = (right.before_s + 1) * 1000 - right.now_ms;
        ret->wait_ms = wait_ms > 0 ? wait_ms : 0;
    }
    return code;
}

/* ---- how many? ---- */

static enum weir_code count(struct api_call *call, struct api_minting *minting,
                            const struct weir_ticket *ticket)
{
    int64_t retry_ms = 0;
    enum ticket_quota_verdict verdict =
        ticket_quota_take(call->api->ticket_quota, &ticket->tenant_id, &ticket->viewer_id,
                          weir_clock_mono_ms(), &retry_ms);
    if (verdict == TICKET_QUOTA_OK) {
        minting->is_counted = true;
        return WEIR_OK;
    }
    const struct api_settings *settings = call->api->settings;
    bool is_viewer = verdict == TICKET_QUOTA_VIEWER;
    weir_http_add_header(call->res, "Retry-After",
                         weir_arena_printf(call->arena, "%" PRId64, (retry_ms + 999) / 1000));
    return api_call_refuse(call, 429, "quota_exceeded", NULL,
                           "the %s's limit is %" PRId64 " tickets at once",
                           is_viewer ? "viewer" : "tenant",
                           is_viewer ? settings->tickets_viewer_max : settings->tickets_tenant_max);
}

/* ---- create ---- */

static struct api_minted write_text(struct api_call *call, const struct weir_ticket *ticket,
                                    int64_t ends_at_ms)
{
    char text[WEIR_TICKET_TEXT_MAX];
    char expires_at[WEIR_TIME_TEXT_MAX];
    weir_ticket_mint(call->api->tickets, ticket, text);
    weir_clock_format_ms(ends_at_ms, expires_at);
    return (struct api_minted){
        .id = weir_arena_strdup(call->arena, WEIR_ID_TEXT(&ticket->ticket_id)),
        .url = weir_arena_printf(call->arena, "%s/live/%s/%s/index.m3u8",
                                 call->api->settings->gateway_url, text,
                                 WEIR_ID_TEXT(&ticket->stream_id)),
        .expires_at = weir_arena_strdup(call->arena, expires_at),
    };
}

void api_tickets_write(struct weir_json_out *out, const struct api_minted *minted)
{
    weir_json_str(out, "id", minted->id);
    weir_json_str(out, "url", minted->url);
    weir_json_str(out, "expires_at", minted->expires_at);
}

static enum weir_code wait_for_next_second(struct api_call *call, struct api_minting *minting,
                                           int64_t wait_ms)
{
    if (minting->waits++ == WAITS_MAX) {
        return weir_fail(&call->err, WEIR_EUNAVAILABLE, "what this ticket names is being revoked");
    }
    api_call_wait(call, weir_clock_mono_ms() + wait_ms);
    return WEIR_OK;
}

static const char *ticket_detail(struct api_call *call, const struct weir_ticket *ticket)
{
    const char *grant = claim_text(call, &ticket->grant_id);
    return weir_arena_printf(call->arena, "ticket %s%s%s", WEIR_ID_TEXT(&ticket->ticket_id),
                             grant ? " by grant " : "", grant ? grant : "");
}

enum weir_code api_tickets_mint(struct api_call *call, struct api_minting *minting,
                                const struct weir_stream_row *row, struct api_minted *ret)
{
    struct weir_ticket ticket = {
        .tenant_id = call->tenant_id,
        .camera_id = row->camera_id,
        .stream_id = row->stream_id,
        .viewer_id = ticket_viewer_id(&call->tenant_id, &call->who.subject),
        .login_id = ticket_login_id(&call->tenant_id, &call->who.session_id),
        .ticket_id = ticket_id_new(&call->tenant_id, weir_clock_wall_ms()),
    };
    struct tickets_issue issue = {.life_ms = call->api->settings->ticket_life_s * 1000};
    enum weir_code code = minting->is_counted ? WEIR_OK : count(call, minting, &ticket);
    if (code == WEIR_OK) {
        code = api_tickets_judge(call, &ticket, &issue);
    }
    if (code == WEIR_OK && issue.wait_ms > 0) {
        return wait_for_next_second(call, minting, issue.wait_ms);
    }
    if (code != WEIR_OK) {
        return code;
    }
    *ret = write_text(call, &ticket, issue.ends_at_ms);
    api_activity_note(call->api->activity, &call->tenant_id, &row->stream_id, row->generation, NULL,
                      WEIR_EV_VIEWERS_SOURCE_TICKET);
    api_call_note(call, "ticket.create", "stream", &row->stream_id,
                  WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED, ticket_detail(call, &ticket));
    return WEIR_OK;
}

/* What making one keeps over the runs of a call; in its arena. */
struct making {
    struct api_watching watching;
    struct weir_stream_row row; /* the stream of the path, once found */
};

/* For what lives by now: what stopped is played again by who starts it. */
static enum weir_code begin(struct api_call *call, struct making *ret)
{
    enum weir_code code = api_watch_read(call, &ret->watching);
    if (code == WEIR_OK) {
        code = api_streams_find(call, &ret->row);
    }
    if (code == WEIR_OK && !call->is_waiting) {
        api_watch_found(call, &ret->watching, &ret->row);
    }
    return code;
}

/* The ticket, which plays what is there for this viewer; of another stream it is said which. */
static void answer(struct api_call *call, const struct making *making)
{
    const struct api_watching *watching = &making->watching;
    const struct weir_stream_row *row = &watching->starting.row;
    struct weir_json_out out = {0};
    weir_json_open(&out, NULL, '{');
    api_tickets_write(&out, &watching->ticket);
    if (!weir_id_equal(&row->stream_id, &making->row.stream_id)) {
        api_watch_write_why(&out, watching);
        api_streams_write(&out, "stream", &watching->starting);
        weir_json_open(&out, "ticket", '{');
        api_tickets_write(&out, &watching->ticket);
        weir_json_close(&out, '}');
    }
    weir_json_close(&out, '}');
    api_call_json(call, 201, &out);
}

static enum weir_code create(struct api_call *call)
{
    struct making *making = call->state;
    enum weir_code code = WEIR_OK;
    if (!making) {
        making = weir_arena_alloc(call->arena, sizeof(*making));
        *making = (struct making){0};
        code = begin(call, making);
    }
    if (code != WEIR_OK || call->is_waiting) {
        return code;
    }
    code = api_watch(call, &making->watching, making);
    if (code == WEIR_OK && making->watching.is_ready) {
        answer(call, making);
    }
    return code;
}

void api_tickets_create(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_GUEST, create);
}
