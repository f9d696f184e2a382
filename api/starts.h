/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A start that a call sends: whether it may be, the command, and what is known of the stream once
 * Kafka has it. Who asked for it is who watches, or who wants a picture.
 *
 *     starts_begin(call, &command_id, &wish, &starting, state);      the run ends here
 *     code = starts_finish(call, &starting, &row);                   at the next run
 */
#ifndef WEIR_API_STARTS_H
#define WEIR_API_STARTS_H

#include "api/command.h"
#include "lib/domain/ledger.h"

/* What names a stream (DESIGN section 2): asking twice is one stream. */
struct starts_wish {
    struct weir_id camera_id;
    enum weir_quality quality;
    int64_t fps;   /* 0: as the camera sends it */
    int64_t class; /* 0 (first) to 3 */
};

struct starts_starting {
    struct api_sent command;
    struct weir_stream_row expected; /* what readers see until the log says more */
};

struct weir_id starts_stream_id(struct api_call *call, const struct starts_wish *wish);

/*
 * Whether the tenant may have one stream more of this camera: 404, 403, 429 or 503 where not.
 * `ret_asked` is set where Postgres had to be asked, else left alone.
 */
WEIR_MUST_USE enum weir_code starts_check(struct api_call *call, const struct weir_id *camera_id,
                                          bool *ret_asked);

/* Sends the command; `starting` and `state` live in the call's arena. `known`: the row of a stream
 * that ended, or NULL. */
WEIR_MUST_USE enum weir_code starts_begin(struct api_call *call, const struct weir_id *command_id,
                                          const struct starts_wish *wish,
                                          const struct weir_stream_row *known,
                                          struct starts_starting *starting, void *state);

/* Kafka has it, or 503. Tells the audit either way. */
WEIR_MUST_USE enum weir_code starts_finish(struct api_call *call, struct starts_starting *starting,
                                           struct weir_stream_row *ret);

/* Somebody asked for the stream now, which counts against its idle time. */
void starts_note_activity(struct api_call *call, const struct weir_stream_row *row);

#endif
