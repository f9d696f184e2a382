/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/streams: wishes go to Kafka and are accepted when it has them; states come from the decision
 * log.
 */
#ifndef WEIR_API_STREAMS_H
#define WEIR_API_STREAMS_H

#include "api/call.h"
#include "api/stream_start.h"

weir_http_handler_fn api_streams_list;
weir_http_handler_fn api_streams_start;
weir_http_handler_fn api_streams_change;
weir_http_handler_fn api_streams_get;
weir_http_handler_fn api_streams_stop;

/* The stream of the path, if it is the tenant's; else refuses. It may end the run, to be run again
 * when more is known. */
WEIR_MUST_USE enum weir_code api_streams_find(struct api_call *call, struct weir_stream_row *ret);

/* The object `name` (NULL: none): the stream of a start, and how the ceiling lowered it. */
void api_streams_write(struct weir_json_out *out, const char *name,
                       const struct api_starting *starting);

#endif
