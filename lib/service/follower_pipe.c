/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/follower_pipe.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/clock.h"

/* Items handled in one go, so that the loop serves others in between. */
#define DRAIN_MAX 256

struct follower_pipe {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct weir_list items;
    size_t n_items;
    bool is_posted;
    bool is_stopped;
    bool wants_restart;
    int64_t alive_mono_ms;
    struct weir_loop *loop;
    follower_item_fn *fn;
    void *ctx;
};

struct follower_pipe *follower_pipe_new(struct weir_loop *loop, follower_item_fn *fn, void *ctx)
{
    struct follower_pipe *pipe = weir_xalloc(sizeof(*pipe));
    pthread_mutex_init(&pipe->lock, NULL);
    pthread_cond_init(&pipe->changed, NULL);
    weir_list_init(&pipe->items);
    pipe->loop = loop;
    pipe->fn = fn;
    pipe->ctx = ctx;
    return pipe;
}

static void free_item(struct follower_item *item)
{
    weir_ledger_free(item->ledger);
    weir_arena_free(item->arena);
    free(item);
}

struct follower_item *follower_item_new(enum follower_item_kind kind)
{
    struct follower_item *item = weir_xalloc(sizeof(*item));
    item->kind = kind;
    return item;
}

static struct follower_item *pop(struct follower_pipe *pipe)
{
    struct follower_item *item = NULL;
    pthread_mutex_lock(&pipe->lock);
    if (!weir_list_is_empty(&pipe->items)) {
        item = WEIR_CONTAINER(pipe->items.next, struct follower_item, node);
        weir_list_remove(&item->node);
        pipe->n_items--;
        pthread_cond_signal(&pipe->changed);
    }
    pthread_mutex_unlock(&pipe->lock);
    return item;
}

static void drain(void *ctx)
{
    struct follower_pipe *pipe = ctx;
    for (int i = 0; i < DRAIN_MAX; i++) {
        struct follower_item *item = pop(pipe);
        if (item == NULL) {
            break;
        }
        pipe->fn(pipe->ctx, item);
        free_item(item);
    }
    pthread_mutex_lock(&pipe->lock);
    bool is_more = !weir_list_is_empty(&pipe->items);
    pipe->is_posted = is_more;
    pthread_mutex_unlock(&pipe->lock);
    if (is_more) {
        weir_loop_post(pipe->loop, drain, pipe);
    }
}

void follower_pipe_close(struct follower_pipe *pipe)
{
    weir_loop_unpost(pipe->loop, drain, pipe);
    WEIR_LIST_FOR(pos, &pipe->items)
    {
        free_item(WEIR_CONTAINER(pos, struct follower_item, node));
    }
    pthread_cond_destroy(&pipe->changed);
    pthread_mutex_destroy(&pipe->lock);
    free(pipe);
}

void follower_pipe_push(struct follower_pipe *pipe, struct follower_item *item)
{
    pthread_mutex_lock(&pipe->lock);
    while (pipe->n_items >= FOLLOWER_PIPE_MAX && !pipe->is_stopped) {
        pthread_cond_wait(&pipe->changed, &pipe->lock);
    }
    weir_list_push_back(&pipe->items, &item->node);
    pipe->n_items++;
    bool must_post = !pipe->is_posted;
    pipe->is_posted = true;
    pthread_mutex_unlock(&pipe->lock);
    if (must_post) {
        weir_loop_post(pipe->loop, drain, pipe);
    }
}

void follower_pipe_stop(struct follower_pipe *pipe)
{
    pthread_mutex_lock(&pipe->lock);
    pipe->is_stopped = true;
    pthread_cond_broadcast(&pipe->changed);
    pthread_mutex_unlock(&pipe->lock);
}

bool follower_pipe_is_stopped(struct follower_pipe *pipe)
{
    pthread_mutex_lock(&pipe->lock);
    bool is_stopped = pipe->is_stopped;
    pthread_mutex_unlock(&pipe->lock);
    return is_stopped;
}

void follower_pipe_ask_restart(struct follower_pipe *pipe)
{
    pthread_mutex_lock(&pipe->lock);
    pipe->wants_restart = true;
    pthread_mutex_unlock(&pipe->lock);
}

bool follower_pipe_take_restart(struct follower_pipe *pipe)
{
    pthread_mutex_lock(&pipe->lock);
    bool wants_restart = pipe->wants_restart;
    pipe->wants_restart = false;
    pthread_mutex_unlock(&pipe->lock);
    return wants_restart;
}

void follower_pipe_sleep(struct follower_pipe *pipe, int64_t ms)
{
    int64_t until_ms = weir_clock_mono_ms() + ms;
    pthread_mutex_lock(&pipe->lock);
    while (!pipe->is_stopped && weir_clock_wait(&pipe->changed, &pipe->lock, until_ms)) {
    }
    pthread_mutex_unlock(&pipe->lock);
}

void follower_pipe_set_alive(struct follower_pipe *pipe, int64_t mono_ms)
{
    pthread_mutex_lock(&pipe->lock);
    pipe->alive_mono_ms = mono_ms;
    pthread_mutex_unlock(&pipe->lock);
}

int64_t follower_pipe_alive(struct follower_pipe *pipe)
{
    pthread_mutex_lock(&pipe->lock);
    int64_t alive_mono_ms = pipe->alive_mono_ms;
    pthread_mutex_unlock(&pipe->lock);
    return alive_mono_ms;
}
