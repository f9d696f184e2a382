/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is watched, and since when nobody is (DESIGN section 3, Idle). Pure: time is an argument, on
 * the reaper's own monotonic clock.
 *
 * A stream was wanted last at the newest of: its placement, a request at a front door (viewers.v1),
 * a playlist request at its origin (heartbeats). Its idle time starts anew whenever the inputs had
 * a gap: its worker was not heard for more than 3 s, or the reaper itself has just started. While
 * its worker is silent nothing is proposed.
 *
 * A proposal is only that: the scheduler checks it against what it knows, the worker against its
 * origin. So a second reaper, or the same proposal twice, is harmless.
 */
#ifndef REAPER_IDLE_H
#define REAPER_IDLE_H

#include "lib/domain/events.h"
#include "lib/domain/ledger.h"

#define IDLE_GAP_MS     3000 /* a worker silent for longer: nothing is known of its viewers */
#define IDLE_PROPOSE_MS 5000 /* pause before the same stream is proposed again */

struct idle;

struct idle_proposal {
    struct weir_id tenant_id;
    struct weir_id stream_id;
    int64_t generation;
    int64_t idle_ms;
    int64_t timeout_ms;
};

/* `timeout_ms`: where neither camera nor tenant says otherwise. */
struct idle *idle_new(int64_t timeout_ms);
void idle_free(struct idle *idle);

/* The ledger is filled again: streams and workers are forgotten, configuration stays. */
void idle_reset(struct idle *idle);

/* A row of the ledger changed; rows that are not on a worker are forgotten. */
void idle_stream(struct idle *idle, const struct weir_stream_row *row, int64_t now_mono_ms);

void idle_heartbeat(struct idle *idle, const struct weir_ev_heartbeat *heartbeat,
                    int64_t now_mono_ms);
void idle_viewers(struct idle *idle, const struct weir_ev_viewers *viewers, int64_t now_mono_ms);
void idle_camera(struct idle *idle, const struct weir_ev_config_camera *camera);
void idle_tenant(struct idle *idle, const struct weir_ev_config_tenant *tenant);

/*
 * Fills up to `max` proposals that are due and remembers that they were made; returns how many.
 * Call again when all `max` were filled.
 */
size_t idle_due(struct idle *idle, int64_t now_mono_ms, struct idle_proposal *ret, size_t max);

size_t idle_watched(const struct idle *idle); /* streams it knows */

#endif
