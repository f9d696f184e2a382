/* SPDX-License-Identifier: Apache-2.0 */
/* How long a stream may be idle: the camera's own time, else the tenant's, else the default. */
#ifndef REAPER_TIMEOUTS_H
#define REAPER_TIMEOUTS_H

#include <stdint.h>

#include "lib/domain/events.h"

struct reaper_timeouts;

struct reaper_timeouts *reaper_timeouts_new(int64_t default_ms);
void reaper_timeouts_free(struct reaper_timeouts *timeouts); /* NULL is fine */

/* Takes a config.camera or config.tenant; others are ignored. */
void reaper_timeouts_take(struct reaper_timeouts *timeouts, const struct weir_event *event);

int64_t reaper_timeouts_ms(const struct reaper_timeouts *timeouts, const struct weir_id *tenant_id,
                           const struct weir_id *camera_id);

#endif
