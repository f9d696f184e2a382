/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of both listeners. Every handler's context is `struct api`. */
#ifndef WEIR_API_ROUTES_H
#define WEIR_API_ROUTES_H

#include <stddef.h>

#include "lib/io/http_server.h"

/* The REST API: what api/openapi.yaml describes, and nothing else. */
const struct weir_http_route *api_routes_public(size_t *ret_n);

/* What gateways and workers ask; joined from the parts at the first call. */
const struct weir_http_route *api_routes_internal(size_t *ret_n);

/* Prints "METHOD path" of every public route, for the test that compares them with openapi.yaml. */
void api_routes_dump(void);

#endif
