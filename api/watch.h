/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ticket for what a viewer may have of a camera: of the stream that was asked for, or of another
 * one where that lies above the ceiling by now. Over the runs of a call, since Kafka may have to
 * answer.
 */
#ifndef WEIR_API_WATCH_H
#define WEIR_API_WATCH_H

#include "api/stream_start.h"
#include "api/tickets.h"

/* In the call's arena; {.starting.wish} at first, or as api_watch_begin() makes it. */
struct api_watching {
    struct api_starting starting; /* its row is the stream that the ticket is for */
    struct api_minting minting;
    bool is_ready; /* all of it is there */
    struct api_minted ticket;
};

/* For a stream that was found: what lives is judged as a start of it would be. What does not live
 * is left alone, and its ticket plays when somebody starts it. */
void api_watch_begin(struct api_watching *watching, const struct weir_stream_row *row);

/* Goes on; the caller may see the camera. Until `is_ready` the call runs again with `state` and
 * this is called again, but for an error. */
WEIR_MUST_USE enum weir_code api_watch(struct api_call *call, struct api_watching *watching,
                                       void *state);

#endif
