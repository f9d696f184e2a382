/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishes one camera into one engine as one generation of a stream: RTSP 1.0 over TCP on
 * loopback, RTP interleaved (RFC 2326).
 *
 * ANNOUNCE, SETUP for each track, RECORD, wait for the muxer, then the ring from its oldest key
 * unit as fast as the engine takes it, then live. The ring is the queue: the publisher has a place
 * in it and nothing else, so an engine that hangs costs no memory and holds nobody up; when the
 * place is overtaken, or nothing is taken or answered for TAP_PUBLISHER_STUCK_MS, publishing has
 * failed.
 *
 * Sender reports tie presentation time to capture time: one after the first packet of a track
 * (the engine ignores earlier ones), one every 2 s, one at once when the tie moves. While the
 * camera is away they go on every second and keep the session. Source: docs/adr/0003 and 0016.
 */
#ifndef WEIR_WORKER_TAP_PUBLISHER_H
#define WEIR_WORKER_TAP_PUBLISHER_H

#include "lib/domain/events.h"
#include "lib/domain/reason.h"
#include "lib/service/loop.h"
#include "worker/tap/ring.h"

#define TAP_PUBLISHER_ANSWER_MS 5000
#define TAP_PUBLISHER_STUCK_MS  5000

struct tap_publisher;

enum tap_publisher_state {
    TAP_PUBLISHER_WAITING,    /* for the camera */
    TAP_PUBLISHER_CONNECTING, /* up to RECORD and the muxer */
    TAP_PUBLISHER_LIVE,
    TAP_PUBLISHER_FAILED, /* for good; the owner frees it */
};

/* Told at each change, from the loop, never from inside new or free. */
typedef void tap_publisher_state_fn(void *ctx, struct tap_publisher *publisher,
                                    enum tap_publisher_state state, enum weir_reason reason,
                                    const char *detail);

/* `spec` is copied; `ring` and `format` are the camera's and outlive the publisher. */
struct tap_publisher *tap_publisher_new(struct weir_loop *loop,
                                        const struct weir_ctl_tap_publish *spec,
                                        const struct tap_ring *ring,
                                        const struct tap_format *format, tap_publisher_state_fn *fn,
                                        void *ctx);
void tap_publisher_free(struct tap_publisher **publisher); /* sets NULL; NULL is fine */

const struct weir_ctl_tap_publish *tap_publisher_spec(const struct tap_publisher *publisher);

/* The ring has new units. */
void tap_publisher_wake(struct tap_publisher *publisher);

/* What it publishes has the sound that `format` says from now on, or none. False: a session that
 * was announced otherwise cannot go on so. */
bool tap_publisher_takes_sound(const struct tap_publisher *publisher,
                               const struct tap_format *format);

/* What the camera sends is of another kind now: a new session is needed. */
void tap_publisher_restart(struct tap_publisher *publisher);

#endif
