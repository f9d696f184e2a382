/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/http_pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/arena.h"

struct weir_http_pool {
    pthread_mutex_t mutex;
    pthread_cond_t has_job;
    struct weir_list queue;
    unsigned queued;
    unsigned queue_max;
    bool is_ending;
    unsigned n_threads;
    pthread_t threads[];
};

static struct weir_http_job *take_job(struct weir_http_pool *pool)
{
    struct weir_http_job *job = NULL;
    pthread_mutex_lock(&pool->mutex);
    while (!pool->is_ending && weir_list_is_empty(&pool->queue)) {
        pthread_cond_wait(&pool->has_job, &pool->mutex);
    }
    if (!pool->is_ending) {
        job = WEIR_CONTAINER(pool->queue.next, struct weir_http_job, node);
        weir_list_remove(&job->node);
        pool->queued--;
    }
    pthread_mutex_unlock(&pool->mutex);
    return job;
}

static void *work(void *ctx)
{
    struct weir_http_pool *pool = ctx;
    pthread_setname_np(pthread_self(), "weir-http-pool");
    for (struct weir_http_job *job; (job = take_job(pool)) != NULL;) {
        job->run(job);
    }
    return NULL;
}

struct weir_http_pool *weir_http_pool_new(unsigned threads, unsigned queue_max)
{
    struct weir_http_pool *pool =
        weir_xalloc(sizeof(*pool) + (size_t)threads * sizeof(pool->threads[0]));
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->has_job, NULL);
    weir_list_init(&pool->queue);
    pool->queue_max = queue_max;
    pool->n_threads = threads;

    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 0; i < threads; i++) {
        if (pthread_create(&pool->threads[i], NULL, work, pool) != 0) {
            perror("weir-http-pool: pthread_create");
            abort();
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pool;
}

void weir_http_pool_stop(struct weir_http_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->is_ending = true;
    pthread_cond_broadcast(&pool->has_job);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->n_threads; i++) {
        pthread_join(pool->threads[i], NULL);
    }
    WEIR_LIST_FOR(pos, &pool->queue)
    {
        struct weir_http_job *job = WEIR_CONTAINER(pos, struct weir_http_job, node);
        weir_list_remove(&job->node);
        job->drop(job);
    }
}

void weir_http_pool_free(struct weir_http_pool *pool)
{
    pthread_cond_destroy(&pool->has_job);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

bool weir_http_pool_add(struct weir_http_pool *pool, struct weir_http_job *job, bool force)
{
    pthread_mutex_lock(&pool->mutex);
    bool fits = !pool->is_ending && (force || pool->queued < pool->queue_max);
    if (fits) {
        weir_list_push_back(&pool->queue, &job->node);
        pool->queued++;
        pthread_cond_signal(&pool->has_job);
    }
    pthread_mutex_unlock(&pool->mutex);
    return fits;
}
