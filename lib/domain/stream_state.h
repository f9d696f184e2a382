/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a stream (DESIGN section 3): which state may follow which, and what a state means to
 * those who only ask "does it run", "may I start it", "is somebody working on it". Pure.
 *
 *     queued > placed > starting > running > stopping > stopped
 *     sideways: backoff (source or process failing), suspect (worker silent), failed (permanent)
 *
 * migrating and preempting belong to drain and preemption; rejected, expired and cancelled end a
 * stream that never left the queue.
 */
#ifndef WEIR_DOMAIN_STREAM_STATE_H
#define WEIR_DOMAIN_STREAM_STATE_H

#include <stdbool.h>

#include "lib/domain/events.h"

/* Whether a decision may take a stream from one state to the other. */
bool weir_stream_state_is_legal(enum weir_stream_state from, enum weir_stream_state to);

/* A worker holds it: it has a worker, an incarnation and a lease. */
bool weir_stream_state_is_placed(enum weir_stream_state state);

/* It is wanted: queued, or placed and not on its way out. Starting it again changes nothing. */
bool weir_stream_state_is_live(enum weir_stream_state state);

/* It ended; only a new start brings it back. */
bool weir_stream_state_is_final(enum weir_stream_state state);

/* Of a camera that is sent on as it is there is one stream; all others of it are renditions, which
 * somebody has to make. `fps` 0: as the camera sends it. */
bool weir_stream_is_rendition(enum weir_quality quality, int64_t fps);

#endif
