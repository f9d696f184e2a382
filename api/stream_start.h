/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a stream, for the calls that do: over the runs of a call, since Kafka has to answer. */
#ifndef WEIR_API_STREAM_START_H
#define WEIR_API_STREAM_START_H

#include "api/ceilings.h"
#include "api/command.h"
#include "api/view.h"

#define API_CLASS_FIRST   0 /* pushes others aside: for operators */
#define API_CLASS_DEFAULT 1 /* somebody wants to watch now */

struct api_start_wish {
    struct weir_id camera_id;
    struct profile_wish profile; /* the rest is by the camera's defaults */
    int64_t class;
    bool is_followup; /* of a start in the same call, which the Idempotency-Key is for */
};

enum api_start_phase {
    API_START_NEW,
    API_START_SENT,     /* the call waits for Kafka */
    API_START_LIVE,     /* an equal stream lived already */
    API_START_ACCEPTED, /* the wish is on the log */
};

/* In the call's arena; {.wish} at first. */
struct api_starting {
    struct api_start_wish wish;
    enum api_start_phase phase;
    struct weir_profile asked; /* with what was not named */
    struct weir_ceiling ceiling;
    bool is_capped; /* the stream is less than was asked for: the ceiling */
    struct api_sent command;
    struct weir_stream_row row; /* the stream, once it is live or accepted */
};

/* The class that the caller may start a stream in which stands in for one of class `class`: the
 * same, but API_CLASS_FIRST only by who may come first. */
int64_t api_stream_class(const struct api_call *call, int64_t class);

/*
 * Goes on with the start; the caller may see the camera. After API_START_SENT the call runs again
 * with `state`, and this is called again. Once live or accepted it does nothing more. What passes
 * the camera's ceiling is lowered to it (docs/adr/0038).
 */
WEIR_MUST_USE enum weir_code api_stream_start(struct api_call *call, struct api_starting *starting,
                                              void *state);

#endif
