/* SPDX-License-Identifier: Apache-2.0 */
#include "api/fetches.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/base/list.h"
#include "lib/base/log.h"

struct fetch {
    struct weir_list node; /* in the queue */
    _Atomic int refs;
    _Atomic bool is_done;
    struct weir_arena *arena;
    const char *url;
    int64_t timeout_ms;
    struct weir_http_server *server;
    uint64_t token;
    _Atomic size_t *held; /* counts its answer */
    size_t bytes;
    bool has_answer;
    struct weir_http_answer answer;
};

struct fetches {
    struct fetches_config config;
    const char *authorization;
    struct weir_arena *arena;
    pthread_mutex_t mutex;
    pthread_cond_t queued;
    struct weir_list queue;
    size_t n_queued;
    _Atomic size_t held; /* bytes */
    bool is_ending;
    pthread_t *threads;
    unsigned n_threads; /* that run */
};

void fetch_release(void *ctx)
{
    struct fetch *fetch = ctx;
    if (atomic_fetch_sub(&fetch->refs, 1) == 1) {
        atomic_fetch_sub(fetch->held, fetch->bytes);
        weir_arena_free(fetch->arena);
        free(fetch);
    }
}

const struct weir_http_answer *fetch_answer(struct fetch *fetch)
{
    return atomic_load(&fetch->is_done) && fetch->has_answer ? &fetch->answer : NULL;
}

/* NULL at the end. */
static struct fetch *next(struct fetches *fetches)
{
    struct fetch *fetch = NULL;
    pthread_mutex_lock(&fetches->mutex);
    while (!fetches->is_ending && weir_list_is_empty(&fetches->queue)) {
        pthread_cond_wait(&fetches->queued, &fetches->mutex);
    }
    if (!fetches->is_ending) {
        fetch = WEIR_CONTAINER(fetches->queue.next, struct fetch, node);
        weir_list_remove(&fetch->node);
        fetches->n_queued--;
    }
    pthread_mutex_unlock(&fetches->mutex);
    return fetch;
}

static void work(struct fetches *fetches, struct weir_http_client *client, struct fetch *fetch)
{
    const char *const headers[] = {fetches->authorization, NULL};
    struct weir_http_call call = {.url = fetch->url,
                                  .headers = headers,
                                  .timeout_ms = fetch->timeout_ms,
                                  .max_bytes = fetches->config.max_bytes};
    struct weir_err err = {0};
    /* Who asked may be gone already: then nobody else holds it. */
    if (atomic_load(&fetch->refs) > 1) {
        fetch->has_answer =
            weir_http_client_call(client, &call, fetch->arena, &fetch->answer, &err) == WEIR_OK;
        if (!fetch->has_answer) {
            weir_log(WEIR_LOG_WARN, "a worker's origin does not answer", "why", err.msg, NULL);
        }
        fetch->bytes = fetch->has_answer ? fetch->answer.body_len : 0;
        atomic_fetch_add(fetch->held, fetch->bytes);
    }
    atomic_store(&fetch->is_done, true);
    weir_http_wake(fetch->server, fetch->token);
    fetch_release(fetch);
}

static void *run(void *ctx)
{
    struct fetches *fetches = ctx;
    struct weir_http_client *client = weir_http_client_new();
    struct fetch *fetch;
    while ((fetch = next(fetches))) {
        work(fetches, client, fetch);
    }
    weir_http_client_free(client);
    return NULL;
}

struct fetches *fetches_new(const struct fetches_config *config)
{
    struct fetches *fetches = weir_xalloc(sizeof(*fetches));
    fetches->config = *config;
    fetches->arena = weir_arena_new(0);
    fetches->authorization =
        weir_arena_printf(fetches->arena, "Authorization: Bearer %s", config->secret);
    weir_list_init(&fetches->queue);
    pthread_mutex_init(&fetches->mutex, NULL);
    pthread_cond_init(&fetches->queued, NULL);
    fetches->threads = weir_xalloc(config->threads * sizeof(*fetches->threads));
    for (; fetches->n_threads < config->threads; fetches->n_threads++) {
        pthread_create(&fetches->threads[fetches->n_threads], NULL, run, fetches);
    }
    return fetches;
}

void fetches_stop(struct fetches *fetches)
{
    if (!fetches) {
        return;
    }
    pthread_mutex_lock(&fetches->mutex);
    fetches->is_ending = true;
    pthread_cond_broadcast(&fetches->queued);
    pthread_mutex_unlock(&fetches->mutex);
    for (; fetches->n_threads > 0; fetches->n_threads--) {
        pthread_join(fetches->threads[fetches->n_threads - 1], NULL);
    }
}

void fetches_free(struct fetches *fetches)
{
    if (!fetches) {
        return;
    }
    fetches_stop(fetches);
    WEIR_LIST_FOR(pos, &fetches->queue)
    {
        struct fetch *fetch = WEIR_CONTAINER(pos, struct fetch, node);
        weir_list_remove(&fetch->node);
        fetch_release(fetch);
    }
    pthread_cond_destroy(&fetches->queued);
    pthread_mutex_destroy(&fetches->mutex);
    weir_arena_free(fetches->arena);
    free(fetches->threads);
    free(fetches);
}

struct fetch *fetches_begin(struct fetches *fetches, const char *url, int64_t timeout_ms,
                            struct weir_http_server *server, uint64_t token)
{
    struct fetch *fetch = weir_xalloc(sizeof(*fetch));
    atomic_init(&fetch->refs, 2);
    atomic_init(&fetch->is_done, false);
    fetch->arena = weir_arena_new(0);
    fetch->url = weir_arena_strdup(fetch->arena, url);
    fetch->timeout_ms = timeout_ms;
    fetch->server = server;
    fetch->token = token;
    fetch->held = &fetches->held;
    pthread_mutex_lock(&fetches->mutex);
    bool has_room = !fetches->is_ending && fetches->n_queued < fetches->config.queue_max &&
                    atomic_load(&fetches->held) < fetches->config.held_max;
    if (has_room) {
        weir_list_push_back(&fetches->queue, &fetch->node);
        fetches->n_queued++;
        pthread_cond_signal(&fetches->queued);
    }
    pthread_mutex_unlock(&fetches->mutex);
    if (!has_room) {
        weir_arena_free(fetch->arena);
        free(fetch);
        return NULL;
    }
    return fetch;
}
