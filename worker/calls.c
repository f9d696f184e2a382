/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/calls.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/list.h"

struct job {
    struct weir_list node;
    struct call call;
    struct weir_arena *arena;
    struct weir_http_answer answer;
    enum weir_code code;
    struct weir_err err;
};

struct calls {
    struct weir_loop *loop;
    struct weir_http_client *client; /* the thread's, as the next three */
    char *apis[CALL_APIS_MAX];
    size_t n_apis;
    size_t preferred;   /* answered last */
    call_look_fn *look; /* NULL: none */
    void *look_ctx;
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct weir_list waiting;
    struct weir_list answered;
    bool is_stopping;
};

static void job_free(struct job *job)
{
    weir_arena_free(job->arena);
    explicit_bzero(&job->call, sizeof(job->call));
    free(job);
}

static void call_api(struct calls *calls, struct job *job, const char *api)
{
    const char *headers[CALL_HEADERS_MAX + 1] = {NULL};
    for (size_t i = 0; i < CALL_HEADERS_MAX && job->call.headers[i][0]; i++) {
        headers[i] = job->call.headers[i];
    }
    weir_arena_free(job->arena);
    job->arena = weir_arena_new(0);
    struct weir_http_call call = {
        .url = weir_arena_printf(job->arena, "%s%s", api, job->call.path),
        .headers = headers,
        .timeout_ms = job->call.timeout_ms,
        .max_bytes = job->call.max_bytes,
    };
    job->code = weir_http_client_call(calls->client, &call, job->arena, &job->answer, &job->err);
}

static bool look_first(struct calls *calls, struct job *job)
{
    if (!calls->look || !job->call.may_look) {
        return false;
    }
    job->arena = weir_arena_new(0);
    job->code = WEIR_OK;
    job->call.was_seen = calls->look(calls->look_ctx, &job->call, job->arena, &job->answer);
    return job->call.was_seen;
}

static void run_job(struct calls *calls, struct job *job)
{
    if (look_first(calls, job)) {
        return;
    }
    job->code = weir_fail(&job->err, WEIR_EINVAL, "no api is set");
    for (size_t i = 0; i < calls->n_apis; i++) {
        call_api(calls, job, calls->apis[calls->preferred]);
        if (job->code == WEIR_OK && job->answer.status < 500) {
            return;
        }
        calls->preferred = (calls->preferred + 1) % calls->n_apis;
    }
}

static void drop_all(struct weir_list *jobs)
{
    WEIR_LIST_FOR(pos, jobs)
    {
        weir_list_remove(pos);
        job_free(WEIR_CONTAINER(pos, struct job, node));
    }
}

/* On the loop: one post an answer. */
static void deliver(void *ctx)
{
    struct calls *calls = ctx;
    pthread_mutex_lock(&calls->lock);
    struct job *job = WEIR_CONTAINER(calls->answered.next, struct job, node);
    weir_list_remove(&job->node);
    pthread_mutex_unlock(&calls->lock);
    job->call.fn(job->call.ctx, &job->call, job->code == WEIR_OK ? &job->answer : NULL, &job->err);
    job_free(job);
}

static void *run(void *ctx)
{
    struct calls *calls = ctx;
    pthread_mutex_lock(&calls->lock);
    for (;;) {
        while (!calls->is_stopping && weir_list_is_empty(&calls->waiting)) {
            pthread_cond_wait(&calls->changed, &calls->lock);
        }
        if (calls->is_stopping) {
            break;
        }
        struct job *job = WEIR_CONTAINER(calls->waiting.next, struct job, node);
        weir_list_remove(&job->node);
        pthread_mutex_unlock(&calls->lock);
        run_job(calls, job);
        pthread_mutex_lock(&calls->lock);
        weir_list_push_back(&calls->answered, &job->node);
        weir_loop_post(calls->loop, deliver, calls);
    }
    pthread_mutex_unlock(&calls->lock);
    return NULL;
}

static void take_apis(struct calls *calls, const char *apis)
{
    char *rest = NULL;
    char *text = weir_xstrdup(apis);
    for (char *api = strtok_r(text, ", ", &rest); api && calls->n_apis < CALL_APIS_MAX;
         api = strtok_r(NULL, ", ", &rest)) {
        calls->apis[calls->n_apis++] = weir_xstrdup(api);
    }
    free(text);
}

struct calls *calls_new(struct weir_loop *loop, const char *apis)
{
    struct calls *calls = weir_xalloc(sizeof(*calls));
    calls->loop = loop;
    take_apis(calls, apis);
    calls->client = weir_http_client_new();
    weir_list_init(&calls->waiting);
    weir_list_init(&calls->answered);
    pthread_mutex_init(&calls->lock, NULL);
    pthread_cond_init(&calls->changed, NULL);
    if (pthread_create(&calls->thread, NULL, run, calls) != 0) {
        abort();
    }
    return calls;
}

void calls_look_first(struct calls *calls, call_look_fn *look, void *ctx)
{
    calls->look = look;
    calls->look_ctx = ctx;
}

void calls_free(struct calls *calls)
{
    if (!calls) {
        return;
    }
    pthread_mutex_lock(&calls->lock);
    calls->is_stopping = true;
    pthread_cond_signal(&calls->changed);
    pthread_mutex_unlock(&calls->lock);
    pthread_join(calls->thread, NULL);
    weir_http_client_free(calls->client);
    drop_all(&calls->waiting);
    drop_all(&calls->answered);
    pthread_mutex_destroy(&calls->lock);
    pthread_cond_destroy(&calls->changed);
    for (size_t i = 0; i < calls->n_apis; i++) {
        free(calls->apis[i]);
    }
    free(calls);
}

void calls_post(struct calls *calls, const struct call *call)
{
    struct job *job = weir_xalloc(sizeof(*job));
    job->call = *call;
    pthread_mutex_lock(&calls->lock);
    weir_list_push_back(&calls->waiting, &job->node);
    pthread_cond_signal(&calls->changed);
    pthread_mutex_unlock(&calls->lock);
}
