/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/turns.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/map.h"

/* Of one camera, as long as somebody has a turn. */
struct queue {
    size_t n_has;
    size_t n_waiting;
    struct weir_list waiting;
};

struct turns {
    pthread_mutex_t mutex;
    struct weir_map *queues; /* by camera */
    size_t most;
    size_t waiting_max;
    turns_wake_fn *wake;
    void *ctx;
};

struct turns *turns_new(size_t most, size_t waiting_max, turns_wake_fn *wake, void *ctx)
{
    struct turns *turns = weir_xalloc(sizeof(*turns));
    pthread_mutex_init(&turns->mutex, NULL);
    turns->queues = weir_map_new(sizeof(struct weir_id));
    turns->most = most;
    turns->waiting_max = waiting_max;
    turns->wake = wake;
    turns->ctx = ctx;
    return turns;
}

void turns_free(struct turns *turns)
{
    if (!turns) {
        return;
    }
    assert(weir_map_count(turns->queues) == 0);
    weir_map_free(turns->queues);
    pthread_mutex_destroy(&turns->mutex);
    free(turns);
}

/* With the mutex held, as all below that have no lock of their own. */
static struct queue *queue_of(struct turns *turns, const struct weir_id *camera_id)
{
    struct queue *queue = weir_map_find(turns->queues, camera_id);
    if (!queue) {
        queue = weir_xalloc(sizeof(*queue));
        weir_list_init(&queue->waiting);
        weir_map_put(turns->queues, camera_id, queue);
    }
    return queue;
}

enum turns_verdict turns_ask(struct turns *turns, struct turn *turn,
                             const struct weir_id *camera_id)
{
    enum turns_verdict verdict = TURNS_FULL;
    pthread_mutex_lock(&turns->mutex);
    struct queue *queue = queue_of(turns, camera_id);
    if (queue->n_has < turns->most) {
        queue->n_has++;
        *turn = (struct turn){.camera_id = *camera_id, .state = TURN_HAS};
        verdict = TURNS_NOW;
    } else if (queue->n_waiting < turns->waiting_max) {
        queue->n_waiting++;
        *turn = (struct turn){.camera_id = *camera_id, .state = TURN_WAITS};
        weir_list_push_back(&queue->waiting, &turn->node);
        verdict = TURNS_WAIT;
    }
    pthread_mutex_unlock(&turns->mutex);
    return verdict;
}

void turns_wait(struct turns *turns, struct turn *turn, uint64_t token)
{
    pthread_mutex_lock(&turns->mutex);
    turn->token = token;
    if (turn->state == TURN_HAS) {
        turns->wake(turns->ctx, token);
    }
    pthread_mutex_unlock(&turns->mutex);
}

bool turns_has(struct turns *turns, const struct turn *turn)
{
    pthread_mutex_lock(&turns->mutex);
    bool has = turn->state == TURN_HAS;
    pthread_mutex_unlock(&turns->mutex);
    return has;
}

/* Somebody's turn is free: the next one's, or nobody's. */
static void pass_on(struct turns *turns, struct queue *queue, const struct weir_id *camera_id)
{
    if (queue->n_waiting > 0) {
        struct turn *next = WEIR_CONTAINER(queue->waiting.next, struct turn, node);
        weir_list_remove(&next->node);
        queue->n_waiting--;
        next->state = TURN_HAS;
        if (next->token) { /* else turns_wait() sees it */
            turns->wake(turns->ctx, next->token);
        }
    } else if (--queue->n_has == 0) {
        weir_map_remove(turns->queues, camera_id);
        free(queue);
    }
}

void turns_end(struct turns *turns, struct turn *turn)
{
    pthread_mutex_lock(&turns->mutex);
    struct queue *queue = weir_map_find(turns->queues, &turn->camera_id);
    if (turn->state == TURN_HAS) {
        pass_on(turns, queue, &turn->camera_id);
    } else if (turn->state == TURN_WAITS) {
        weir_list_remove(&turn->node);
        queue->n_waiting--;
    }
    turn->state = TURN_NONE;
    pthread_mutex_unlock(&turns->mutex);
}
