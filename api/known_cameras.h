/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cameras that Postgres was asked for lately: whose they are, and how many streams their tenant may
 * have. It answers only while Postgres is away, so that streams can be started then too.
 * Thread-safe.
 */
#ifndef WEIR_API_KNOWN_CAMERAS_H
#define WEIR_API_KNOWN_CAMERAS_H

#include <stdbool.h>

#include "lib/domain/id.h"

struct api_known_cameras;

/* Keeps the `max` newest. */
struct api_known_cameras *api_known_cameras_new(size_t max);
void api_known_cameras_free(struct api_known_cameras *known);

void api_known_cameras_put(struct api_known_cameras *known, const struct weir_id *tenant_id,
                           const struct weir_id *camera_id, int64_t max_streams);
void api_known_cameras_remove(struct api_known_cameras *known, const struct weir_id *tenant_id,
                              const struct weir_id *camera_id);

/* False when it is not known that the camera is the tenant's. */
bool api_known_cameras_find(struct api_known_cameras *known, const struct weir_id *tenant_id,
                            const struct weir_id *camera_id, int64_t *ret_max_streams);

#endif
