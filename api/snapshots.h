/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of exact moments: GET /v1/cameras/{camera_id}/snapshot. */
#ifndef WEIR_API_SNAPSHOTS_H
#define WEIR_API_SNAPSHOTS_H

#include "lib/io/http_server.h"

weir_http_handler_fn api_snapshot_get;

#endif
