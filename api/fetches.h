/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP requests to workers, made by threads of their own while the request that asked waits without
 * one (api_call_wait).
 *
 * Each fetch that runs takes a thread until its worker answers, so that slow answers hold threads.
 * A camera and a tenant have a share of them (lib/domain/fair.h): however slow their answers are,
 * the others find threads. A tenant's share of the bytes that may be held is half.
 *
 * A fetch is held by its request and by the queue or thread that has it; who lets go last frees it.
 * One that waits when its request ends is taken out of the queue.
 */
#ifndef WEIR_API_FETCHES_H
#define WEIR_API_FETCHES_H

#include "lib/domain/fair.h"
#include "lib/io/http_client.h"
#include "lib/io/http_server.h"

struct fetches;
struct fetch;

struct fetches_config {
    struct weir_fair_limits limits; /* as many threads as `all` may run */
    size_t max_bytes;               /* of an answer */
    size_t held_max;    /* bytes of answers that are not released: above, nothing is begun */
    const char *secret; /* shown as bearer; kept */
};

struct fetch_wish {
    struct weir_id tenant_id;
    struct weir_id camera_id;
    const char *url;    /* copied */
    int64_t timeout_ms; /* with the wait for a thread */
    struct weir_http_server *server;
    uint64_t token; /* of `server`, to wake when the answer is there */
};

struct fetches *fetches_new(const struct fetches_config *config);
/* Finishes what runs and takes nothing more: before the servers whose tokens are woken go. NULL is
 * fine, here and below. */
void fetches_stop(struct fetches *fetches);
void fetches_free(struct fetches *fetches); /* stops, too; every fetch was released */

/*
 * The result is the request's: fetch_release it. NULL with `ret` saying who has too many already,
 * or whose answers are too much: then nothing was begun.
 */
struct fetch *fetches_begin(struct fetches *fetches, const struct fetch_wish *wish,
                            enum weir_fair_verdict *ret);
void fetch_release(void *fetch); /* fits weir_http_on_end */

/* The answer, which lives until the release; NULL while there is none, or when none came. */
const struct weir_http_answer *fetch_answer(struct fetch *fetch);

#endif
