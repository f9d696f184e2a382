/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several pictures in one answer: GET /v1/cameras/{camera_id}/snapshots?from=..&to=..&every=..
 *
 * One after the other, so that it takes one decoder at a time; each counts for the quota, and all
 * together have SNAPSHOT_LAPSE_BYTES_MAX and half a minute: then those that are there are the
 * answer.
 */
#ifndef WEIR_API_SNAPSHOT_LAPSE_H
#define WEIR_API_SNAPSHOT_LAPSE_H

#include "lib/io/http_server.h"

#define SNAPSHOT_LAPSE_BYTES_MAX (32U << 20)

weir_http_handler_fn api_snapshot_lapse_get;

#endif
