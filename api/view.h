/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the decision log says, for any thread: copies of the ledger's rows, kept by the loop that
 * follows the log. Nothing else is asked when a stream, its worker or a camera's lease is looked
 * up, so Redis and Postgres may be away.
 *
 * While the follower starts again, readers keep the rows they had; the new ones take their place
 * all at once when the log is caught up.
 *
 * Waiting: a handler takes a token with weir_http_wait and leaves it here with the version it has
 * seen; the token is woken by the first change after that version, even one that came in between.
 */
#ifndef WEIR_API_VIEW_H
#define WEIR_API_VIEW_H

#include "lib/domain/ledger.h"
#include "lib/io/http_server.h"
#include "lib/service/loop.h"

struct api_view;

struct api_view_config {
    const char *brokers;
    int32_t cell;
    struct weir_loop *loop;
    /* On the loop's thread, when being caught up begins or ends; for /readyz. */
    void (*on_ready)(void *ctx, bool is_ready, const char *reason);
    void *ctx;
};

/* Starts to follow the log. Returns soon; the rows come. */
WEIR_MUST_USE enum weir_code api_view_open(const struct api_view_config *config,
                                           struct api_view **ret, struct weir_err *err);
void api_view_close(struct api_view **view); /* on the loop's thread, or after it ended */

/* False until the log was caught up once: then nothing found means nothing there. */
bool api_view_is_known(struct api_view *view);

/* Copies a row; false when there is none. */
bool api_view_stream(struct api_view *view, const struct weir_id *stream_id,
                     struct weir_stream_row *ret);
bool api_view_worker(struct api_view *view, const struct weir_id *worker_id,
                     struct weir_worker_row *ret);
bool api_view_lease(struct api_view *view, const struct weir_id *camera_id,
                    struct weir_lease_row *ret);

/*
 * A start that Kafka holds at `offset`: readers see `row` (its version and generation are those
 * known) while the stream is not live, until a decision speaks of that command or `until_mono_ms`.
 */
void api_view_expect(struct api_view *view, const struct weir_stream_row *row, int64_t offset,
                     int64_t until_mono_ms);

/* The first command that no decision speaks of. On the loop's thread. */
int64_t api_view_commands_next(struct api_view *view);

/* Rows of a tenant with ids above `after` (NULL: all), rising by id, at most `max`; malloced array
 * for the caller to free. Returns how many. */
size_t api_view_streams_of(struct api_view *view, const struct weir_id *tenant_id,
                           const struct weir_id *after, size_t max, struct weir_stream_row **ret);
size_t api_view_workers(struct api_view *view, struct weir_worker_row **ret);

/* What a worker holds. */
struct api_view_holdings {
    int64_t streams;
    int64_t coming;  /* streams that move to it */
    int64_t cameras; /* that it pulls */
};
struct api_view_holdings api_view_holdings(struct api_view *view, const struct weir_id *worker_id);

/* Streams of a tenant that hold or want a place, for its quota. */
size_t api_view_count_live(struct api_view *view, const struct weir_id *tenant_id);

/* Of those, the renditions that are made of one camera. */
size_t api_view_count_renditions(struct api_view *view, const struct weir_id *tenant_id,
                                 const struct weir_id *camera_id);

/* Wakes `token` of `server` once the stream's version is not `seen_version` (-1: unknown to the
 * caller); at once when it is so already. One watch a token. */
void api_view_watch(struct api_view *view, const struct weir_id *stream_id, int64_t seen_version,
                    struct weir_http_server *server, uint64_t token);
/* When the waiter answers; an unknown token does nothing. */
void api_view_unwatch(struct api_view *view, struct weir_http_server *server, uint64_t token);

#endif
