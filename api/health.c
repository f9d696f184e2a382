/* SPDX-License-Identifier: Apache-2.0 */
#include "api/health.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/io/bus.h"

#define UNREADY_MS 200 /* until all is well, ask often */
#define READY_MS   2000
#define KAFKA_MS   1500

struct api_health {
    struct weir_service *service;
    struct weir_auth *auth;
    struct weir_db *db;
    const char *brokers;
    struct weir_metric *key_age_s;
    struct weir_metric *key_fetches;
    struct weir_metric *key_failures;
    struct weir_metric *tokens_cached;
    struct weir_auth_stats told; /* what the counters hold */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t end;
    bool is_ending;
};

static bool report(struct api_health *health, const char *name, enum weir_code code,
                   const struct weir_err *err)
{
    weir_service_ready(health->service, name, code == WEIR_OK, code == WEIR_OK ? "" : err->msg);
    return code == WEIR_OK;
}

static void measure_auth(struct api_health *health)
{
    struct weir_auth_stats now;
    weir_auth_stats(health->auth, &now);
    weir_metric_set(health->key_age_s, now.key_age_ms < 0 ? -1 : now.key_age_ms / 1000);
    weir_metric_add(health->key_fetches, (int64_t)(now.key_fetches - health->told.key_fetches));
    weir_metric_add(health->key_failures, (int64_t)(now.key_failures - health->told.key_failures));
    weir_metric_set(health->tokens_cached, (int64_t)now.tokens_cached);
    health->told = now;
}

static void add_metrics(struct api_health *health, struct weir_metrics *metrics)
{
    health->key_age_s = weir_metrics_gauge(
        metrics, "weir_api_jwks_age_seconds",
        "Seconds since the key set was fetched or confirmed; -1 before the first time", NULL, NULL);
    health->key_fetches = weir_metrics_counter(metrics, "weir_api_jwks_fetches_total",
                                               "Times the key set was asked for", NULL, NULL);
    health->key_failures = weir_metrics_counter(metrics, "weir_api_jwks_failures_total",
                                                "Times that brought no key set", NULL, NULL);
    health->tokens_cached = weir_metrics_gauge(metrics, "weir_api_tokens_cached",
                                               "Access tokens known to be good", NULL, NULL);
}

static bool ask_all(struct api_health *health)
{
    measure_auth(health);
    struct weir_err err = {0};
    bool is_well = report(health, "jwks", weir_auth_check(health->auth, &err), &err);
    is_well &= report(health, "postgres", weir_db_ping(health->db, &err), &err);
    is_well &= report(health, "kafka", weir_bus_ping(health->brokers, KAFKA_MS, &err), &err);
    return is_well;
}

static bool pause_for(struct api_health *health, int64_t pause_ms)
{
    int64_t until_ms = weir_clock_mono_ms() + pause_ms;
    pthread_mutex_lock(&health->mutex);
    while (!health->is_ending && weir_clock_wait(&health->end, &health->mutex, until_ms)) {
    }
    bool goes_on = !health->is_ending;
    pthread_mutex_unlock(&health->mutex);
    return goes_on;
}

static void *watch(void *ctx)
{
    struct api_health *health = ctx;
    pthread_setname_np(pthread_self(), "weir-api-health");
    while (pause_for(health, ask_all(health) ? READY_MS : UNREADY_MS)) {
    }
    return NULL;
}

struct api_health *api_health_new(struct weir_service *service, struct weir_auth *auth,
                                  struct weir_db *db, const char *brokers)
{
    struct api_health *health = weir_xalloc(sizeof(*health));
    health->service = service;
    health->auth = auth;
    health->db = db;
    health->brokers = brokers;
    add_metrics(health, weir_service_metrics(service));
    static const char *const names[] = {"jwks", "postgres", "kafka"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        weir_service_ready(service, names[i], false, "not asked yet");
    }
    pthread_cond_init(&health->end, NULL);
    pthread_mutex_init(&health->mutex, NULL);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&health->thread, NULL, watch, health) != 0) {
        perror("weir-api-health: pthread_create");
        abort();
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return health;
}

void api_health_free(struct api_health *health)
{
    if (!health) {
        return;
    }
    pthread_mutex_lock(&health->mutex);
    health->is_ending = true;
    pthread_cond_signal(&health->end);
    pthread_mutex_unlock(&health->mutex);
    pthread_join(health->thread, NULL);
    pthread_cond_destroy(&health->end);
    pthread_mutex_destroy(&health->mutex);
    free(health);
}
