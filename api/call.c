/* SPDX-License-Identifier: Apache-2.0 */
#include "api/call.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/revocations.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/sha256.h"
#include "lib/base/str.h"

#define KEY_MAX       128
#define CURSOR_MAX    128
#define LIMIT_DEFAULT 50
#define LIVE_MARK     "-live"
#define ETAG_TEXT_MAX 32
#define SYNC_MS       1500
#define KEY_LOOK_MS   100
#define KEY_LOOKS_MAX 20

/* ---- who ---- */

void api_call_refuse_token(struct api_call *call, enum weir_code code)
{
    if (code == WEIR_EUNAUTH) {
        bool has_token = weir_http_header(call->req, "Authorization") != NULL;
        weir_http_add_header(call->res, "WWW-Authenticate",
                             has_token ? "Bearer error=\"invalid_token\"" : "Bearer");
        weir_http_problem_at(call->req, call->res, 401, "unauthenticated", NULL,
                             "a valid bearer token is needed");
    } else {
        weir_http_problem(call->req, call->res, &call->err);
    }
    api_access_refused(call->api->access, call->req, call->err.msg);
}

enum weir_code api_call_later(struct api_call *call)
{
    call->is_waiting = true;
    weir_http_later(call->req);
    return weir_fail(&call->err, WEIR_EUNAVAILABLE, "not on this thread");
}

static void note_refused(struct api_call *call)
{
    if (call->who.has_tenant) {
        api_call_note(call, "access", "route", NULL, WEIR_EV_AUDIT_ACCESS_OUTCOME_DENIED,
                      weir_http_route(call->req));
    }
}

enum weir_code api_call_forbid(struct api_call *call)
{
    note_refused(call);
    return api_call_refuse(call, 403, "forbidden", NULL, "this token's role may not do that");
}

static bool may_call(const struct weir_principal *who, enum api_need need)
{
    switch (need) {
    case API_GUEST:
        return who->has_tenant;
    case API_OPERATOR:
        return who->has_tenant && who->role >= WEIR_ROLE_OPERATOR;
    case API_ADMIN:
        return who->has_tenant && who->role >= WEIR_ROLE_ADMIN;
    case API_PLATFORM:
        return who->is_platform;
    case API_ADMIN_OR_PLATFORM:
    case API_LINK:
        break;
    }
    return who->is_platform || (who->has_tenant && who->role >= WEIR_ROLE_ADMIN);
}

static bool lacks_second_factor(const struct api_call *call, enum api_need need)
{
    bool is_high = need != API_GUEST && need != API_OPERATOR;
    return call->api->settings->admin_aal2 && is_high && !call->who.has_aal2;
}

/* On the server's thread only a token that is known already: judging one takes long there. */
static enum weir_code recall_token(struct api_call *call)
{
    if (weir_auth_recall(call->api->auth, weir_http_header(call->req, "Authorization"),
                         weir_clock_wall_ms(), &call->who)) {
        return WEIR_OK;
    }
    return api_call_later(call);
}

/* A key that is being fetched may be the one that this token needs: then it is judged again. */
static enum weir_code judge_token(struct api_call *call)
{
    bool is_loading = false;
    enum weir_code code =
        weir_auth_verify(call->api->auth, weir_http_header(call->req, "Authorization"),
                         weir_clock_wall_ms(), &call->who, &is_loading, &call->err);
    if (code == WEIR_OK) {
        return code;
    }
    if (is_loading && weir_http_attempt(call->req) < KEY_LOOKS_MAX) {
        api_call_wait(call, weir_clock_mono_ms() + KEY_LOOK_MS);
        return code;
    }
    if (is_loading) {
        code = weir_fail(&call->err, WEIR_EUNAVAILABLE, "the keys of tokens are being fetched");
    }
    api_call_refuse_token(call, code);
    return code;
}

/* Asked each time, since a token that was found good is remembered. */
static enum weir_code check_revoked(struct api_call *call)
{
    enum weir_code code = WEIR_OK;
    if (!revocations_is_known(call->api->revocations)) {
        code = weir_fail(&call->err, WEIR_EUNAVAILABLE, "what was revoked is not read yet");
    } else if (revocations_is_refused(call->api->revocations, &call->who)) {
        code = weir_fail(&call->err, WEIR_EUNAUTH, "the subject or its session was revoked");
    }
    if (code != WEIR_OK) {
        api_call_refuse_token(call, code);
    }
    return code;
}

enum weir_code api_call_check_again(struct api_call *call)
{
    return check_revoked(call);
}

static enum weir_code admit(struct api_call *call, enum api_need need)
{
    enum weir_code code = weir_http_is_inline(call->req) ? recall_token(call) : judge_token(call);
    if (code == WEIR_OK) {
        code = check_revoked(call);
    }
    if (code != WEIR_OK) {
        return code;
    }
    call->tenant_id = call->who.tenant_id;
    weir_id_format(&call->who.subject, call->actor);
    bool may = may_call(&call->who, need);
    if (may && !lacks_second_factor(call, need)) {
        call->is_admitted = true;
        return WEIR_OK;
    }
    if (!may) {
        return api_call_forbid(call);
    }
    note_refused(call);
    return api_call_refuse(call, 403, "second_factor_needed", NULL,
                           "this needs a sign-in with a second factor");
}

/* Made at the first run, in the request's arena. */
static struct api_call *call_of(struct api *api, struct weir_http_request *req)
{
    void **slot = weir_http_slot(req);
    if (!*slot) {
        struct api_call *call = weir_arena_alloc(weir_http_arena(req), sizeof(*call));
        *call = (struct api_call){.api = api, .req = req, .arena = weir_http_arena(req)};
        *slot = call;
    }
    return *slot;
}

void api_call_run(struct api *api, struct weir_http_request *req, struct weir_http_response *res,
                  enum api_need need, api_call_fn *fn)
{
    struct api_call *call = call_of(api, req);
    call->res = res;
    call->is_waiting = false;
    bool is_admitted = call->is_admitted || need == API_LINK;
    enum weir_code code = is_admitted ? WEIR_OK : admit(call, need);
    if (code == WEIR_OK) {
        code = fn(call);
    }
    if (call->is_waiting || code == WEIR_OK || res->status != 0) {
        return;
    }
    if (weir_code_http_status(code) >= 500) {
        weir_log(WEIR_LOG_WARN, "request: failed", "request_id", weir_http_request_id(req), "route",
                 weir_http_route(req), "code", weir_code_text(code), "reason", call->err.msg, NULL);
    }
    weir_http_problem(req, res, &call->err);
}

/* ---- waiting ---- */

uint64_t api_call_wait(struct api_call *call, int64_t deadline_mono_ms)
{
    call->is_waiting = true;
    return weir_http_wait(call->req, deadline_mono_ms);
}

static void end_sync(void *ctx)
{
    struct api_call *call = ctx;
    if (api_wishes_end_sync(call->api->wishes, call->api->server, call->sync_token)) {
        call->is_synced = true;
    }
}

enum weir_code api_call_sync(struct api_call *call, bool *ret_is_certain)
{
    *ret_is_certain = false;
    if (!call->sync_token) {
        call->sync_token = api_call_wait(call, weir_clock_mono_ms() + SYNC_MS);
        weir_http_on_end(call->req, end_sync, call);
        api_wishes_sync(call->api->wishes, call->api->server, call->sync_token);
        return WEIR_OK;
    }
    end_sync(call);
    if (!call->is_synced) {
        return weir_fail(&call->err, WEIR_EUNAVAILABLE,
                         "what was asked for lately is not known at this moment");
    }
    *ret_is_certain = true;
    return WEIR_OK;
}

/* ---- refusing ---- */

enum weir_code api_call_refuse(struct api_call *call, int status, const char *code,
                               const char *pointer, const char *fmt, ...)
{
    char detail[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    weir_http_problem_at(call->req, call->res, status, code, pointer, "%s", detail);
    return weir_fail(&call->err, WEIR_EINVAL, "%s", detail);
}

enum weir_code api_call_not_found(struct api_call *call)
{
    return api_call_refuse(call, 404, "not_found", NULL, "there is no such object");
}

/* ---- reading ---- */

static bool is_json_type(const char *content_type)
{
    size_t len = strlen("application/json");
    return content_type && strncasecmp(content_type, "application/json", len) == 0 &&
           (content_type[len] == '\0' || content_type[len] == ';' || content_type[len] == ' ');
}

enum weir_code api_call_body(struct api_call *call, const struct api_field *fields, size_t n,
                             struct api_value *ret_values)
{
    if (!is_json_type(weir_http_header(call->req, "Content-Type"))) {
        return api_call_refuse(call, 415, "unsupported_media_type", NULL, "send application/json");
    }
    size_t len;
    const char *bytes = weir_http_body(call->req, &len);
    struct weir_json json;
    if (weir_json_parse(bytes, len, call->arena, &json, &call->err) != WEIR_OK) {
        return api_call_refuse(call, 400, "malformed_json", NULL, "%s", call->err.msg);
    }
    struct api_fault fault;
    if (api_fields_read(fields, n, &json, ret_values, &fault) != WEIR_OK) {
        return api_call_refuse(call, 422, fault.code, fault.pointer, "%s %s",
                               fault.pointer[0] ? fault.pointer : "the body", fault.detail);
    }
    return WEIR_OK;
}

enum weir_code api_call_id(struct api_call *call, const char *name, struct weir_id *ret)
{
    const char *text = weir_http_param(call->req, name);
    return weir_id_parse(text, strlen(text), ret, NULL) == WEIR_OK ? WEIR_OK
                                                                   : api_call_not_found(call);
}

static bool is_listed(const char *const *names, const char *name)
{
    for (size_t i = 0; names && names[i]; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

enum weir_code api_call_page(struct api_call *call, const char *const *also, struct api_page *ret)
{
    static const char *const known[] = {"limit", "cursor", NULL};
    const char *name;
    const char *value;
    for (size_t at = 0; weir_http_next_query(call->req, &at, &name, &value);) {
        if (!is_listed(known, name) && !is_listed(also, name)) {
            return api_call_refuse(call, 422, "unknown_parameter", NULL,
                                   "the query has a parameter that is not known here");
        }
    }
    int64_t most = call->api->settings->page_max;
    ret->limit = most < LIMIT_DEFAULT ? most : LIMIT_DEFAULT;
    const char *limit = weir_http_query(call->req, "limit");
    if (limit && weir_str_to_int(limit, 1, most, &ret->limit, NULL) != WEIR_OK) {
        return api_call_refuse(call, 422, "out_of_range", NULL, "limit must be 1 to %" PRId64,
                               most);
    }
    ret->after = NULL;
    const char *cursor = weir_http_query(call->req, "cursor");
    if (cursor) {
        char *after = weir_arena_alloc(call->arena, CURSOR_MAX + 1);
        size_t len;
        if (!weir_base64url_decode(cursor, strlen(cursor), after, CURSOR_MAX, &len) || len == 0 ||
            strlen(after) != len) {
            return api_call_refuse(call, 422, "bad_cursor", NULL, "cursor is not one we gave");
        }
        ret->after = after;
    }
    return WEIR_OK;
}

const char *api_cursor(struct weir_arena *arena, const char *after)
{
    size_t len = strlen(after);
    char *text = weir_arena_alloc(arena, WEIR_BASE64URL_LEN(len) + 1);
    weir_base64url_encode(after, len, text);
    return text;
}

/* ---- versions ---- */

static const char *etag_of(int64_t version, const char *mark, char text[static ETAG_TEXT_MAX])
{
    snprintf(text, ETAG_TEXT_MAX, "\"%" PRId64 "%s\"", version, mark);
    return text;
}

void api_call_set_etag(struct api_call *call, int64_t version)
{
    char text[ETAG_TEXT_MAX];
    weir_http_add_header(call->res, "ETag", etag_of(version, "", text));
}

void api_call_set_live_etag(struct api_call *call, int64_t version)
{
    char text[ETAG_TEXT_MAX];
    weir_http_add_header(call->res, "ETag", etag_of(version, LIVE_MARK, text));
}

/* Whether a comma-separated list of tags (RFC 9110 section 8.8.3) holds this one, or is "*". */
static bool names_version(const char *list, int64_t version, const char *mark)
{
    char text[ETAG_TEXT_MAX];
    const char *tag = etag_of(version, mark, text);
    for (const char *at = list; *at;) {
        at += strspn(at, " \t,");
        at += strncmp(at, "W/", 2) == 0 ? 2 : 0;
        size_t len = strcspn(at, ", \t");
        if ((len == 1 && *at == '*') || (len == strlen(tag) && strncmp(at, tag, len) == 0)) {
            return true;
        }
        at += len;
    }
    return false;
}

enum weir_code api_call_if_match(struct api_call *call, int64_t version)
{
    const char *list = weir_http_header(call->req, "If-Match");
    if (!list || names_version(list, version, "") || names_version(list, version, LIVE_MARK)) {
        return WEIR_OK;
    }
    return api_call_refuse(call, 412, "precondition_failed", NULL,
                           "it has changed: its version is %" PRId64 " now", version);
}

bool api_call_is_fresh(struct api_call *call, int64_t version)
{
    const char *list = weir_http_header(call->req, "If-None-Match");
    return list && names_version(list, version, "");
}

/* ---- idempotency ---- */

enum weir_code api_call_key(struct api_call *call, const char **ret)
{
    const char *text = weir_http_header(call->req, "Idempotency-Key");
    *ret = NULL;
    if (!text) {
        return WEIR_OK;
    }
    size_t len = strlen(text);
    if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
        text++;
        len -= 2;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] < 0x21 || text[i] > 0x7e || text[i] == '"' || text[i] == '\\') {
            len = 0;
        }
    }
    if (len == 0 || len > KEY_MAX) {
        return api_call_refuse(call, 400, "bad_idempotency_key", NULL,
                               "Idempotency-Key has 1 to %d plain characters", KEY_MAX);
    }
    *ret = weir_arena_memdup(call->arena, text, len);
    return WEIR_OK;
}

const char *api_call_fingerprint(struct api_call *call)
{
    struct weir_sha256 sha;
    uint8_t hash[WEIR_SHA256_BYTES];
    size_t len;
    const char *body = weir_http_body(call->req, &len);
    const char *target = weir_http_target(call->req);
    const char *method = weir_http_method(call->req);
    weir_sha256_init(&sha);
    weir_sha256_add(&sha, method, strlen(method) + 1);
    weir_sha256_add(&sha, target, strlen(target) + 1);
    weir_sha256_add(&sha, body, len);
    weir_sha256_done(&sha, hash);
    char *text = weir_arena_alloc(call->arena, 2 * sizeof(hash) + 3);
    memcpy(text, "\\x", 2);
    weir_hex_encode(hash, sizeof(hash), text + 2);
    return text;
}

/* ---- answering ---- */

void api_call_json(struct api_call *call, int status, struct weir_json_out *out)
{
    size_t len;
    const char *text = weir_json_take(out, call->arena, &len);
    weir_http_json(call->res, status, text, len);
}

void api_call_note(struct api_call *call, const char *action, const char *object_type,
                   const struct weir_id *object_id, enum weir_ev_audit_access_outcome outcome,
                   const char *detail)
{
    struct api_access_note note = {
        .tenant_id = &call->tenant_id,
        .actor = call->actor,
        .action = action,
        .object_type = object_type,
        .object_id = object_id,
        .outcome = outcome,
        .detail = detail,
    };
    api_access_note(call->api->access, call->req, &note);
}
