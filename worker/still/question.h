/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of weir-still, and what may be answered. Pure.
 *
 *     GET /v1/still/<tenant_id>/<camera_id>?at_us=..&mode=..&tolerance_us=..&wait_ms=..&format=..
 *         &width=..&quality=..[&long_side=..&short_side=..][&ts=..][&is_now=1]
 *
 * With `ts`, the presentation time that an earlier answer gave, that very frame is meant: it is
 * answered from what was kept, also when the ring has gone on. The sides are those of the box that
 * the picture is made to fit into, however it is turned.
 * With `is_now`, now by the camera's clock is meant; the answer's `at_us` says when that is.
 * The api names every value; it is the api that knows what a user may leave out.
 */
#ifndef WEIR_WORKER_STILL_QUESTION_H
#define WEIR_WORKER_STILL_QUESTION_H

#include "lib/domain/events.h"
#include "lib/domain/still.h"

#define STILL_WAIT_MAX_MS 10000

struct still_question {
    struct weir_ctl_clip_ask ask;
    int64_t tolerance_us; /* a frame that is further from the time is none; >= 0 */
    enum weir_still_format format;
    uint32_t width;     /* 0..WEIR_STILL_SIDE_MAX */
    uint32_t quality;   /* 1..100 */
    uint32_t long_side; /* 0..WEIR_STILL_SIDE_MAX; 0: any */
    uint32_t short_side;
    bool has_ts;
    int64_t ts; /* 1/90000 s */
};

/* Returns a value by its name, or NULL. */
typedef const char *still_value_fn(void *ctx, const char *name);

/* WEIR_EINVAL, WEIR_ELIMIT name the value. */
WEIR_MUST_USE enum weir_code still_question_read(const char *tenant_id, const char *camera_id,
                                                 still_value_fn *value, void *ctx,
                                                 struct still_question *ret, struct weir_err *err);

/* An answer that is none: its HTTP status and code (openapi.yaml). */
struct still_refusal {
    int status;
    const char *code;
};

/* Whether what the tap found may be shown; false fills `ret`. */
bool still_question_allows(const struct still_question *question,
                           const struct weir_ctl_clip_answer *found, struct still_refusal *ret);

/* Why there is no picture of what may be shown: what decoders_make returned, the decoder's status
 * with WEIR_OK, and how many units the clip had. */
struct still_refusal still_refusal_of(enum weir_code code, enum weir_decode_status status,
                                      int64_t n_units);

const char *still_format_name(enum weir_still_format format); /* "jpeg" */

#endif
