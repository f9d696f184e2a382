/* SPDX-License-Identifier: Apache-2.0 */
#include "api/play.h"

#include <stdatomic.h>
#include <string.h>

#include "api/api.h"
#include "api/front_doors.h"
#include "api/play_past.h"
#include "api/play_rules.h"
#include "api/playbacks.h"
#include "api/reported.h"
#include "api/revocations.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/domain/playlist.h"
#include "lib/domain/stream_state.h"

#define GENERATION_MAX ((int64_t)1 << 53)
#define SECOND_MAX     99999999999
#define STALE_S        "15"

/* ---- who asks ---- */

bool api_play_is_gateway(const struct api *api, const struct weir_http_request *req)
{
    const char *secret = api->settings->gateway_secret;
    const char *shown = weir_http_header(req, "X-Weir-Gateway-Secret");
    size_t len = strlen(secret);
    return len > 0 && shown != NULL && strlen(shown) == len &&
           weir_str_equal_secret(secret, shown, len);
}

static void refuse(const struct weir_http_request *req, struct weir_http_response *res,
                   enum weir_code code, const char *why)
{
    struct weir_err err = {0};
    WEIR_IGNORE(weir_fail(&err, code, "%s", why), "answered");
    weir_http_problem(req, res, &err);
}

/* ---- may he, and where is it? ---- */

/* Whether the ticket is good by the gateway's clock. An api whose own clock leapt must not cut
 * those who play: it leaves them to another api, or to the gateway's last answer. */
static bool is_good_at_gateway(const struct api *api, const struct weir_http_request *req,
                               const struct play_target *target)
{
    int64_t second = 0;
    struct weir_ticket ticket = {0};
    const char *text = weir_http_header(req, "X-Weir-Second");
    return text != NULL && weir_str_to_int(text, 0, SECOND_MAX, &second, NULL) == WEIR_OK &&
           weir_ticket_verify(api->tickets, target->ticket, target->ticket_len, second * 1000,
                              &ticket, NULL) == WEIR_OK;
}

static enum weir_code check_revoked(const struct api *api, const struct weir_ticket *ticket,
                                    struct weir_err *err)
{
    if (!revocations_is_known(api->revocations)) {
        return weir_fail(err, WEIR_EUNAVAILABLE, "what was revoked is not read yet");
    }
    return revocations_is_void(api->revocations, ticket)
               ? weir_fail(err, WEIR_EUNAUTH, "the ticket is not valid, or no longer")
               : WEIR_OK;
}

static enum weir_code check_ticket(const struct api *api, const struct weir_http_request *req,
                                   struct weir_ticket *ret, struct weir_err *err)
{
    struct play_target target = {0};
    const char *uri = weir_http_header(req, "X-Original-URI");
    if (uri == NULL || play_target_parse(uri, &target, err) != WEIR_OK) {
        return weir_fail(err, WEIR_EFORBIDDEN, "X-Original-URI is no playback path");
    }
    enum weir_code code = weir_ticket_verify(api->tickets, target.ticket, target.ticket_len,
                                             weir_clock_wall_ms(), ret, err);
    if (code != WEIR_OK && is_good_at_gateway(api, req, &target)) {
        return weir_fail(err, WEIR_EUNAVAILABLE, "this clock and the gateway's do not agree");
    }
    if (code != WEIR_OK) {
        return weir_fail(err, WEIR_EUNAUTH, "the ticket is not valid, or no longer");
    }
    if (!weir_id_equal(&ret->stream_id, &target.stream_id)) {
        return weir_fail(err, WEIR_EFORBIDDEN, "the ticket is for another stream");
    }
    return check_revoked(api, ret, err);
}

/* A generation that the gateway names in a header, bare or as the tag of an answer; 0 for none. */
static int64_t known_generation(const struct weir_http_request *req, const char *header)
{
    char digits[20];
    int64_t known = 0;
    const char *text = weir_http_header(req, header);
    text = text != NULL ? text + strspn(text, "\"") : "";
    size_t len = strcspn(text, "\".");
    if (len >= sizeof(digits)) {
        return 0;
    }
    memcpy(digits, text, len);
    digits[len] = '\0';
    return weir_str_to_int(digits, 0, GENERATION_MAX, &known, NULL) == WEIR_OK ? known : 0;
}

/* The gateway's own second; 0 where it does not say. */
static int64_t gateway_second(const struct weir_http_request *req)
{
    int64_t second = 0;
    const char *text = weir_http_header(req, "X-Weir-Second");
    return text != NULL && weir_str_to_int(text, 0, SECOND_MAX, &second, NULL) == WEIR_OK ? second
                                                                                          : 0;
}

/*
 * The tag of an answer: the generation, and the gateway's second at which it let somebody in (0: it
 * let nobody in). The gateway shows it when it asks again, so another api knows him, too.
 */
static const char *tag_of(struct weir_http_response *res, int64_t generation, int64_t second)
{
    return weir_arena_printf(res->arena, "\"%lld.%lld\"", (long long)generation, (long long)second);
}

/* Whether the gateway's last answer for this ticket and stream let him in, and not long ago. */
static bool has_played(const struct weir_http_request *req)
{
    int64_t second = 0;
    const char *text = weir_http_header(req, "If-None-Match");
    const char *dot = text != NULL ? strchr(text, '.') : NULL;
    char digits[20];
    size_t len = dot != NULL ? strcspn(dot + 1, "\"") : sizeof(digits);
    if (len >= sizeof(digits)) {
        return false;
    }
    memcpy(digits, dot + 1, len);
    digits[len] = '\0';
    return weir_str_to_int(digits, 0, SECOND_MAX, &second, NULL) == WEIR_OK &&
           gateway_second(req) - second < PLAYBACKS_LIVE_MS / 1000;
}

/* The gateway's clock says until when: one second is what an answer may be kept. While no api can
 * be reached it may stand in for STALE_S more. */
static void allow_to_keep(const struct weir_http_request *req, struct weir_http_response *res)
{
    int64_t second = gateway_second(req);
    if (second == 0) {
        weir_http_add_header(res, "Cache-Control", "no-store");
        return;
    }
    /* In this order: nginx 1.22 leaves Cache-Control unread after X-Accel-Expires. */
    weir_http_add_header(res, "Cache-Control", "max-age=1, stale-if-error=" STALE_S);
    weir_http_add_header(res, "X-Accel-Expires",
                         weir_arena_printf(res->arena, "@%lld", (long long)second));
}

static void add_generation(struct weir_http_response *res, const char *name, int64_t generation)
{
    weir_http_add_header(res, name, weir_arena_printf(res->arena, "%lld", (long long)generation));
}

/* False when there is no origin to ask. */
static bool add_route(const struct api *api, struct weir_http_response *res,
                      const struct weir_stream_row *row)
{
    struct weir_worker_row worker = {0};
    struct play_route now = {.generation = row->generation};
    struct play_route before = {0};
    add_generation(res, "X-Weir-Generation", row->generation);
    if (!play_is_at_origin(row) || !api_view_worker(api->view, &row->worker_id, &worker) ||
        worker.incarnation != row->incarnation ||
        !play_upstream(worker.origin_url, now.upstream, sizeof(now.upstream))) {
        return false;
    }
    weir_http_add_header(res, "X-Weir-Upstream", now.upstream);
    if (play_past_note(api->play_past, &row->stream_id, &now, weir_clock_mono_ms(), &before)) {
        add_generation(res, "X-Weir-Previous-Generation", before.generation);
        weir_http_add_header(res, "X-Weir-Previous-Upstream", before.upstream);
    }
    return true;
}

/* The way to the stream (NULL: there is none), and for how long that stands. */
static void say_where(const struct api *api, const struct weir_http_request *req,
                      struct weir_http_response *res, const struct weir_stream_row *row)
{
    bool has_route = row != NULL && add_route(api, res, row);
    bool is_over = row != NULL && weir_stream_state_is_final(row->state);
    if (has_route || is_over) {
        weir_http_add_header(res, "ETag",
                             tag_of(res, row->generation, is_over ? 0 : gateway_second(req)));
        allow_to_keep(req, res);
    } else {
        /* It may play in a moment: who is led there then must not meet this answer again. */
        weir_http_add_header(res, "Cache-Control", "no-store");
    }
}

/* False when this api cannot say where a stream is; `res` is then filled. */
static bool can_say_where(const struct api *api, const struct weir_http_request *req,
                          struct weir_http_response *res, const struct weir_stream_row *row)
{
    if (row == NULL && !api_view_is_known(api->view)) {
        weir_http_problem_at(req, res, 503, "unavailable", NULL, "the log is not read yet");
        return false;
    }
    if (play_is_behind(row, known_generation(req, "If-None-Match"))) {
        /* Another api's turn, or the gateway's last answer. */
        weir_http_problem_at(req, res, 404, "unavailable", NULL, "the log is not read so far");
        return false;
    }
    return true;
}

/* Whether he may play one more; `res` is filled when not. */
static bool may_play(const struct api *api, const struct weir_http_request *req,
                     struct weir_http_response *res, const struct weir_ticket *ticket)
{
    struct playback asked = {.tenant_id = ticket->tenant_id,
                             .viewer_id = ticket->viewer_id,
                             .login_id = ticket->login_id,
                             .stream_id = ticket->stream_id};
    enum playbacks_verdict verdict =
        playbacks_take(api->playbacks, &asked, has_played(req), weir_clock_mono_ms());
    if (verdict == PLAYBACKS_OK) {
        return true;
    }
    weir_metric_add(
        weir_metrics_counter(api->metrics, "weir_api_playbacks_refused_total",
                             "Times that a gateway was told to let nobody in for a limit", "of",
                             verdict == PLAYBACKS_VIEWER ? "viewer" : "tenant"),
        1);
    weir_http_problem_at(req, res, 403, "quota_exceeded", NULL, "too many streams at once");
    weir_http_add_header(res, "X-Weir-Over", verdict == PLAYBACKS_VIEWER ? "viewer" : "tenant");
    return false;
}

static void get_play(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct api *api = ctx;
    struct weir_ticket ticket = {0};
    struct weir_stream_row row = {0};
    struct weir_err err = {0};
    if (!api_play_is_gateway(api, req)) {
        refuse(req, res, WEIR_EUNAUTH, "the gateway's secret is missing or wrong");
        return;
    }
    if (check_ticket(api, req, &ticket, &err) != WEIR_OK) {
        weir_http_problem(req, res, &err);
        return;
    }
    bool is_there = api_view_stream(api->view, &ticket.stream_id, &row);
    if (is_there && !weir_id_equal(&row.tenant_id, &ticket.tenant_id)) {
        refuse(req, res, WEIR_EFORBIDDEN, "the ticket is for another tenant");
        return;
    }
    if (!can_say_where(api, req, res, is_there ? &row : NULL)) {
        return;
    }
    if (is_there && !weir_stream_state_is_final(row.state) && !may_play(api, req, res, &ticket)) {
        return;
    }
    api_activity_note(api->activity, &ticket.tenant_id, &ticket.stream_id, row.generation,
                      &ticket.ticket_id, WEIR_EV_VIEWERS_SOURCE_GATEWAY);
    weir_http_text(res, 200, "");
    weir_http_add_header(res, "X-Weir-Tenant", WEIR_ID_TEXT(&ticket.tenant_id));
    weir_http_add_header(res, "X-Weir-Ticket-Id", WEIR_ID_TEXT(&ticket.ticket_id));
    weir_http_add_header(res, "X-Weir-Viewer", WEIR_ID_TEXT(&ticket.viewer_id));
    say_where(api, req, res, is_there ? &row : NULL);
}

/* For the CDN's door, which let the viewer in by itself: whose stream it is, and where. */
static void get_route(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct api *api = ctx;
    struct weir_id stream_id = {0};
    struct weir_stream_row row = {0};
    const char *text = weir_http_param(req, "stream_id");
    if (!api_play_is_gateway(api, req)) {
        refuse(req, res, WEIR_EUNAUTH, "the gateway's secret is missing or wrong");
        return;
    }
    if (weir_id_parse(text, strlen(text), &stream_id, NULL) != WEIR_OK) {
        refuse(req, res, WEIR_ENOTFOUND, "no such stream");
        return;
    }
    bool is_there = api_view_stream(api->view, &stream_id, &row);
    if (!can_say_where(api, req, res, is_there ? &row : NULL)) {
        return;
    }
    weir_http_text(res, 200, "");
    if (is_there) {
        weir_http_add_header(res, "X-Weir-Tenant", WEIR_ID_TEXT(&row.tenant_id));
    }
    say_where(api, req, res, is_there ? &row : NULL);
}

/* ---- what to say instead of media ---- */

/* Over all runs of one request, in its arena. */
struct hold {
    int64_t until_mono_ms;
    uint64_t token; /* 0: never waited */
    atomic_int *n_held;
};

static void end_hold(void *ctx)
{
    const struct hold *hold = ctx;
    atomic_fetch_sub(hold->n_held, 1);
}

/* Half of the connections are left for those who are answered at once. */
static struct hold *hold_of(struct api *api, struct weir_http_request *req, int64_t most_ms)
{
    void **slot = weir_http_slot(req);
    if (*slot == NULL) {
        struct hold *hold = weir_arena_alloc(weir_http_arena(req), sizeof(*hold));
        hold->n_held = &api->n_held;
        bool has_room = atomic_fetch_add(hold->n_held, 1) < api->settings->connections_max / 2;
        hold->until_mono_ms = weir_clock_mono_ms() + (has_room ? most_ms : 0);
        weir_http_on_end(req, end_hold, hold);
        *slot = hold;
    }
    return *slot;
}

/* Relative, so that the ticket in the path stays where it is: with the gateway. */
static void redirect(const struct weir_http_request *req, struct weir_http_response *res,
                     int64_t asked, int64_t current)
{
    weir_http_text(res, 302, "");
    weir_http_add_header(res, "Location",
                         weir_arena_printf(res->arena, "%s%lld/%s", asked > 0 ? "../" : "",
                                           (long long)current, weir_http_param(req, "file")));
    if (asked > 0) {
        /* A player goes on to ask for the generation it began with: when the current one is being
         * replaced, that name must still lead to it, and not to what it last was itself. */
        allow_to_keep(req, res);
    }
}

static void answer(const struct weir_http_request *req, struct weir_http_response *res,
                   struct play_answer is)
{
    if (is.verdict == PLAY_NOT_FOUND) {
        weir_http_problem_at(req, res, 404, is.code, NULL, "nothing here");
    } else if (is.verdict == PLAY_GONE) {
        weir_http_problem_at(req, res, 410, is.code, NULL, "this stream ended; start it again");
    } else {
        weir_http_problem_at(req, res, 503, is.code, NULL, "this stream does not play yet");
        weir_http_add_header(res, "Retry-After", "1");
    }
}

static bool read_question(const struct weir_http_request *req, struct weir_id *ret_stream_id,
                          struct play_question *ret)
{
    const char *stream_id = weir_http_param(req, "stream_id");
    const char *file = weir_http_param(req, "file");
    enum weir_playlist_file kind = weir_playlist_file(file, strlen(file));
    ret->is_playlist = kind == WEIR_PLAYLIST_FILE_INDEX || kind == WEIR_PLAYLIST_FILE_MEDIA;
    return kind != WEIR_PLAYLIST_FILE_NONE &&
           weir_id_parse(stream_id, strlen(stream_id), ret_stream_id, NULL) == WEIR_OK &&
           weir_str_to_int(weir_http_param(req, "generation"), 0, GENERATION_MAX, &ret->generation,
                           NULL) == WEIR_OK;
}

static void get_play_answer(void *ctx, struct weir_http_request *req,
                            struct weir_http_response *res)
{
    struct api *api = ctx;
    struct weir_id stream_id = {0};
    struct weir_stream_row row = {0};
    struct play_question question = {0};
    if (!api_play_is_gateway(api, req)) {
        refuse(req, res, WEIR_EUNAUTH, "the gateway's secret is missing or wrong");
        return;
    }
    if (!read_question(req, &stream_id, &question)) {
        refuse(req, res, WEIR_ENOTFOUND, "no such file");
        return;
    }
    bool is_there = api_view_stream(api->view, &stream_id, &row);
    question.row = is_there ? &row : NULL;
    question.is_log_known = api_view_is_known(api->view);
    question.known = known_generation(req, "X-Weir-Known-Generation");
    question.is_known_there = weir_http_header(req, "X-Weir-Known-Way") != NULL;
    question.is_last_resort = weir_http_header(req, "X-Weir-Last-Resort") != NULL;
    struct hold *hold = hold_of(api, req, play_hold_ms(&question));
    question.is_held_out = weir_clock_mono_ms() >= hold->until_mono_ms;
    struct play_answer is = play_answer(&question);
    if (is.verdict == PLAY_HOLD) {
        hold->token = weir_http_wait(req, hold->until_mono_ms);
        api_view_watch(api->view, &stream_id, row.version, api->internal, hold->token);
        return;
    }
    if (hold->token != 0) {
        api_view_unwatch(api->view, api->internal, hold->token);
    }
    if (is.verdict == PLAY_REDIRECT) {
        redirect(req, res, question.generation, is.generation);
        return;
    }
    answer(req, res, is);
}

const struct weir_http_route *api_play_routes(size_t *ret_n)
{
    static const struct weir_http_route routes[] = {
        {"GET", "/internal/v1/play", get_play, 0},
        {"GET", "/internal/v1/route/{stream_id}", get_route, 0},
        {"POST", "/internal/v1/views", api_reported_post, 0},
        {"GET", "/internal/v1/play-answer/{stream_id}/{generation}/{file}", get_play_answer, 0},
        {"GET", "/internal/v1/front-doors", api_front_doors_get, 0},
    };
    *ret_n = sizeof(routes) / sizeof(routes[0]);
    return routes;
}
