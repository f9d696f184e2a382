/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ticket for what a viewer may have of a camera, and what his player shows: of the stream that
 * was asked for, or of another one where that lies above the ceiling by now, or where it is H.265
 * and he did not say `video=hvc1`. Over the runs of a call, since Kafka may have to answer, and it
 * may have to be seen first what the camera sends.
 */
#ifndef WEIR_API_WATCH_H
#define WEIR_API_WATCH_H

#include "api/camera_live.h"
#include "api/stream_start.h"
#include "api/tickets.h"

/* In the call's arena; {0} at first. */
struct api_watching {
    struct api_starting starting; /* its row is the stream that the ticket is for */
    bool shows_hvc1;
    bool is_rendition; /* in the place of one that his player does not show */
    /* Until it is known what the stream is: */
    bool is_watched;
    uint64_t token;
    bool is_asking; /* the camera's worker */
    struct camera_live live;
    int64_t since_mono_ms; /* 0: it was known at once */
    struct api_minting minting;
    bool is_ready; /* all of it is there */
    struct api_minted ticket;
};

/* Reads what the query says of the player: 422 when that is no word for it. */
WEIR_MUST_USE enum weir_code api_watch_read(struct api_call *call, struct api_watching *watching);

/* For a stream that was found: what lives is judged as a start of it would be. What does not live
 * is left alone, and its ticket plays when somebody starts it. */
void api_watch_found(const struct api_call *call, struct api_watching *watching,
                     const struct weir_stream_row *row);

/* Goes on with `starting.wish`, or with what was found; the caller may see the camera. Until
 * `is_ready` the call runs again with `state` and this is called again, but for an error. */
WEIR_MUST_USE enum weir_code api_watch(struct api_call *call, struct api_watching *watching,
                                       void *state);

/* Why it is another stream than was asked for, as member `why`; null where it is that one. */
void api_watch_write_why(struct weir_json_out *out, const struct api_watching *watching);

#endif
