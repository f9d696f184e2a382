/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One routed generation of a stream: its engine behind, its viewers in front.
 *
 * It asks the engine once for what several viewers ask at the same time, keeps the engine's CDN
 * session (children answer 401 or 404 without one; a GET of index.m3u8 makes it), moves playlists
 * by the continuity rules, and while the engine is away repeats the last playlist for at most
 * STREAM_REPEAT_MS: players poll an unchanged playlist, but back off from an error.
 *
 * Loop thread only; monotonic milliseconds.
 */
#ifndef WEIR_WORKER_ORIGIN_STREAM_H
#define WEIR_WORKER_ORIGIN_STREAM_H

#include "lib/domain/events.h"
#include "worker/origin/ask.h"
#include "worker/origin/upstream.h"

#define STREAM_REPEAT_MS 15000

struct stream;

struct stream_limits {
    size_t media_max_bytes; /* of a segment, part or init section */
    size_t fetches_max;     /* at once, over all streams */
};

/* What streams work with; outlives them. */
struct stream_host {
    struct weir_loop *loop;
    struct upstream *upstream;
    const struct stream_limits *limits;
    void (*say)(void *ctx, const struct weir_ctl *ctl); /* to weir-worker */
    void *ctx;
};

/* `host` is kept. */
struct stream *stream_new(const struct weir_ctl_origin_route *route,
                          const struct stream_host *host);
/* Who waits is answered 404. NULL is fine. */
void stream_free(struct stream *stream);

/* The same generation from another engine, or from a new run of it. Who waits goes on waiting. */
void stream_reroute(struct stream *stream, const struct weir_ctl_origin_route *route);

/* Takes the loop's reference of the ask; it is answered some time later, or at once. */
void stream_ask(struct stream *stream, struct ask *ask);

/* Every few seconds: keeps the engine's session alive while somebody watches. */
void stream_tick(struct stream *stream);

const struct weir_ctl_origin_route *stream_route(const struct stream *stream);

/* Milliseconds since the newest playlist request; -1: none yet. */
int64_t stream_request_age_ms(const struct stream *stream);

/* Playlist requests since the last call. */
int64_t stream_take_requests(struct stream *stream);

#endif
