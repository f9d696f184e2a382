/* SPDX-License-Identifier: Apache-2.0 */
#include "api/fetches.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/map.h"

#define TENANT_PARTS 2 /* of what may be held */

struct fetch {
    struct weir_fair_place place; /* under the mutex, as the next ones */
    int refs;
    size_t bytes; /* of the answer, which count as held */
    struct fetches *fetches;
    _Atomic bool is_done;
    struct weir_arena *arena;
    struct weir_id tenant_id;
    const char *url;
    int64_t deadline_mono_ms;
    struct weir_http_server *server;
    uint64_t token;
    bool has_answer;
    struct weir_http_answer answer;
};

struct fetches {
    struct fetches_config config;
    const char *authorization;
    struct weir_arena *arena;
    pthread_mutex_t mutex;
    pthread_cond_t asked;
    struct weir_fair *fair;
    size_t held;              /* bytes */
    struct weir_map *held_by; /* struct holding, by tenant */
    bool is_ending;
    pthread_t *threads;
    unsigned n_threads; /* that run */
};

/* What a tenant's answers take; as long as they do. */
struct holding {
    size_t bytes;
};

/* ---- under the mutex ---- */

static void hold(struct fetch *fetch, size_t bytes)
{
    struct fetches *fetches = fetch->fetches;
    if (bytes == 0) {
        return;
    }
    struct holding *holding = weir_map_find(fetches->held_by, &fetch->tenant_id);
    if (!holding) {
        holding = weir_xalloc(sizeof(*holding));
        weir_map_put(fetches->held_by, &fetch->tenant_id, holding);
    }
    holding->bytes += bytes;
    fetches->held += bytes;
    fetch->bytes = bytes;
}

static void let_go(struct fetch *fetch)
{
    struct fetches *fetches = fetch->fetches;
    if (fetch->bytes == 0) {
        return;
    }
    struct holding *holding = weir_map_find(fetches->held_by, &fetch->tenant_id);
    fetches->held -= fetch->bytes;
    holding->bytes -= fetch->bytes;
    if (holding->bytes == 0) {
        free(weir_map_remove(fetches->held_by, &fetch->tenant_id));
    }
}

/* True: nobody has it any more. */
static bool unref(struct fetch *fetch)
{
    if (--fetch->refs > 0) {
        return false;
    }
    let_go(fetch);
    return true;
}

static enum weir_fair_verdict push(struct fetches *fetches, struct fetch *fetch,
                                   const struct weir_id *camera_id)
{
    const struct holding *holding = weir_map_find(fetches->held_by, &fetch->tenant_id);
    if (fetches->is_ending || fetches->held >= fetches->config.held_max) {
        return WEIR_FAIR_FULL;
    }
    if (holding && holding->bytes >= fetches->config.held_max / TENANT_PARTS) {
        return WEIR_FAIR_TENANT_FULL;
    }
    return weir_fair_ask(fetches->fair, &fetch->place, &fetch->tenant_id, camera_id);
}

/* ---- */

static void destroy(struct fetch *fetch)
{
    weir_arena_free(fetch->arena);
    free(fetch);
}

void fetch_release(void *ctx)
{
    struct fetch *fetch = ctx;
    struct fetches *fetches = fetch->fetches;
    pthread_mutex_lock(&fetches->mutex);
    if (fetch->place.state == WEIR_FAIR_WAITS) {
        weir_fair_end(fetches->fair, &fetch->place);
        fetch->refs--; /* the queue's */
    }
    bool is_last = unref(fetch);
    pthread_mutex_unlock(&fetches->mutex);
    if (is_last) {
        destroy(fetch);
    }
}

const struct weir_http_answer *fetch_answer(struct fetch *fetch)
{
    return atomic_load(&fetch->is_done) && fetch->has_answer ? &fetch->answer : NULL;
}

/* ---- the threads ---- */

/* NULL at the end. */
static struct fetch *next(struct fetches *fetches)
{
    struct weir_fair_place *place = NULL;
    pthread_mutex_lock(&fetches->mutex);
    while (!fetches->is_ending && !(place = weir_fair_next(fetches->fair))) {
        pthread_cond_wait(&fetches->asked, &fetches->mutex);
    }
    pthread_mutex_unlock(&fetches->mutex);
    return place ? WEIR_CONTAINER(place, struct fetch, place) : NULL;
}

/* The thread that worked on it takes the next one, so that nobody need be woken for that. */
static void end(struct fetch *fetch)
{
    struct fetches *fetches = fetch->fetches;
    pthread_mutex_lock(&fetches->mutex);
    weir_fair_end(fetches->fair, &fetch->place);
    hold(fetch, fetch->has_answer ? fetch->answer.body_len : 0);
    pthread_mutex_unlock(&fetches->mutex);
    atomic_store(&fetch->is_done, true);
    weir_http_wake(fetch->server, fetch->token);
    fetch_release(fetch);
}

static void work(struct fetches *fetches, struct weir_http_client *client, struct fetch *fetch)
{
    const char *const headers[] = {fetches->authorization, NULL};
    int64_t left_ms = fetch->deadline_mono_ms - weir_clock_mono_ms();
    struct weir_http_call call = {.url = fetch->url,
                                  .headers = headers,
                                  .timeout_ms = left_ms > 0 ? left_ms : 1,
                                  .max_bytes = fetches->config.max_bytes};
    struct weir_err err = {0};
    fetch->has_answer =
        weir_http_client_call(client, &call, fetch->arena, &fetch->answer, &err) == WEIR_OK;
    if (!fetch->has_answer) {
        weir_log(WEIR_LOG_WARN, "a worker's origin does not answer", "why", err.msg, NULL);
    }
    end(fetch);
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
    fetches->fair = weir_fair_new(&config->limits);
    fetches->held_by = weir_map_new(sizeof(struct weir_id));
    pthread_mutex_init(&fetches->mutex, NULL);
    pthread_cond_init(&fetches->asked, NULL);
    size_t n = config->limits.all.running;
    fetches->threads = weir_xalloc(n * sizeof(*fetches->threads));
    for (; fetches->n_threads < n; fetches->n_threads++) {
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
    pthread_cond_broadcast(&fetches->asked);
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
    weir_fair_free(fetches->fair);
    weir_map_free(fetches->held_by);
    pthread_cond_destroy(&fetches->asked);
    pthread_mutex_destroy(&fetches->mutex);
    weir_arena_free(fetches->arena);
    free(fetches->threads);
    free(fetches);
}

struct fetch *fetches_begin(struct fetches *fetches, const struct fetch_wish *wish,
                            enum weir_fair_verdict *ret)
{
    struct fetch *fetch = weir_xalloc(sizeof(*fetch));
    fetch->refs = 2;
    atomic_init(&fetch->is_done, false);
    fetch->fetches = fetches;
    fetch->arena = weir_arena_new(0);
    fetch->tenant_id = wish->tenant_id;
    fetch->url = weir_arena_strdup(fetch->arena, wish->url);
    fetch->deadline_mono_ms = weir_clock_mono_ms() + wish->timeout_ms;
    fetch->server = wish->server;
    fetch->token = wish->token;
    pthread_mutex_lock(&fetches->mutex);
    *ret = push(fetches, fetch, &wish->camera_id);
    if (*ret == WEIR_FAIR_OK) {
        pthread_cond_signal(&fetches->asked);
    }
    pthread_mutex_unlock(&fetches->mutex);
    if (*ret != WEIR_FAIR_OK) {
        destroy(fetch);
        return NULL;
    }
    return fetch;
}
