/* SPDX-License-Identifier: Apache-2.0 */
#include "api/flights.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"

struct flight {
    struct weir_id tenant_id;
    struct weir_id camera_id;
};

struct flights {
    pthread_mutex_t mutex;
    pthread_cond_t landed;
    struct flight all[FLIGHTS_MAX];
    size_t n;
};

struct flights *flights_new(void)
{
    struct flights *flights = weir_xalloc(sizeof(*flights));
    pthread_mutex_init(&flights->mutex, NULL);
    pthread_cond_init(&flights->landed, NULL);
    return flights;
}

void flights_free(struct flights *flights)
{
    if (!flights) {
        return;
    }
    pthread_cond_destroy(&flights->landed);
    pthread_mutex_destroy(&flights->mutex);
    free(flights);
}

/* With the mutex held; `n` when there is none. */
static size_t find(const struct flights *flights, const struct weir_id *tenant_id,
                   const struct weir_id *camera_id)
{
    size_t i = 0;
    while (i < flights->n && !(weir_id_equal(&flights->all[i].camera_id, camera_id) &&
                               weir_id_equal(&flights->all[i].tenant_id, tenant_id))) {
        i++;
    }
    return i;
}

enum flights_verdict flights_board(struct flights *flights, const struct weir_id *tenant_id,
                                   const struct weir_id *camera_id, int64_t until_mono_ms)
{
    enum flights_verdict verdict = FLIGHTS_OVER;
    pthread_mutex_lock(&flights->mutex);
    if (find(flights, tenant_id, camera_id) == flights->n) {
        verdict = flights->n < FLIGHTS_MAX ? FLIGHTS_FIRST : FLIGHTS_ALONE;
    }
    if (verdict == FLIGHTS_FIRST) {
        flights->all[flights->n++] = (struct flight){*tenant_id, *camera_id};
    }
    while (verdict == FLIGHTS_OVER && find(flights, tenant_id, camera_id) < flights->n &&
           weir_clock_wait(&flights->landed, &flights->mutex, until_mono_ms)) {
    }
    pthread_mutex_unlock(&flights->mutex);
    return verdict;
}

void flights_land(struct flights *flights, const struct weir_id *tenant_id,
                  const struct weir_id *camera_id)
{
    pthread_mutex_lock(&flights->mutex);
    size_t i = find(flights, tenant_id, camera_id);
    assert(i < flights->n);
    flights->all[i] = flights->all[--flights->n];
    pthread_cond_broadcast(&flights->landed);
    pthread_mutex_unlock(&flights->mutex);
}
