/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the commands that Kafka holds and no decision has spoken of, so that every api knows what
 * any of them acknowledged: a stream that one api answered 202 for is there, queued, at the next
 * one. A thread of its own follows `weir.commands.v1` and tells the view of each start.
 *
 * An id that the view does not know may be on its way here. Whoever asks for one waits, without a
 * thread, until this has read all that was in the topic when he asked; only then is it unknown:
 *
 *     token = weir_http_wait(req, deadline);
 *     api_wishes_sync(wishes, server, token);           wakes the request when it is so
 *     ... second run: is_certain = api_wishes_end_sync(wishes, server, token);
 *
 * docs/adr/0020-an-api-reads-the-commands.md
 */
#ifndef WEIR_API_WISHES_H
#define WEIR_API_WISHES_H

#include "api/used_keys.h"
#include "api/view.h"

struct api_wishes;

struct api_wishes_config {
    const char *brokers;
    int32_t cell;
    struct api_view *view;       /* outlives this, as the next one */
    struct used_keys *used_keys; /* told what each command is for */
};

/* Starts the thread; it reads nothing before api_wishes_follow. */
WEIR_MUST_USE enum weir_code api_wishes_open(const struct api_wishes_config *config,
                                             struct api_wishes **ret, struct weir_err *err);
void api_wishes_close(struct api_wishes **wishes);

/* Begins (again) at the first command that is not decided. Any thread. */
void api_wishes_follow(struct api_wishes *wishes, int64_t next_offset);

/* Any thread. One sync a token. */
void api_wishes_sync(struct api_wishes *wishes, struct weir_http_server *server, uint64_t token);

/* Forgets the sync; true when it was reached. An unknown token is false. */
bool api_wishes_end_sync(struct api_wishes *wishes, struct weir_http_server *server,
                         uint64_t token);

#endif
