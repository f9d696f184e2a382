/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a camera could not be opened, in words for people: of what the guard saw, and of what
 * libavformat says. Each sets `failure`.
 */
#ifndef WEIR_WORKER_TAP_EXPLAIN_H
#define WEIR_WORKER_TAP_EXPLAIN_H

#include <stdbool.h>

#include "lib/base/err.h"
#include "worker/tap/address.h"
#include "worker/tap/guard.h"
#include "worker/tap/reader.h"

void tap_explain(struct tap_failure *failure, enum weir_reason reason, bool is_permanent,
                 const char *detail);

/* What the camera answered, by libavformat's code. False when it was no answer. */
bool tap_explain_answer(int code, struct tap_failure *failure);

/* RTSP over HTTP that was refused before there was any RTSP, which libavformat does not tell.
 * False when that status is no refusal. */
bool tap_explain_http(int status, struct tap_failure *failure);

/* Why it did not come to be read; with `is_answer`, what the camera answered stands in `failure`
 * already, and stays unless the guard knows better. */
void tap_explain_open(const struct tap_guard *guard, bool is_answer, bool has_timed_out,
                      struct tap_failure *failure);

/* The same words for everything, so that nobody learns more than whether a camera is there. */
void tap_explain_hushed(struct tap_failure *failure, enum weir_reason reason, const char *detail);

/* What a name resolves to is nobody's business: nothing, or nothing that is allowed. */
void tap_explain_address(const struct tap_url *url, const struct weir_err *err,
                         struct tap_failure *failure);

#endif
