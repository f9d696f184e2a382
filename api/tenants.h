/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/tenants: who may have cameras and how many. For the platform's operators. */
#ifndef WEIR_API_TENANTS_H
#define WEIR_API_TENANTS_H

#include "lib/io/http_server.h"

weir_http_handler_fn api_tenants_list;
weir_http_handler_fn api_tenants_create;
weir_http_handler_fn api_tenants_get;
weir_http_handler_fn api_tenants_patch;
weir_http_handler_fn api_tenants_delete;

#endif
