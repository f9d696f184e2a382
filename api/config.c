/* SPDX-License-Identifier: Apache-2.0 */
#include "api/config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/io/bus.h"

#define TICK_MS       1000
#define HURRY_MS      50 /* until all was read once */
#define BOUNDS_MS     500
#define SWEEP_MS      60000
#define WITHOUT_MS    3000 /* of doubt, then Postgres is asked */
#define CURRENT_MS    2000 /* a look, and then some */
#define LOADS_MAX     65535
#define LOG_BURST     3
#define LOG_PERIOD_MS 60000

struct api_config {
    struct api_config_config config;
    struct weir_bus_reader *reader;
    struct weir_bus_reader *meter; /* asks for the end where no fetch is waited for */
    pthread_t thread;
    struct weir_log_limit poison_limit;

    /* the thread's */
    bool is_following;
    int64_t position; /* next offset to read */
    int64_t n_loads;  /* from Postgres, since the position moved */
    bool is_ready;
    int64_t asked_mono_ms;
    int64_t followed_mono_ms;        /* when the topic was known to be read to its end */
    _Atomic int64_t current_mono_ms; /* the same for all threads; 0: never */
    int64_t swept_mono_ms;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t woken;
    bool has_work;
    bool is_ending;
};

static void wake(void *ctx)
{
    struct api_config *config = ctx;
    pthread_mutex_lock(&config->mutex);
    config->has_work = true;
    pthread_cond_signal(&config->woken);
    pthread_mutex_unlock(&config->mutex);
}

static void reached(struct api_config *config, int64_t mono_ms)
{
    /* Grows with each record read and each load; equal for all who read equally far. */
    int64_t revision = config->position * (LOADS_MAX + 1) + config->n_loads;
    revocations_reached(config->config.revocations, revision, mono_ms);
    if (!config->is_ready) {
        config->is_ready = true;
        config->config.on_ready(config->config.ctx);
    }
}

/* ---- from Kafka ---- */

static void take(struct api_config *config, const struct weir_bus_message *message)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(2048);
    struct weir_event event;
    struct weir_err err = {0};
    if (!message->value) {
        return; /* a tombstone: it is over */
    }
    if (weir_ev_parse(message->value, message->value_len, arena, &event, &err) != WEIR_OK) {
        if (weir_log_allowed(&config->poison_limit, LOG_BURST, LOG_PERIOD_MS,
                             weir_clock_mono_ms())) {
            weir_log(WEIR_LOG_WARN, "configuration record cannot be read, left out", "why", err.msg,
                     NULL);
        }
        return;
    }
    if (event.type == WEIR_EV_CONFIG_REVOCATION) {
        revocations_put(config->config.revocations, &event.u.config_revocation,
                        weir_clock_mono_ms());
    } else if (event.type == WEIR_EV_CONFIG_CAMERA) {
        const struct weir_ev_config_camera *camera = &event.u.config_camera;
        config->config.on_camera(config->config.ctx, &camera->camera_id, camera->version,
                                 config->is_ready);
    } else if (event.type == WEIR_EV_CONFIG_TENANT) {
        const struct weir_ev_config_tenant *tenant = &event.u.config_tenant;
        revocations_stop(config->config.revocations, &tenant->tenant_id,
                         tenant->deleted || (tenant->has_stopped && tenant->stopped));
        config->config.on_tenant(config->config.ctx, &tenant->tenant_id, tenant->version,
                                 config->is_ready);
    }
}

static enum weir_code follow(struct api_config *config, int64_t first, struct weir_err *err)
{
    enum weir_code code =
        weir_bus_reader_assign(config->reader, WEIR_TOPIC_CONFIG, config->config.cell, first, err);
    if (code == WEIR_OK) {
        config->is_following = true;
        config->position = first;
        config->n_loads = 0;
    }
    return code;
}

static void read_all(struct api_config *config)
{
    struct weir_bus_message message;
    struct weir_err err = {0};
    bool got = config->is_following;
    while (got) {
        if (weir_bus_reader_poll(config->reader, 0, &message, &got, &err) != WEIR_OK) {
            weir_log(WEIR_LOG_WARN, "configuration is read anew from its begin", "why", err.msg,
                     NULL);
            config->is_following = false;
            return;
        }
        if (got) {
            take(config, &message);
            config->position = message.offset + 1;
            config->n_loads = 0;
        }
    }
}

/* Asks where the topic ends; true when all before it was read. */
static bool is_at_end(struct api_config *config)
{
    int64_t first = 0;
    int64_t next = 0;
    struct weir_err err = {0};
    enum weir_code code = weir_bus_reader_bounds(
        config->meter, WEIR_TOPIC_CONFIG, config->config.cell, BOUNDS_MS, &first, &next, &err);
    if (code == WEIR_OK && !config->is_following) {
        code = follow(config, first, &err);
    }
    if (code != WEIR_OK) {
        weir_logf(WEIR_LOG_DEBUG, "configuration: not followed: %s", err.msg);
        return false;
    }
    read_all(config);
    return config->is_following && config->position >= next;
}

/* ---- from Postgres ---- */

static bool read_row(const struct weir_db_rows *rows, size_t row,
                     struct weir_ev_config_revocation *ret)
{
    const char *tenant = weir_db_text(rows, row, 0);
    const char *value = weir_db_text(rows, row, 2);
    ret->at_s = weir_db_int(rows, row, 3);
    ret->before_s = weir_db_int(rows, row, 4);
    return revocations_kind_get(weir_db_text(rows, row, 1), &ret->kind) &&
           weir_id_parse(tenant, strlen(tenant), &ret->tenant_id, NULL) == WEIR_OK &&
           weir_id_parse(value, strlen(value), &ret->value, NULL) == WEIR_OK;
}

static enum weir_code load(struct api_config *config, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    enum weir_code code = weir_db_begin(config->config.db, NULL, &tx, err);
    if (code == WEIR_OK) {
        code = weir_db_exec(tx, "SELECT set_config('app.relay', 'on', true)", NULL, 0, arena, NULL,
                            err);
    }
    if (code == WEIR_OK) {
        code = weir_db_exec(tx,
                            "SELECT tenant_id, kind, value, at_s, before_s FROM revocation"
                            " WHERE expires_at > now() ORDER BY id",
                            NULL, 0, arena, &rows, err);
    }
    for (size_t row = 0; code == WEIR_OK && row < weir_db_count(rows); row++) {
        struct weir_ev_config_revocation entry = {0};
        if (read_row(rows, row, &entry)) {
            revocations_put(config->config.revocations, &entry, weir_clock_mono_ms());
        }
    }
    return code;
}

/* ---- the thread ---- */

static void look(struct api_config *config)
{
    struct weir_err err = {0};
    int64_t now_ms = weir_clock_mono_ms();
    config->asked_mono_ms = now_ms;
    if (is_at_end(config)) {
        config->followed_mono_ms = now_ms;
        atomic_store(&config->current_mono_ms, now_ms);
        reached(config, now_ms);
    } else if (now_ms - config->followed_mono_ms >= WITHOUT_MS) {
        if (load(config, &err) == WEIR_OK) {
            config->n_loads += config->n_loads < LOADS_MAX;
            reached(config, now_ms);
        } else {
            weir_logf(WEIR_LOG_DEBUG, "configuration: not loaded: %s", err.msg);
        }
    }
    if (now_ms - config->swept_mono_ms >= SWEEP_MS) {
        config->swept_mono_ms = now_ms;
        revocations_sweep(config->config.revocations, now_ms);
    }
}

static int64_t next_look_ms(const struct api_config *config)
{
    return config->asked_mono_ms + (config->is_ready ? TICK_MS : HURRY_MS);
}

static bool wait_for_work(struct api_config *config)
{
    int64_t until_ms = next_look_ms(config);
    pthread_mutex_lock(&config->mutex);
    while (!config->has_work && !config->is_ending &&
           weir_clock_wait(&config->woken, &config->mutex, until_ms)) {
    }
    config->has_work = false;
    bool goes_on = !config->is_ending;
    pthread_mutex_unlock(&config->mutex);
    return goes_on;
}

static void *serve(void *ctx)
{
    struct api_config *config = ctx;
    pthread_setname_np(pthread_self(), "weir-api-config");
    config->followed_mono_ms = weir_clock_mono_ms();
    while (wait_for_work(config)) {
        read_all(config);
        if (weir_clock_mono_ms() >= next_look_ms(config)) {
            look(config);
        }
    }
    return NULL;
}

bool api_config_is_current(const struct api_config *config)
{
    int64_t current_ms = config ? atomic_load(&config->current_mono_ms) : 0;
    return current_ms > 0 && weir_clock_mono_ms() - current_ms < CURRENT_MS;
}

/* ---- life ---- */

static enum weir_code start_thread(struct api_config *config, struct weir_err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&config->thread, NULL, serve, config);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? weir_fail(err, WEIR_EINTERNAL, "no thread for the configuration") : WEIR_OK;
}

static void free_all(struct api_config *config)
{
    weir_bus_reader_close(&config->reader);
    weir_bus_reader_close(&config->meter);
    pthread_cond_destroy(&config->woken);
    pthread_mutex_destroy(&config->mutex);
    free(config);
}

enum weir_code api_config_open(const struct api_config_config *given, struct api_config **ret,
                               struct weir_err *err)
{
    struct api_config *config = weir_xalloc(sizeof(*config));
    config->config = *given;
    pthread_cond_init(&config->woken, NULL);
    pthread_mutex_init(&config->mutex, NULL);
    struct weir_bus_reader_config reader = {.brokers = given->brokers,
                                            .client_id = "weir-api-config",
                                            .wake = wake,
                                            .wake_ctx = config};
    struct weir_bus_reader_config meter = {.brokers = given->brokers,
                                           .client_id = "weir-api-config"};
    enum weir_code code = weir_bus_reader_open(&reader, &config->reader, err);
    if (code == WEIR_OK) {
        code = weir_bus_reader_open(&meter, &config->meter, err);
    }
    if (code == WEIR_OK) {
        code = start_thread(config, err);
    }
    if (code != WEIR_OK) {
        free_all(config);
        return code;
    }
    *ret = config;
    return WEIR_OK;
}

void api_config_close(struct api_config **config_ptr)
{
    struct api_config *config = WEIR_TAKE(*config_ptr);
    if (!config) {
        return;
    }
    pthread_mutex_lock(&config->mutex);
    config->is_ending = true;
    pthread_cond_signal(&config->woken);
    pthread_mutex_unlock(&config->mutex);
    pthread_join(config->thread, NULL);
    free_all(config);
}
