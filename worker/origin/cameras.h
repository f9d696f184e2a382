/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the cameras of this worker are doing, as weir-worker says each second (camera.status): the
 * api asks when somebody asks it, so nothing is written anywhere meanwhile.
 */
#ifndef WEIR_WORKER_ORIGIN_CAMERAS_H
#define WEIR_WORKER_ORIGIN_CAMERAS_H

#include "lib/domain/events.h"
#include "worker/origin/ask.h"

#define CAMERAS_OLD_MS 5000 /* nothing was said of it for so long: it is not here any more */

struct cameras;

struct cameras *cameras_new(void);
void cameras_free(struct cameras *cameras); /* NULL is fine */

void cameras_take(struct cameras *cameras, const struct weir_ctl_camera_status *status,
                  int64_t now_ms);

/* The newest; NULL when it is not here, or not that tenant's. */
const struct weir_ctl *cameras_find(const struct cameras *cameras, const struct weir_id *tenant_id,
                                    const struct weir_id *camera_id, int64_t now_ms);

/* Answers ask->camera_id of ask->tenant_id with its newest camera.status as JSON, or 404. Takes the
 * loop's reference. */
void cameras_ask(struct cameras *cameras, struct ask *ask, int64_t now_ms);

#endif
