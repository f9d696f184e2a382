/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/streams/{stream_id}/tickets: permission to watch, judged at the moment it is given. */
#ifndef WEIR_API_TICKETS_H
#define WEIR_API_TICKETS_H

#include "lib/io/http_server.h"

weir_http_handler_fn api_tickets_create;

#endif
