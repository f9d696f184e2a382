/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/turns.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/arena.h"

struct turns {
    pthread_mutex_t mutex;
    struct weir_fair *fair;
    turns_wake_fn *wake;
    void *ctx;
};

struct turns *turns_new(const struct weir_fair_limits *limits, turns_wake_fn *wake, void *ctx)
{
    struct turns *turns = weir_xalloc(sizeof(*turns));
    pthread_mutex_init(&turns->mutex, NULL);
    turns->fair = weir_fair_new(limits);
    turns->wake = wake;
    turns->ctx = ctx;
    return turns;
}

void turns_free(struct turns *turns)
{
    if (!turns) {
        return;
    }
    weir_fair_free(turns->fair);
    pthread_mutex_destroy(&turns->mutex);
    free(turns);
}

/* With the mutex held. Whoever may work now does. */
static void pass_on(struct turns *turns)
{
    struct weir_fair_place *place;
    while ((place = weir_fair_next(turns->fair))) {
        const struct turn *next = WEIR_CONTAINER(place, struct turn, place);
        if (next->token) { /* else turns_ask() or turns_wait() sees it */
            turns->wake(turns->ctx, next->token);
        }
    }
}

enum turns_verdict turns_ask(struct turns *turns, struct turn *turn,
                             const struct weir_id *tenant_id, const struct weir_id *camera_id)
{
    enum turns_verdict verdict = TURNS_FULL;
    pthread_mutex_lock(&turns->mutex);
    turn->token = 0;
    if (weir_fair_ask(turns->fair, &turn->place, tenant_id, camera_id) == WEIR_FAIR_OK) {
        pass_on(turns);
        verdict = turn->place.state == WEIR_FAIR_RUNS ? TURNS_NOW : TURNS_WAIT;
    }
    pthread_mutex_unlock(&turns->mutex);
    return verdict;
}

void turns_wait(struct turns *turns, struct turn *turn, uint64_t token)
{
    pthread_mutex_lock(&turns->mutex);
    turn->token = token;
    if (turn->place.state == WEIR_FAIR_RUNS) {
        turns->wake(turns->ctx, token);
    }
    pthread_mutex_unlock(&turns->mutex);
}

bool turns_has(struct turns *turns, const struct turn *turn)
{
    pthread_mutex_lock(&turns->mutex);
    bool has = turn->place.state == WEIR_FAIR_RUNS;
    pthread_mutex_unlock(&turns->mutex);
    return has;
}

void turns_end(struct turns *turns, struct turn *turn)
{
    pthread_mutex_lock(&turns->mutex);
    weir_fair_end(turns->fair, &turn->place);
    pass_on(turns);
    pthread_mutex_unlock(&turns->mutex);
}
