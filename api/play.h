/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What gateways ask: may this ticket see this stream, and where is it (DESIGN section 6); and what
 * they tell of viewers whom only the CDN sees. Routes of the internal listener; their context is
 * `struct api`.
 */
#ifndef WEIR_API_PLAY_H
#define WEIR_API_PLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/io/http_server.h"

struct api;

/* Whether the request shows the secret of gateways. */
bool api_play_is_gateway(const struct api *api, const struct weir_http_request *req);

/* What gateways and other front doors ask; static storage. */
const struct weir_http_route *api_play_routes(size_t *ret_n);

#endif
