/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: one closed list of codes, and a message for a person.
 *
 * A function that can fail returns `enum weir_code` (must be looked at) and takes
 * `struct weir_err *err` last. Every error exit is one line:
 *
 *     if (len > max)
 *         return weir_fail(err, WEIR_ELIMIT, "name is %zu bytes, the limit is %zu", len, max);
 *
 * Results (`ret_x`) are written only on success. `err` may be NULL when only the code matters.
 * Messages never hold secrets: they reach logs, events and users.
 *
 * Allocation failure is no error here: it aborts (see lib/base/arena.h).
 */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

#include <stdbool.h>

/* X(name, HTTP status, retry can help, text) */
#define WEIR_CODES(X)                                                                              \
    X(OK, 200, false, "ok")                                                                        \
    X(EINVAL, 400, false, "invalid")                                                               \
    X(EPARSE, 400, false, "malformed")                                                             \
    X(EUNAUTH, 401, false, "unauthenticated")                                                      \
    X(EFORBIDDEN, 403, false, "forbidden")                                                         \
    X(ENOTFOUND, 404, false, "not_found")                                                          \
    X(ECONFLICT, 409, false, "conflict")                                                           \
    X(EGONE, 410, false, "gone")                                                                   \
    X(EPRECONDITION, 412, false, "precondition_failed")                                            \
    X(ELIMIT, 413, false, "limit_exceeded")                                                        \
    X(ESEMANTIC, 422, false, "unprocessable")                                                      \
    X(EQUOTA, 429, true, "quota_exceeded")                                                         \
    X(EUNSUPPORTED, 400, false, "unsupported")                                                     \
    X(EIO, 503, true, "io_error")                                                                  \
    X(EUNAVAILABLE, 503, true, "unavailable")                                                      \
    X(EUNKNOWN, 503, true, "outcome_unknown")                                                      \
    X(ETIMEOUT, 503, true, "timeout")                                                              \
    X(EFULL, 503, true, "full")                                                                    \
    X(ESTALE, 409, true, "stale")                                                                  \
    X(ECORRUPT, 500, false, "corrupt")                                                             \
    X(EINTERNAL, 500, false, "internal_error")

enum weir_code {
#define WEIR_CODE_MEMBER(name, status, retry, text) WEIR_##name,
    WEIR_CODES(WEIR_CODE_MEMBER)
#undef WEIR_CODE_MEMBER
};

#define WEIR_ERR_MSG_MAX 512

/* Where an error is described. Caller's storage; zero-initialised means "no error". */
struct weir_err {
    enum weir_code code;
    char msg[WEIR_ERR_MSG_MAX]; /* NUL-terminated, cut when longer */
};

#define WEIR_MUST_USE          __attribute__((warn_unused_result))
#define WEIR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Says that a must-use result is left alone on purpose, and why. */
#define WEIR_IGNORE(call, why)                                                                     \
    do {                                                                                           \
        if ((call) != 0) {                                                                         \
        }                                                                                          \
    } while (0)

/* Hands a value over: gives back `ptr` and sets it NULL, so that a cleanup leaves it alone. */
#define WEIR_TAKE(ptr)                                                                             \
    __extension__({                                                                                \
        __typeof__(ptr) weir_taken = (ptr);                                                        \
        (ptr) = NULL;                                                                              \
        weir_taken;                                                                                \
    })

#define WEIR_CLEANUP(fn) __attribute__((cleanup(fn)))

/* Fills `err` (if not NULL) and returns `code`. `code` is not WEIR_OK. */
enum weir_code weir_fail(struct weir_err *err, enum weir_code code, const char *fmt, ...)
    WEIR_PRINTF(3, 4);

/* Puts "prefix: " before the message of an error that is passed on; returns its code. */
enum weir_code weir_fail_in(struct weir_err *err, enum weir_code code, const char *fmt, ...)
    WEIR_PRINTF(3, 4);

/* The code's stable snake_case name ("not_found"). */
const char *weir_code_text(enum weir_code code);

/* The HTTP status that a request failing with this code is answered with. */
int weir_code_http_status(enum weir_code code);

/* Whether the same call can succeed later without a change by the caller. */
bool weir_code_is_retryable(enum weir_code code);

#endif
