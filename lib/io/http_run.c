/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/io/http_request.h"

struct weir_http_run {
    pthread_mutex_t mutex; /* phases, tokens, the list of waiters */
    struct weir_map *by_token;
    struct weir_list waiting;
    uint64_t last_token;
    bool is_draining;
    struct weir_http_pool *pool;
    void *ctx;
    void (*answered)(struct weir_http_request *req);
};

struct weir_http_run *weir_http_run_new(unsigned threads, unsigned queue_max, void *ctx,
                                        void (*answered)(struct weir_http_request *req))
{
    struct weir_http_run *run = weir_xalloc(sizeof(*run));
    pthread_mutex_init(&run->mutex, NULL);
    weir_list_init(&run->waiting);
    run->by_token = weir_map_new(sizeof(run->last_token));
    run->ctx = ctx;
    run->answered = answered;
    run->pool = weir_http_pool_new(threads, queue_max);
    return run;
}

struct weir_http_pool *weir_http_run_pool(struct weir_http_run *run)
{
    return run->pool;
}

static void answer_draining(struct weir_http_request *req)
{
    weir_http_problem_at(req, &req->response, 503, "draining", NULL, "this server is ending");
    weir_http_add_header(&req->response, "Retry-After", "1");
}

/* With the mutex held. */
static void end_turn(struct weir_http_run *run, struct weir_http_request *req)
{
    req->phase = WEIR_HTTP_ANSWERED;
    if (req->token) {
        weir_map_remove(run->by_token, &req->token);
    }
}

/* True when the request was answered, false when it waits or runs again: it is not ours then. */
static bool settle(struct weir_http_run *run, struct weir_http_request *req)
{
    pthread_mutex_lock(&run->mutex);
    bool wants_wait = req->is_waiting_asked && req->response.status == 0;
    if (wants_wait && run->is_draining && req->attempts > 1) {
        answer_draining(req);
        wants_wait = false;
    }
    if (wants_wait && (req->is_woken || run->is_draining)) {
        req->phase = WEIR_HTTP_QUEUED;
        if (!weir_http_pool_add(run->pool, &req->job, true)) {
            answer_draining(req);
            wants_wait = false;
        }
    } else if (wants_wait) {
        req->phase = WEIR_HTTP_WAITING;
        weir_list_push_back(&run->waiting, &req->waiting_node);
    }
    if (!wants_wait) {
        end_turn(run, req);
    }
    pthread_mutex_unlock(&run->mutex);
    return !wants_wait;
}

static void begin_turn(struct weir_http_run *run, struct weir_http_request *req)
{
    pthread_mutex_lock(&run->mutex);
    req->phase = WEIR_HTTP_RUNNING;
    req->is_woken = false;
    req->is_waiting_asked = false;
    pthread_mutex_unlock(&run->mutex);
}

static void call_handler(struct weir_http_run *run, struct weir_http_request *req)
{
    req->match.route->handler(run->ctx, req, &req->response);
    req->attempts++;
}

static void run_job(struct weir_http_job *job)
{
    struct weir_http_request *req = WEIR_CONTAINER(job, struct weir_http_request, job);
    struct weir_http_run *run = req->run;
    begin_turn(run, req);
    call_handler(run, req);
    if (settle(run, req)) {
        run->answered(req);
    }
}

static void drop_job(struct weir_http_job *job)
{
    struct weir_http_request *req = WEIR_CONTAINER(job, struct weir_http_request, job);
    struct weir_http_run *run = req->run;
    answer_draining(req);
    pthread_mutex_lock(&run->mutex);
    end_turn(run, req);
    pthread_mutex_unlock(&run->mutex);
    run->answered(req);
}

static void init_job(struct weir_http_request *req)
{
    weir_list_init(&req->job.node);
    weir_list_init(&req->waiting_node);
    req->job.run = run_job;
    req->job.drop = drop_job;
}

bool weir_http_run_add(struct weir_http_run *run, struct weir_http_request *req)
{
    init_job(req);
    req->phase = WEIR_HTTP_QUEUED;
    return weir_http_pool_add(run->pool, &req->job, false);
}

/* Without the mutex: nobody else knows the request before it asks to wait. */
bool weir_http_run_inline(struct weir_http_run *run, struct weir_http_request *req)
{
    req->phase = WEIR_HTTP_RUNNING;
    req->is_inline = true;
    call_handler(run, req);
    req->is_inline = false;
    if (req->is_later || (req->is_waiting_asked && req->response.status == 0)) {
        return false;
    }
    if (req->token) {
        pthread_mutex_lock(&run->mutex);
        end_turn(run, req);
        pthread_mutex_unlock(&run->mutex);
    }
    req->phase = WEIR_HTTP_ANSWERED;
    return true;
}

bool weir_http_run_go_on(struct weir_http_run *run, struct weir_http_request *req)
{
    if (req->is_later) {
        return weir_http_run_add(run, req);
    }
    init_job(req);
    if (settle(run, req)) {
        run->answered(req);
    }
    return true;
}

/* With the mutex held. */
static void resume(struct weir_http_run *run, struct weir_http_request *req)
{
    weir_list_remove(&req->waiting_node);
    req->phase = WEIR_HTTP_QUEUED;
    weir_http_pool_add(run->pool, &req->job, true);
}

void weir_http_run_tick(struct weir_http_run *run, int64_t now_mono_ms)
{
    pthread_mutex_lock(&run->mutex);
    WEIR_LIST_FOR(pos, &run->waiting)
    {
        struct weir_http_request *req = WEIR_CONTAINER(pos, struct weir_http_request, waiting_node);
        if (req->wait_deadline_mono_ms <= now_mono_ms) {
            resume(run, req);
        }
    }
    pthread_mutex_unlock(&run->mutex);
}

void weir_http_run_wake(struct weir_http_run *run, uint64_t token)
{
    pthread_mutex_lock(&run->mutex);
    struct weir_http_request *req = weir_map_find(run->by_token, &token);
    if (req && req->phase == WEIR_HTTP_WAITING) {
        resume(run, req);
    } else if (req) {
        req->is_woken = true;
    }
    pthread_mutex_unlock(&run->mutex);
}

void weir_http_run_drain(struct weir_http_run *run)
{
    pthread_mutex_lock(&run->mutex);
    run->is_draining = true;
    WEIR_LIST_FOR(pos, &run->waiting)
    {
        resume(run, WEIR_CONTAINER(pos, struct weir_http_request, waiting_node));
    }
    pthread_mutex_unlock(&run->mutex);
}

void weir_http_run_stop(struct weir_http_run *run)
{
    weir_http_run_drain(run);
    weir_http_pool_stop(run->pool);
}

void weir_http_run_free(struct weir_http_run *run)
{
    weir_http_pool_free(run->pool);
    weir_map_free(run->by_token);
    pthread_mutex_destroy(&run->mutex);
    free(run);
}

uint64_t weir_http_wait(struct weir_http_request *req, int64_t deadline_mono_ms)
{
    struct weir_http_run *run = req->run;
    pthread_mutex_lock(&run->mutex);
    if (!req->token) {
        req->token = ++run->last_token;
        weir_map_put(run->by_token, &req->token, req);
    }
    req->is_waiting_asked = true;
    req->wait_deadline_mono_ms = deadline_mono_ms;
    pthread_mutex_unlock(&run->mutex);
    return req->token;
}

void weir_http_later(struct weir_http_request *req)
{
    assert(req->is_inline);
    req->is_later = true;
}

bool weir_http_is_inline(const struct weir_http_request *req)
{
    return req->is_inline;
}
