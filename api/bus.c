/* SPDX-License-Identifier: Apache-2.0 */
#include "api/bus.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"

#define POLL_MS            100 /* when nobody wakes us */
#define LINGER_MS          20  /* what nobody waits for goes together */
#define RECORDS_TIMEOUT_MS 30000
#define VIEWERS_TIMEOUT_MS 3000
#define SOURCE             "/weir/api/api"

struct api_bus {
    char *brokers;
    int64_t command_ack_ms;
    /* Senders read, the thread replaces a producer that ended for good. */
    pthread_rwlock_t producers_lock;
    struct weir_bus_producer *producers[API_BUS_LANES];

    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t woken;
    bool has_work;
    bool is_ending;
};

static void wake(void *ctx)
{
    struct api_bus *bus = ctx;
    pthread_mutex_lock(&bus->mutex);
    bus->has_work = true;
    pthread_cond_signal(&bus->woken);
    pthread_mutex_unlock(&bus->mutex);
}

static enum weir_code open_lane(struct api_bus *bus, enum api_bus_lane lane, struct weir_err *err)
{
    static const char *const names[] = {"weir-api-commands", "weir-api-records",
                                        "weir-api-viewers"};
    const int64_t timeouts_ms[] = {bus->command_ack_ms, RECORDS_TIMEOUT_MS, VIEWERS_TIMEOUT_MS};
    struct weir_bus_producer_config config = {
        .brokers = bus->brokers,
        .client_id = names[lane],
        .kind = lane == API_BUS_VIEWERS ? WEIR_BUS_LOSSY : WEIR_BUS_DURABLE,
        .delivery_timeout_ms = timeouts_ms[lane],
        .linger_ms = lane == API_BUS_COMMANDS ? 0 : LINGER_MS,
        .wake = wake,
        .wake_ctx = bus,
    };
    return weir_bus_producer_open(&config, &bus->producers[lane], err);
}

static void replace_fatal(struct api_bus *bus, enum api_bus_lane lane)
{
    if (bus->producers[lane] && !weir_bus_producer_is_fatal(bus->producers[lane])) {
        return;
    }
    struct weir_err err = {0};
    pthread_rwlock_wrlock(&bus->producers_lock);
    weir_bus_producer_close(&bus->producers[lane], 0);
    enum weir_code code = open_lane(bus, lane, &err);
    pthread_rwlock_unlock(&bus->producers_lock);
    weir_log(WEIR_LOG_WARN, "kafka: a producer ended for good and was replaced", "outcome",
             code == WEIR_OK ? "ok" : err.msg, NULL);
}

static bool wait_for_work(struct api_bus *bus)
{
    int64_t until_ms = weir_clock_mono_ms() + POLL_MS;
    pthread_mutex_lock(&bus->mutex);
    while (!bus->has_work && !bus->is_ending &&
           weir_clock_wait(&bus->woken, &bus->mutex, until_ms)) {
    }
    bus->has_work = false;
    bool goes_on = !bus->is_ending;
    pthread_mutex_unlock(&bus->mutex);
    return goes_on;
}

/* The first record of a producer that never spoke to its broker is half a second late. */
static bool warm(struct api_bus *bus)
{
    return bus->producers[API_BUS_COMMANDS] &&
           weir_bus_producer_warm(bus->producers[API_BUS_COMMANDS], WEIR_TOPIC_COMMANDS, POLL_MS,
                                  NULL) == WEIR_OK;
}

static void *serve(void *ctx)
{
    struct api_bus *bus = ctx;
    bool is_warm = false;
    pthread_setname_np(pthread_self(), "weir-api-bus");
    while (wait_for_work(bus)) {
        is_warm = is_warm || warm(bus);
        for (enum api_bus_lane lane = 0; lane < API_BUS_LANES; lane++) {
            if (bus->producers[lane]) {
                weir_bus_producer_poll(bus->producers[lane], 0);
            }
            replace_fatal(bus, lane);
        }
    }
    return NULL;
}

static void start_thread(struct api_bus *bus)
{
    pthread_cond_init(&bus->woken, NULL);
    pthread_mutex_init(&bus->mutex, NULL);
    pthread_rwlock_init(&bus->producers_lock, NULL);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&bus->thread, NULL, serve, bus) != 0) {
        perror("weir-api-bus: pthread_create");
        abort();
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

enum weir_code api_bus_open(const char *brokers, int64_t command_ack_ms, struct api_bus **ret,
                            struct weir_err *err)
{
    struct api_bus *bus = weir_xalloc(sizeof(*bus));
    bus->brokers = weir_xstrdup(brokers);
    bus->command_ack_ms = command_ack_ms;
    enum weir_code code = WEIR_OK;
    for (enum api_bus_lane lane = 0; code == WEIR_OK && lane < API_BUS_LANES; lane++) {
        code = open_lane(bus, lane, err);
    }
    if (code != WEIR_OK) {
        for (enum api_bus_lane lane = 0; lane < API_BUS_LANES; lane++) {
            weir_bus_producer_close(&bus->producers[lane], 0);
        }
        free(bus->brokers);
        free(bus);
        return code;
    }
    start_thread(bus);
    *ret = bus;
    return WEIR_OK;
}

void api_bus_close(struct api_bus **bus_ptr, int64_t flush_ms)
{
    struct api_bus *bus = WEIR_TAKE(*bus_ptr);
    if (!bus) {
        return;
    }
    pthread_mutex_lock(&bus->mutex);
    bus->is_ending = true;
    pthread_cond_signal(&bus->woken);
    pthread_mutex_unlock(&bus->mutex);
    pthread_join(bus->thread, NULL);
    for (enum api_bus_lane lane = 0; lane < API_BUS_LANES; lane++) {
        weir_bus_producer_close(&bus->producers[lane], flush_ms);
    }
    pthread_cond_destroy(&bus->woken);
    pthread_mutex_destroy(&bus->mutex);
    pthread_rwlock_destroy(&bus->producers_lock);
    free(bus->brokers);
    free(bus);
}

static void fill_envelope(struct weir_event *event, const char *key)
{
    event->time_ms = weir_clock_wall_ms();
    if (weir_id_is_nil(&event->id)) {
        event->id = weir_id_new(event->time_ms);
    }
    if (!event->source[0]) {
        WEIR_STR_SET(event->source, SOURCE);
    }
    if (!event->subject[0]) {
        WEIR_STR_SET(event->subject, key);
    }
    event->has_partitionkey = true;
    WEIR_STR_SET(event->partitionkey, key);
}

static enum weir_code send(struct api_bus *bus, enum api_bus_lane lane,
                           const struct weir_bus_record *record, weir_bus_delivery_fn *fn,
                           void *ctx, struct weir_err *err)
{
    pthread_rwlock_rdlock(&bus->producers_lock);
    enum weir_code code = bus->producers[lane]
                              ? weir_bus_producer_send(bus->producers[lane], record, fn, ctx, err)
                              : weir_fail(err, WEIR_EUNAVAILABLE, "kafka: no producer");
    pthread_rwlock_unlock(&bus->producers_lock);
    return code;
}

enum weir_code api_bus_send(struct api_bus *bus, enum api_bus_lane lane, struct weir_event *event,
                            int32_t partition, const char *key, weir_bus_delivery_fn *fn, void *ctx,
                            struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(4096);
    fill_envelope(event, key);
    const char *bytes;
    size_t len;
    enum weir_code code = weir_ev_dump(event, arena, &bytes, &len, err);
    if (code != WEIR_OK) {
        return code;
    }
    struct weir_bus_record record = {
        .topic = weir_ev_topic(event->type),
        .partition = partition,
        .key = key,
        .key_len = strlen(key),
        .value = bytes,
        .value_len = len,
    };
    return send(bus, lane, &record, fn, ctx, err);
}

enum weir_code api_bus_forget(struct api_bus *bus, enum api_bus_lane lane, const char *topic,
                              int32_t partition, const char *key, weir_bus_delivery_fn *fn,
                              void *ctx, struct weir_err *err)
{
    struct weir_bus_record record = {
        .topic = topic, .partition = partition, .key = key, .key_len = strlen(key)};
    return send(bus, lane, &record, fn, ctx, err);
}
