/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures for pages: POST /v1/cameras/{camera_id}/snapshots takes one and answers with a link that
 * shows it for a minute without a token, GET /v1/snapshots/{ticket}/{picture}.
 *
 * The ticket is one of those that streams are played with (lib/io/ticket.h), with the picture in
 * the stream's place: so it is void when they are, and plays nothing. The worker keeps the picture
 * as long as it has room.
 */
#ifndef WEIR_API_SNAPSHOT_LINKS_H
#define WEIR_API_SNAPSHOT_LINKS_H

#include "lib/io/http_server.h"

weir_http_handler_fn api_snapshot_links_create;
weir_http_handler_fn api_snapshot_links_get;

#endif
