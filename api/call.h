/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One authenticated call of the REST API: what every handler does first and last. A route's handler
 * is one line that names who may call and the function that does it:
 *
 *     static void get_camera(void *ctx, struct weir_http_request *req, struct weir_http_response
 * *res)
 *     {
 *         api_call_run(ctx, req, res, API_GUEST, read_camera);
 *     }
 *
 * The function answers through `call->res`, or returns an error, which becomes problem+json. One
 * that must wait (api_call_wait) runs again with the same call: the token was judged once, and what
 * it keeps meanwhile hangs on `state`.
 */
#ifndef WEIR_API_CALL_H
#define WEIR_API_CALL_H

#include "api/api.h"
#include "api/fields.h"

/* Who may call: a role of the tenant, at least, or the platform's operators. What a guest is shown
 * is the function's to ask (api/rights.h). */
enum api_need {
    API_GUEST,
    API_OPERATOR,
    API_ADMIN,
    API_PLATFORM,
    API_ADMIN_OR_PLATFORM,
    API_LINK, /* no token: the link is judged by the function, which sets the call's tenant */
};

struct api_call {
    struct api *api;
    struct weir_http_request *req;
    struct weir_http_response *res;
    struct weir_arena *arena;
    struct weir_principal who;
    struct weir_id tenant_id;     /* who.tenant_id; nil for a platform call */
    char actor[WEIR_ID_TEXT_MAX]; /* the subject */
    struct weir_err err;
    void *state; /* the function's own over its runs, in the arena; NULL at first */

    /* ---- kept by api_call_* ---- */
    bool is_admitted;
    bool is_waiting;     /* this run ends without an answer */
    uint64_t sync_token; /* 0: no sync was asked for */
    bool is_synced;
};

typedef enum weir_code api_call_fn(struct api_call *call);

void api_call_run(struct api *api, struct weir_http_request *req, struct weir_http_response *res,
                  enum api_need need, api_call_fn *fn);

/* Ends this run without an answer; what the function returns does not count then. The next run
 * comes at a wake of the token, or at `deadline_mono_ms`. */
uint64_t api_call_wait(struct api_call *call, int64_t deadline_mono_ms);

/* After a wait: the caller, who was let in at the first run, may have been revoked since (401). */
WEIR_MUST_USE enum weir_code api_call_check_again(struct api_call *call);

/* Ends a run on the server's thread without an answer; the next one is in the pool and may block.
 * Returns a code to hand on. */
enum weir_code api_call_later(struct api_call *call);

/*
 * For a stream that the view does not know: whether it is certain that there is none. False at
 * first: the run ends, and the next one comes when all that Kafka held when this was called was
 * read. WEIR_EUNAVAILABLE when that did not come about in time.
 */
WEIR_MUST_USE enum weir_code api_call_sync(struct api_call *call, bool *ret_is_certain);

/* Answers with a problem of its own status, code and pointer (may be NULL); returns a code to hand
 * on. */
enum weir_code api_call_refuse(struct api_call *call, int status, const char *code,
                               const char *pointer, const char *fmt, ...) WEIR_PRINTF(5, 6);

/* Answers a token that proves nothing, or no longer, with 401; another code as it is. `call->err`
 * says why, for the log. */
void api_call_refuse_token(struct api_call *call, enum weir_code code);

/* 403 for a role that is too low, told to the audit; returns a code to hand on. */
enum weir_code api_call_forbid(struct api_call *call);

/* 404 in the same words for what is not there and what is another tenant's. */
enum weir_code api_call_not_found(struct api_call *call);

/* Reads the JSON body by a table; refuses with 400, 415 or 422. */
WEIR_MUST_USE enum weir_code api_call_body(struct api_call *call, const struct api_field *fields,
                                           size_t n, struct api_value *ret_values);

/* The UUID in path parameter `name`; what is no UUID is not found. */
WEIR_MUST_USE enum weir_code api_call_id(struct api_call *call, const char *name,
                                         struct weir_id *ret);

/* `limit` and `cursor` of a list: 422 when wrong. `after` is the cursor's text or NULL. Parameters
 * other than these and `also` (a NULL-ended list) are refused. */
struct api_page {
    int64_t limit;
    const char *after; /* decoded */
};
WEIR_MUST_USE enum weir_code api_call_page(struct api_call *call, const char *const *also,
                                           struct api_page *ret);

/* The opaque form of where the next page begins. */
const char *api_cursor(struct weir_arena *arena, const char *after);

/* ETag of a version; whether the request's If-Match lets a change of `version` pass (412). */
void api_call_set_etag(struct api_call *call, int64_t version);
/* Of an answer that holds more than the version names and is of this moment: good for If-Match,
 * never fresh. */
void api_call_set_live_etag(struct api_call *call, int64_t version);
WEIR_MUST_USE enum weir_code api_call_if_match(struct api_call *call, int64_t version);
/* True when If-None-Match names this version: answer 304. */
bool api_call_is_fresh(struct api_call *call, int64_t version);

/* The Idempotency-Key, quotes cut; NULL when absent. 400 when it is no key. */
WEIR_MUST_USE enum weir_code api_call_key(struct api_call *call, const char **ret);
/* SHA-256 of target and body as a bytea literal ("\\x..."), in the arena. */
const char *api_call_fingerprint(struct api_call *call);

/* Writes JSON and the status. */
void api_call_json(struct api_call *call, int status, struct weir_json_out *out);

/* Tells the audit. `object_id` may be NULL. */
void api_call_note(struct api_call *call, const char *action, const char *object_type,
                   const struct weir_id *object_id, enum weir_ev_audit_access_outcome outcome,
                   const char *detail);

#endif
