/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/streams: wishes go to Kafka and are accepted when it has them; states come from the decision
 * log. And the tickets to watch a stream.
 */
#ifndef WEIR_API_STREAMS_H
#define WEIR_API_STREAMS_H

#include "lib/io/http_server.h"

weir_http_handler_fn api_streams_list;
weir_http_handler_fn api_streams_start;
weir_http_handler_fn api_streams_get;
weir_http_handler_fn api_streams_stop;
weir_http_handler_fn api_tickets_create;

#endif
