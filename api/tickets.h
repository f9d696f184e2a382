/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/streams/{stream_id}/tickets: permission to watch, judged at the moment it is given. */
#ifndef WEIR_API_TICKETS_H
#define WEIR_API_TICKETS_H

#include "api/call.h"
#include "api/view.h"

weir_http_handler_fn api_tickets_create;

/* What minting keeps over the runs of a call; {0} at first. */
struct api_minting {
    bool is_counted;
    int waits;
};

/*
 * Judges the caller's right, and writes a ticket for the stream as the object `name` (NULL: none)
 * into `out`; tells activity and audit. Where `call->is_waiting` then, nothing was written and the
 * call runs again.
 */
WEIR_MUST_USE enum weir_code api_tickets_mint(struct api_call *call, struct api_minting *minting,
                                              const struct weir_stream_row *row,
                                              struct weir_json_out *out, const char *name);

#endif
