/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/probe.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"

#define ASK_EVERY_MS 400
#define RETRY_MS     50 /* while a topic was never answered for */
#define ANSWER_MS    800

struct probe {
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t stopping;
    bool is_stopping;
    bool is_known[INPUT_N];
    struct probe_bounds bounds[INPUT_N];
    struct weir_bus_reader *reader; /* the thread's, as all below */
    int32_t cell;
    weir_bus_wake_fn *wake;
    void *wake_ctx;
};

static bool is_stopped(struct probe *probe)
{
    pthread_mutex_lock(&probe->lock);
    bool is_stopping = probe->is_stopping;
    pthread_mutex_unlock(&probe->lock);
    return is_stopping;
}

static bool ask(struct probe *probe, enum input_topic topic)
{
    struct probe_bounds bounds = {.asked_boot_ms = weir_clock_boot_ms()};
    if (weir_bus_reader_bounds(probe->reader, inputs_topic_name(topic), probe->cell, ANSWER_MS,
                               &bounds.first, &bounds.next, NULL) != WEIR_OK) {
        return false;
    }
    pthread_mutex_lock(&probe->lock);
    probe->bounds[topic] = bounds;
    probe->is_known[topic] = true;
    pthread_mutex_unlock(&probe->lock);
    return true;
}

/* Stops at the first that is not answered for: the broker is away. True when all are known. */
static bool ask_all(struct probe *probe)
{
    for (enum input_topic topic = 0; topic < INPUT_N && !is_stopped(probe); topic++) {
        bool is_watched = topic == INPUT_COMMANDS || topic == INPUT_HEARTBEATS;
        if ((is_watched || !probe->is_known[topic]) && !ask(probe, topic)) {
            break;
        }
    }
    return probe->is_known[INPUT_N - 1];
}

static bool is_stopped_after_pause(struct probe *probe, int64_t pause_ms)
{
    int64_t until_ms = weir_clock_mono_ms() + pause_ms;
    pthread_mutex_lock(&probe->lock);
    while (!probe->is_stopping && weir_clock_wait(&probe->stopping, &probe->lock, until_ms)) {
    }
    bool is_stopping = probe->is_stopping;
    pthread_mutex_unlock(&probe->lock);
    return is_stopping;
}

static void *run(void *ctx)
{
    struct probe *probe = ctx;
    bool is_complete;
    do {
        is_complete = ask_all(probe);
        probe->wake(probe->wake_ctx);
    } while (!is_stopped_after_pause(probe, is_complete ? ASK_EVERY_MS : RETRY_MS));
    return NULL;
}

static void release(struct probe *probe)
{
    weir_bus_reader_close(&probe->reader);
    pthread_cond_destroy(&probe->stopping);
    pthread_mutex_destroy(&probe->lock);
    free(probe);
}

enum weir_code probe_open(const char *brokers, int32_t cell, weir_bus_wake_fn *wake, void *wake_ctx,
                          struct probe **ret, struct weir_err *err)
{
    struct probe *probe = weir_xalloc(sizeof(*probe));
    pthread_mutex_init(&probe->lock, NULL);
    pthread_cond_init(&probe->stopping, NULL);
    probe->cell = cell;
    probe->wake = wake;
    probe->wake_ctx = wake_ctx;
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

bool probe_bounds(struct probe *probe, enum input_topic topic, struct probe_bounds *ret)
{
    pthread_mutex_lock(&probe->lock);
    bool is_known = probe->is_known[topic];
    *ret = probe->bounds[topic];
    pthread_mutex_unlock(&probe->lock);
    return is_known;
}
