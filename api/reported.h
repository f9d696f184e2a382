/* SPDX-License-Identifier: Apache-2.0 */
/* What front doors tell of viewers: POST /internal/v1/views (the body is in api/views.h). A route
 * of the internal listener; its context is `struct api`. */
#ifndef WEIR_API_REPORTED_H
#define WEIR_API_REPORTED_H

#include "lib/io/http_server.h"

weir_http_handler_fn api_reported_post;

#endif
