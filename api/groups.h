/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/groups: a tenant's cameras in groups, for grants (api/grants.h). For administrators. */
#ifndef WEIR_API_GROUPS_H
#define WEIR_API_GROUPS_H

#include "lib/io/http_server.h"

weir_http_handler_fn api_groups_list;
weir_http_handler_fn api_groups_create;
weir_http_handler_fn api_groups_get;
weir_http_handler_fn api_groups_patch;
weir_http_handler_fn api_groups_delete;

weir_http_handler_fn api_groups_list_cameras;
weir_http_handler_fn api_groups_add_camera;
weir_http_handler_fn api_groups_remove_camera;

#endif
