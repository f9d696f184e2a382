/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP requests to workers, made by threads of their own while the request that asked waits without
 * one (api_call_wait), so that slow answers cost nothing but themselves.
 *
 * A fetch is held by its request and by the thread that works on it; who lets go last frees it.
 */
#ifndef WEIR_API_FETCHES_H
#define WEIR_API_FETCHES_H

#include "lib/io/http_client.h"
#include "lib/io/http_server.h"

struct fetches;
struct fetch;

struct fetches_config {
    unsigned threads;
    size_t queue_max;   /* fetches that wait for a thread */
    size_t max_bytes;   /* of an answer */
    size_t held_max;    /* bytes of answers that are not released: above, nothing is begun */
    const char *secret; /* shown as bearer; kept */
};

struct fetches *fetches_new(const struct fetches_config *config);
/* Finishes what runs and takes nothing more: before the servers whose tokens are woken go. NULL is
 * fine, here and below. */
void fetches_stop(struct fetches *fetches);
void fetches_free(struct fetches *fetches); /* stops, too */

/*
 * Asks `url` (copied); wakes `token` of `server` when the answer is there. NULL when too many wait,
 * or too much is held: then nothing was begun. The result is the request's: fetch_release it.
 */
struct fetch *fetches_begin(struct fetches *fetches, const char *url, int64_t timeout_ms,
                            struct weir_http_server *server, uint64_t token);
void fetch_release(void *fetch); /* fits weir_http_on_end */

/* The answer, which lives until the release; NULL while there is none, or when none came. */
const struct weir_http_answer *fetch_answer(struct fetch *fetch);

#endif
