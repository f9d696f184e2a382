/* SPDX-License-Identifier: Apache-2.0 */
#include "tally/reporter.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/io/http_client.h"

#define APIS_MAX       16
#define POST_MS        1000
#define ANSWER_MAX     4096
#define ROUNDS_MAX     4096 /* of a pass: more parts than there can be */
#define TROUBLE_LOG_MS 10000

struct tally_reporter {
    const struct tally_settings *settings;
    struct weir_http_client *client;
    char *urls[APIS_MAX]; /* of the route, owned */
    size_t n_urls;
    size_t at; /* the api that answered last */
    char *secret_header;
    struct weir_log_limit troubles;
    struct weir_metric *told;
    struct weir_metric *failed;
    struct weir_metric *given_up;
    struct weir_metric *parts;

    pthread_t thread;
    pthread_cond_t woken;
    pthread_mutex_t mutex; /* guards what follows */
    struct tally_table *table;
    bool is_ending;
};

static void make_metrics(struct tally_reporter *reporter, struct weir_metrics *metrics)
{
    const char *name = "weir_tally_reports_total";
    const char *help = "Reports to apis, by outcome";
    reporter->told = weir_metrics_counter(metrics, name, help, "outcome", "taken");
    reporter->failed = weir_metrics_counter(metrics, name, help, "outcome", "failed");
    reporter->given_up =
        weir_metrics_counter(metrics, "weir_tally_viewings_given_up_total",
                             "Viewings whose end no api could be told", NULL, NULL);
    reporter->parts =
        weir_metrics_gauge(metrics, "weir_tally_viewings", "Viewings that are counted", NULL, NULL);
}

static enum weir_code read_urls(struct tally_reporter *reporter, struct weir_arena *arena,
                                struct weir_err *err)
{
    char *rest = weir_arena_strdup(arena, reporter->settings->api_internal_url);
    for (char *save, *url = strtok_r(rest, ",", &save); url; url = strtok_r(NULL, ",", &save)) {
        if (reporter->n_urls == APIS_MAX) {
            return weir_fail(err, WEIR_EINVAL, "WEIR_API_INTERNAL_URL names more than %d apis",
                             APIS_MAX);
        }
        reporter->urls[reporter->n_urls++] =
            weir_xstrdup(weir_arena_printf(arena, "%s/internal/v1/views", url));
    }
    return reporter->n_urls > 0 ? WEIR_OK
                                : weir_fail(err, WEIR_EINVAL, "WEIR_API_INTERNAL_URL names no api");
}

/* ---- the thread ---- */

static bool post_to(struct tally_reporter *reporter, const char *url, const char *body, size_t len,
                    struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    const char *const headers[] = {reporter->secret_header, "X-Weir-Door: gateway",
                                   "Content-Type: application/json", NULL};
    struct weir_http_call call = {.method = "POST",
                                  .url = url,
                                  .headers = headers,
                                  .body = body,
                                  .body_len = len,
                                  .timeout_ms = POST_MS,
                                  .max_bytes = ANSWER_MAX};
    struct weir_http_answer answer;
    enum weir_code code = weir_http_client_call(reporter->client, &call, arena, &answer, err);
    if (code == WEIR_OK && answer.status != 200) {
        code = weir_fail(err, WEIR_EUNAVAILABLE, "the api answers %d", answer.status);
    }
    return code == WEIR_OK;
}

/* A report that comes twice means the same, so whatever happened the next api is asked. */
static bool post(struct tally_reporter *reporter, const char *body, size_t len)
{
    struct weir_err err = {0};
    for (size_t i = 0; i < reporter->n_urls; i++) {
        if (post_to(reporter, reporter->urls[reporter->at], body, len, &err)) {
            weir_metric_add(reporter->told, 1);
            return true;
        }
        weir_metric_add(reporter->failed, 1);
        reporter->at = (reporter->at + 1) % reporter->n_urls;
    }
    if (weir_log_allowed(&reporter->troubles, 1, TROUBLE_LOG_MS, weir_clock_mono_ms())) {
        weir_log(WEIR_LOG_WARN, "report: no api takes it", "reason", err.msg, NULL);
    }
    return false;
}

/* False when there was nothing to tell, or nobody took it. */
static bool tell_some(struct tally_reporter *reporter)
{
    struct weir_json_out out = {0};
    pthread_mutex_lock(&reporter->mutex);
    size_t n = tally_table_report(reporter->table, weir_clock_mono_ms(), &out);
    pthread_mutex_unlock(&reporter->mutex);
    if (n == 0) {
        return false;
    }
    bool is_told = post(reporter, out.buf.bytes, out.buf.len);
    weir_buf_done(&out.buf);
    pthread_mutex_lock(&reporter->mutex);
    if (is_told) {
        tally_table_confirm(reporter->table);
    } else {
        tally_table_take_back(reporter->table);
    }
    pthread_mutex_unlock(&reporter->mutex);
    return is_told;
}

static void pass(struct tally_reporter *reporter)
{
    for (int i = 0; i < ROUNDS_MAX && tell_some(reporter); i++) {
    }
    pthread_mutex_lock(&reporter->mutex);
    size_t n_lost = tally_table_sweep(reporter->table, weir_clock_mono_ms());
    size_t n = tally_table_count(reporter->table);
    pthread_mutex_unlock(&reporter->mutex);
    weir_metric_add(reporter->given_up, (int64_t)n_lost);
    weir_metric_set(reporter->parts, (int64_t)n);
}

static bool wait_for_next(struct tally_reporter *reporter, int64_t until_ms)
{
    pthread_mutex_lock(&reporter->mutex);
    while (!reporter->is_ending && weir_clock_wait(&reporter->woken, &reporter->mutex, until_ms)) {
    }
    bool goes_on = !reporter->is_ending;
    pthread_mutex_unlock(&reporter->mutex);
    return goes_on;
}

static void *run(void *ctx)
{
    struct tally_reporter *reporter = ctx;
    pthread_setname_np(pthread_self(), "weir-tally-post");
    while (wait_for_next(reporter, weir_clock_mono_ms() + reporter->settings->period_ms)) {
        pass(reporter);
    }
    pass(reporter);
    return NULL;
}

/* ---- life ---- */

static void release(struct tally_reporter *reporter)
{
    for (size_t i = 0; i < reporter->n_urls; i++) {
        free(reporter->urls[i]);
    }
    free(reporter->secret_header);
    weir_http_client_free(reporter->client);
    tally_table_free(reporter->table);
    pthread_cond_destroy(&reporter->woken);
    pthread_mutex_destroy(&reporter->mutex);
    free(reporter);
}

static enum weir_code start(struct tally_reporter *reporter, struct weir_err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&reporter->thread, NULL, run, reporter);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? weir_fail(err, WEIR_EINTERNAL, "no thread") : WEIR_OK;
}

enum weir_code tally_reporter_open(struct weir_service *service,
                                   const struct tally_settings *settings, struct tally_table *table,
                                   struct tally_reporter **ret, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct tally_reporter *reporter = weir_xalloc(sizeof(*reporter));
    reporter->settings = settings;
    reporter->table = table;
    reporter->client = weir_http_client_new();
    reporter->secret_header = weir_xstrdup(
        weir_arena_printf(arena, "X-Weir-Gateway-Secret: %s", settings->gateway_secret));
    pthread_cond_init(&reporter->woken, NULL);
    pthread_mutex_init(&reporter->mutex, NULL);
    make_metrics(reporter, weir_service_metrics(service));
    enum weir_code code = read_urls(reporter, arena, err);
    if (code == WEIR_OK) {
        code = start(reporter, err);
    }
    if (code != WEIR_OK) {
        release(reporter);
        return code;
    }
    *ret = reporter;
    return WEIR_OK;
}

void tally_reporter_close(struct tally_reporter **reporter_ptr)
{
    struct tally_reporter *reporter = WEIR_TAKE(*reporter_ptr);
    if (!reporter) {
        return;
    }
    pthread_mutex_lock(&reporter->mutex);
    reporter->is_ending = true;
    pthread_cond_signal(&reporter->woken);
    pthread_mutex_unlock(&reporter->mutex);
    pthread_join(reporter->thread, NULL);
    release(reporter);
}

bool tally_reporter_note(struct tally_reporter *reporter, const struct tally_line *line)
{
    pthread_mutex_lock(&reporter->mutex);
    bool is_counted =
        tally_table_note(reporter->table, line, weir_clock_mono_ms(), weir_clock_wall_ms());
    pthread_mutex_unlock(&reporter->mutex);
    return is_counted;
}
