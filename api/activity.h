/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is watched: turns requests into viewers.v1 records, one a stream and second at most. A start,
 * a ticket and every request of a viewer at a gateway count. Thread-safe, never blocks.
 */
#ifndef WEIR_API_ACTIVITY_H
#define WEIR_API_ACTIVITY_H

#include "api/bus.h"

struct api_activity;

struct api_activity *api_activity_new(struct api_bus *bus, int32_t cell);
void api_activity_free(struct api_activity *activity);

/*
 * Notes that somebody asked for a stream now. `generation` 0: not placed yet. `viewer_id` (may be
 * NULL) is the ticket, so that viewers can be counted.
 */
void api_activity_note(struct api_activity *activity, const struct weir_id *tenant_id,
                       const struct weir_id *stream_id, int64_t generation,
                       const struct weir_id *viewer_id, enum weir_ev_viewers_source source);

/* Sends what was noted since the last second and not sent; call it every second. */
void api_activity_tick(struct api_activity *activity);

#endif
