/* SPDX-License-Identifier: Apache-2.0 */
/* What can only be read: /v1/audit-events, /v1/viewings, /openapi.json. */
#ifndef WEIR_API_REPORTS_H
#define WEIR_API_REPORTS_H

#include "lib/io/http_server.h"

weir_http_handler_fn api_audit_list;
weir_http_handler_fn api_viewings_list;
weir_http_handler_fn api_openapi_get;

#endif
