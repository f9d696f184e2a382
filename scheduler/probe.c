/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/probe.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/domain/events.h"

#define ASK_EVERY_MS 400
#define ANSWER_MS    800

struct probe {
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t stopping;
    bool is_stopping;
    int64_t next; /* -1: not known yet */
    int64_t asked_mono_ms;
    struct weir_bus_reader *reader; /* the thread's */
    int32_t cell;
};

static void ask(struct probe *probe)
{
    int64_t asked_mono_ms = weir_clock_mono_ms();
    int64_t first;
    int64_t next;
    if (weir_bus_reader_bounds(probe->reader, WEIR_TOPIC_HEARTBEATS, probe->cell, ANSWER_MS, &first,
                               &next, NULL) != WEIR_OK) {
        return;
    }
    pthread_mutex_lock(&probe->lock);
    probe->next = next;
    probe->asked_mono_ms = asked_mono_ms;
    pthread_mutex_unlock(&probe->lock);
}

static bool is_stopped_after_pause(struct probe *probe)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ASK_EVERY_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&probe->lock);
    while (!probe->is_stopping &&
           pthread_cond_timedwait(&probe->stopping, &probe->lock, &until) == 0) {
    }
    bool is_stopping = probe->is_stopping;
    pthread_mutex_unlock(&probe->lock);
    return is_stopping;
}

static void *run(void *ctx)
{
    struct probe *probe = ctx;
    do {
        ask(probe);
    } while (!is_stopped_after_pause(probe));
    return NULL;
}

static void release(struct probe *probe)
{
    weir_bus_reader_close(&probe->reader);
    pthread_cond_destroy(&probe->stopping);
    pthread_mutex_destroy(&probe->lock);
    free(probe);
}

enum weir_code probe_open(const char *brokers, int32_t cell, struct probe **ret,
                          struct weir_err *err)
{
    struct probe *probe = weir_xalloc(sizeof(*probe));
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&probe->lock, NULL);
    pthread_cond_init(&probe->stopping, &attr);
    pthread_condattr_destroy(&attr);
    probe->cell = cell;
    probe->next = -1;
    const struct weir_bus_reader_config config = {.brokers = brokers,
                                                  .client_id = "weir-scheduler-probe"};
    enum weir_code code = weir_bus_reader_open(&config, &probe->reader, err);
    if (code == WEIR_OK && pthread_create(&probe->thread, NULL, run, probe) != 0) {
        code = weir_fail(err, WEIR_EINTERNAL, "the probe's thread could not be started");
    }
    if (code != WEIR_OK) {
        release(probe);
        return code;
    }
    *ret = probe;
    return WEIR_OK;
}

void probe_close(struct probe **probe)
{
    struct probe *self = WEIR_TAKE(*probe);
    if (self == NULL) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->is_stopping = true;
    pthread_cond_broadcast(&self->stopping);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    release(self);
}

bool probe_end(struct probe *probe, int64_t *ret_next, int64_t *ret_mono_ms)
{
    pthread_mutex_lock(&probe->lock);
    bool is_known = probe->next >= 0;
    *ret_next = probe->next;
    *ret_mono_ms = probe->asked_mono_ms;
    pthread_mutex_unlock(&probe->lock);
    return is_known;
}
