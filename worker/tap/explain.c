/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/explain.h"

#include <errno.h>
#include <libavutil/error.h>
#include <stdio.h>

#include "lib/base/str.h"

void tap_explain(struct tap_failure *failure, enum weir_reason reason, bool is_permanent,
                 const char *detail)
{
    failure->reason = reason;
    failure->is_permanent = is_permanent;
    WEIR_STR_SET(failure->detail, detail);
}

/* By the guard's connect_errno. */
static void explain_connect(const struct tap_guard *guard, struct tap_failure *failure)
{
    switch (guard->connect_errno) {
    case ECONNREFUSED:
        tap_explain(failure, WEIR_REASON_source_refused, false, "nothing listens on that port");
        return;
    case ETIMEDOUT:
        tap_explain(failure, WEIR_REASON_source_unreachable, false,
                    "the connection was not answered");
        return;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
        tap_explain(failure, WEIR_REASON_source_unreachable, false,
                    "there is no route to the address");
        return;
    default:
        tap_explain(failure, WEIR_REASON_source_unreachable, false, "no connection could be made");
    }
}

bool tap_explain_answer(int code, struct tap_failure *failure)
{
    switch (code) {
    case AVERROR_HTTP_UNAUTHORIZED:
        tap_explain(failure, WEIR_REASON_source_auth_failed, true,
                    "401: wrong username or password");
        return true;
    case AVERROR_HTTP_FORBIDDEN:
        tap_explain(failure, WEIR_REASON_source_auth_failed, true, "403: the user may not do this");
        return true;
    case AVERROR_HTTP_NOT_FOUND:
        tap_explain(failure, WEIR_REASON_source_not_found, false, "404: no such path");
        return true;
    case AVERROR_HTTP_BAD_REQUEST:
    case AVERROR_HTTP_OTHER_4XX:
        tap_explain(failure, WEIR_REASON_source_refused, false, "the request was refused (4xx)");
        return true;
    case AVERROR(EPROTONOSUPPORT):
        tap_explain(failure, WEIR_REASON_source_refused, false,
                    "461: it is not sent in this way (transport)");
        return true;
    case AVERROR_HTTP_SERVER_ERROR:
        tap_explain(failure, WEIR_REASON_source_busy, false, "the camera cannot serve now (5xx)");
        return true;
    default:
        return false;
    }
}

bool tap_explain_http(int status, struct tap_failure *failure)
{
    return tap_explain_answer(status == 400                    ? AVERROR_HTTP_BAD_REQUEST
                              : status == 401                  ? AVERROR_HTTP_UNAUTHORIZED
                              : status == 403                  ? AVERROR_HTTP_FORBIDDEN
                              : status == 404                  ? AVERROR_HTTP_NOT_FOUND
                              : status >= 400 && status <= 499 ? AVERROR_HTTP_OTHER_4XX
                              : status >= 500 && status <= 599 ? AVERROR_HTTP_SERVER_ERROR
                                                               : 0,
                              failure);
}

void tap_explain_open(const struct tap_guard *guard, bool is_answer, bool has_timed_out,
                      struct tap_failure *failure)
{
    if (guard->was_led_away)
        tap_explain(failure, WEIR_REASON_source_redirected, false, "redirects are not followed");
    else if (!guard->is_connected)
        explain_connect(guard, failure);
    else if (guard->is_other_pin)
        tap_explain(failure, WEIR_REASON_source_pin_mismatch, true,
                    "its certificate is not the one that is pinned");
    else if (guard->is_not_rtsp)
        tap_explain(failure, WEIR_REASON_source_protocol_error, false,
                    guard->is_http ? "what answers is not HTTP" : "what answers is not RTSP");
    else if (is_answer)
        return;
    else if (guard->is_bad_group)
        tap_explain(
            failure, WEIR_REASON_source_protocol_error, false,
            "it names a multicast group that no camera can send to, or more than four tracks");
    else if (has_timed_out && guard->received == 0)
        tap_explain(failure, WEIR_REASON_source_timeout, false,
                    "connected, but nothing was answered");
    else if (has_timed_out)
        tap_explain(failure, WEIR_REASON_source_timeout, false,
                    "the answers did not come to an end");
    else if (guard->is_tls && guard->session == NULL)
        tap_explain(failure, WEIR_REASON_source_tls_failed, false,
                    "no TLS connection could be made");
    else if (guard->received == 0)
        tap_explain(failure, WEIR_REASON_source_closed, false, "closed without an answer");
    else
        tap_explain(failure, WEIR_REASON_source_protocol_error, false, "the answers make no sense");
}

void tap_explain_hushed(struct tap_failure *failure, enum weir_reason reason, const char *detail)
{
    snprintf(failure->why, sizeof(failure->why), "%s: %s", weir_reason_name(failure->reason),
             failure->detail);
    tap_explain(failure, reason, false, detail);
    failure->is_hushed = true;
}

void tap_explain_address(const struct tap_url *url, const struct weir_err *err,
                         struct tap_failure *failure)
{
    if (err->code == WEIR_EFORBIDDEN)
        tap_explain(failure, WEIR_REASON_source_denied, true,
                    "the address is not in a network where this tenant's cameras may be");
    else
        tap_explain(failure, WEIR_REASON_source_name_unknown, false, err->msg);
    if (!url->is_literal)
        tap_explain_hushed(failure, WEIR_REASON_source_name_unknown,
                           "the name has no address where this tenant's cameras may be");
}
