/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/cameras: rows in Postgres, their credentials sealed for workers, changes in the outbox. */
#ifndef WEIR_API_CAMERAS_H
#define WEIR_API_CAMERAS_H

#include "lib/io/http_server.h"

weir_http_handler_fn api_cameras_list;
weir_http_handler_fn api_cameras_create;
weir_http_handler_fn api_cameras_get;
weir_http_handler_fn api_cameras_patch;
weir_http_handler_fn api_cameras_delete;

/* Internal: a worker asks for the sealed source of a camera whose lease the log gives to it. */
weir_http_handler_fn api_cameras_source;

#endif
