/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/grants: a subject's role for the cameras of a group, until it ends (docs/adr/0029). For
 * administrators. What a grant gives is asked for in api/rights.h.
 */
#ifndef WEIR_API_GRANTS_H
#define WEIR_API_GRANTS_H

#include "lib/io/http_server.h"

weir_http_handler_fn api_grants_list;
weir_http_handler_fn api_grants_create;
weir_http_handler_fn api_grants_get;
weir_http_handler_fn api_grants_patch;
weir_http_handler_fn api_grants_delete;

#endif
