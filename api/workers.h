/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/workers: what the cell's workers are and hold, and emptying one of them. */
#ifndef WEIR_API_WORKERS_H
#define WEIR_API_WORKERS_H

#include "lib/io/http_server.h"

weir_http_handler_fn api_workers_list;
weir_http_handler_fn api_workers_drain;
weir_http_handler_fn api_workers_undrain;

#endif
