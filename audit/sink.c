/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/sink.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/prune.h"
#include "audit/table.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/domain/events.h"
#include "lib/io/bus.h"
#include "lib/io/db.h"

#define N_TOPICS        3
#define N_PARTS         (N_TOPICS * WEIR_TOPIC_PARTITIONS)
#define IDLE_POLL_MS    100
#define STANDBY_MS      1000 /* after another instance was found writing */
#define TROUBLE_MS      500  /* after the database or the broker failed */
#define MEASURE_MS      250  /* one partition each time */
#define BOUNDS_MS       1000
#define BATCH_MAX_BYTES (2 * 1024 * 1024)

static const char *const topics[N_TOPICS] = {WEIR_TOPIC_DECISIONS, WEIR_TOPIC_AUDIT,
                                             WEIR_TOPIC_FACTS};

struct part {
    struct audit_batch batch;
    bool is_followed;
    int64_t load_mono_ms; /* while not followed: when to look at the database again */
    int64_t lag;
};

struct audit_sink {
    struct weir_service *service;
    const struct audit_settings *settings;
    struct weir_db *db;
    struct weir_bus_reader *reader;
    struct weir_bus_reader *meter; /* asks on a connection where no fetch is waited for */
    pthread_t thread;
    atomic_bool is_stopping;
    atomic_bool is_halted;
    struct part parts[N_PARTS]; /* topic after topic, each by partition */
    size_t measured;            /* the part looked at last */
    int64_t measure_mono_ms;
    struct audit_pruner pruner;
    struct weir_log_limit troubles;
    struct weir_metric *stored;
    struct weir_metric *unreadable;
    struct weir_metric *void_records;
    struct weir_metric *fenced;
    struct weir_metric *lag;
    struct weir_metric *lag_ms;
    struct weir_metric *halted;
    struct weir_metric *pruned;
    struct weir_metric *prune_failures;
};

static void make_metrics(struct audit_sink *sink)
{
    struct weir_metrics *metrics = weir_service_metrics(sink->service);
    const char *records = "weir_audit_records_total";
    const char *help = "Records stored, by verdict";
    sink->stored = weir_metrics_counter(metrics, records, help, "verdict", "valid");
    sink->void_records = weir_metrics_counter(metrics, records, help, "verdict", "void");
    sink->unreadable = weir_metrics_counter(metrics, records, help, "verdict", "unreadable");
    sink->fenced =
        weir_metrics_counter(metrics, "weir_audit_fenced_total",
                             "Batches given up because another instance writes", NULL, NULL);
    sink->lag = weir_metrics_gauge(metrics, "weir_audit_lag_records",
                                   "Records in the logs that are not stored yet", NULL, NULL);
    sink->lag_ms = weir_metrics_gauge(metrics, "weir_audit_lag_ms",
                                      "Age of the newest record when it was stored", NULL, NULL);
    sink->halted = weir_metrics_gauge(metrics, "weir_audit_halted",
                                      "1 after a gap in a log was found", NULL, NULL);
    sink->pruned =
        weir_metrics_counter(metrics, "weir_audit_pruned_total",
                             "Records and viewings that were kept long enough", NULL, NULL);
    sink->prune_failures =
        weir_metrics_counter(metrics, "weir_audit_prune_failures_total",
                             "Times that what was kept long enough did not go", NULL, NULL);
}

static void sleep_ms(int64_t ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

/* Something that passes: told once in a while, tried again. */
static void complain(struct audit_sink *sink, const char *condition, const char *what,
                     const struct weir_err *err)
{
    weir_service_ready(sink->service, condition, false, err->msg);
    if (weir_log_allowed(&sink->troubles, 3, 10000, weir_clock_mono_ms()))
        weir_log(WEIR_LOG_WARN, what, "reason", err->msg, NULL);
}

static void halt(struct audit_sink *sink, const struct weir_err *err)
{
    atomic_store(&sink->is_halted, true);
    weir_metric_set(sink->halted, 1);
    weir_service_ready(sink->service, "chain", false, err->msg);
    weir_log(WEIR_LOG_ERROR, "audit halted: a log has a gap", "reason", err->msg, NULL);
}

/* ---- loading ---- */

/* The oldest record kept is where a chain begins. */
static enum weir_code begin_chain(struct audit_sink *sink, struct weir_audit_chain *chain,
                                  struct weir_err *err)
{
    int64_t first = 0;
    int64_t next = 0;
    enum weir_code code = weir_bus_reader_bounds(sink->meter, chain->topic, chain->partition,
                                                 BOUNDS_MS, &first, &next, err);
    if (code != WEIR_OK)
        return code;
    weir_audit_chain_init(chain, chain->topic, chain->partition, first);
    code = audit_table_begin(sink->db, chain, err);
    return code == WEIR_OK ? audit_table_load(sink->db, chain, err) : code;
}

static enum weir_code load(struct audit_sink *sink, struct part *part, struct weir_err *err)
{
    struct weir_audit_chain chain = part->batch.before;
    enum weir_code code = audit_table_load(sink->db, &chain, err);
    if (code == WEIR_ENOTFOUND)
        code = begin_chain(sink, &chain, err);
    if (code == WEIR_OK)
        code = weir_bus_reader_assign(sink->reader, chain.topic, chain.partition, chain.next, err);
    if (code != WEIR_OK)
        return code;
    audit_batch_start(&part->batch, &chain);
    part->is_followed = true;
    return WEIR_OK;
}

/* Loads what is due; the first failure puts all of them off. */
static void load_due(struct audit_sink *sink, int64_t now_mono_ms)
{
    bool is_any_missing = false;
    for (size_t i = 0; i < N_PARTS; i++) {
        struct part *part = &sink->parts[i];
        if (part->is_followed || part->load_mono_ms > now_mono_ms)
            continue;
        struct weir_err err = {0};
        if (load(sink, part, &err) != WEIR_OK) {
            complain(sink, "stores", "database or broker away", &err);
            is_any_missing = true;
            break;
        }
    }
    if (!is_any_missing)
        return;
    for (size_t i = 0; i < N_PARTS; i++) {
        if (!sink->parts[i].is_followed && sink->parts[i].load_mono_ms <= now_mono_ms)
            sink->parts[i].load_mono_ms = now_mono_ms + TROUBLE_MS;
    }
}

static void leave(struct part *part, int64_t delay_ms)
{
    audit_batch_start(&part->batch, &part->batch.before);
    part->is_followed = false;
    part->load_mono_ms = weir_clock_mono_ms() + delay_ms;
}

/* ---- storing ---- */

static void count(struct audit_sink *sink, const struct audit_batch *batch)
{
    struct weir_metric *const by_verdict[] = {sink->stored, sink->void_records, sink->unreadable};
    for (size_t i = 0; i < batch->n; i++)
        weir_metric_add(by_verdict[batch->items[i].entry.verdict], 1);
    if (batch->n == 0)
        return;
    weir_metric_set(sink->lag_ms, weir_clock_wall_ms() - batch->items[batch->n - 1].timestamp_ms);
}

static void store(struct audit_sink *sink, struct part *part)
{
    struct weir_err err = {0};
    enum weir_code code = audit_table_store(sink->db, &part->batch, &err);
    if (code == WEIR_OK) {
        count(sink, &part->batch);
        audit_batch_stored(&part->batch);
    } else if (code == WEIR_ESTALE) {
        weir_metric_add(sink->fenced, 1);
        leave(part, STANDBY_MS);
    } else {
        complain(sink, "stores", "records could not be stored", &err);
        leave(part, TROUBLE_MS);
    }
}

static bool is_due(const struct audit_sink *sink, const struct audit_batch *batch,
                   int64_t now_mono_ms)
{
    return batch->n_taken > 0 && (batch->n_taken >= (size_t)sink->settings->batch_records ||
                                  batch->bytes >= BATCH_MAX_BYTES ||
                                  now_mono_ms - batch->begun_mono_ms >= sink->settings->batch_ms);
}

/* ---- reading ---- */

static struct part *find(struct audit_sink *sink, const struct weir_bus_message *message)
{
    size_t topic = 0;
    while (topic < N_TOPICS && strcmp(message->topic, topics[topic]) != 0)
        topic++;
    assert(topic < N_TOPICS);
    assert(message->partition < WEIR_TOPIC_PARTITIONS);
    return &sink->parts[topic * WEIR_TOPIC_PARTITIONS + (size_t)message->partition];
}

static void take(struct audit_sink *sink, const struct weir_bus_message *message)
{
    struct part *part = find(sink, message);
    /* What was fetched before the partition was moved does not count. */
    if (!part->is_followed || message->offset < part->batch.after.next)
        return;
    struct weir_err err = {0};
    int64_t now_mono_ms = weir_clock_mono_ms();
    if (audit_batch_take(&part->batch, message, now_mono_ms, &err) != WEIR_OK) {
        halt(sink, &err);
        return;
    }
    if (is_due(sink, &part->batch, now_mono_ms))
        store(sink, part);
}

/* How long to wait for a message: until the oldest batch is due. */
static int wait_ms(const struct audit_sink *sink, int64_t now_mono_ms)
{
    int64_t wait = IDLE_POLL_MS;
    for (size_t i = 0; i < N_PARTS; i++) {
        const struct audit_batch *batch = &sink->parts[i].batch;
        int64_t left = batch->begun_mono_ms + sink->settings->batch_ms - now_mono_ms;
        if (batch->n_taken > 0 && left < wait)
            wait = left > 0 ? left : 0;
    }
    return (int)wait;
}

static void read_next(struct audit_sink *sink, int64_t now_mono_ms)
{
    struct weir_bus_message message;
    struct weir_err err = {0};
    bool got = false;
    enum weir_code code =
        weir_bus_reader_poll(sink->reader, wait_ms(sink, now_mono_ms), &message, &got, &err);
    if (code == WEIR_EGONE || code == WEIR_ECORRUPT)
        halt(sink, &err);
    else if (code != WEIR_OK)
        complain(sink, "stores", "a log cannot be read", &err);
    else if (got)
        take(sink, &message);
}

/* Asks one partition how much is waiting, which also shows that the broker answers. */
static void measure(struct audit_sink *sink, int64_t now_mono_ms)
{
    if (now_mono_ms < sink->measure_mono_ms)
        return;
    sink->measure_mono_ms = now_mono_ms + MEASURE_MS;
    sink->measured = (sink->measured + 1) % N_PARTS;
    struct part *part = &sink->parts[sink->measured];
    const struct weir_audit_chain *chain = &part->batch.before;
    int64_t first = 0;
    int64_t next = 0;
    struct weir_err err = {0};
    if (weir_bus_reader_bounds(sink->meter, chain->topic, chain->partition, BOUNDS_MS, &first,
                               &next, &err) != WEIR_OK) {
        complain(sink, "kafka", "broker away", &err);
        return;
    }
    weir_service_ready(sink->service, "kafka", true, NULL);
    part->lag = next > chain->next ? next - chain->next : 0;
    int64_t lag = 0;
    bool is_all_loaded = true;
    for (size_t i = 0; i < N_PARTS; i++) {
        lag += sink->parts[i].lag;
        is_all_loaded = is_all_loaded && sink->parts[i].is_followed;
    }
    weir_metric_set(sink->lag, lag);
    if (is_all_loaded)
        weir_service_ready(sink->service, "stores", true, NULL);
}

/* ---- pruning ---- */

/* What does not go grows, and is looked at again in the next round. */
static void prune(struct audit_sink *sink, int64_t now_mono_ms)
{
    struct weir_err err = {0};
    int64_t n = 0;
    if (!audit_pruner_is_due(&sink->pruner, now_mono_ms))
        return;
    if (audit_prune(&sink->pruner, sink->db, sink->settings, now_mono_ms, &n, &err) == WEIR_OK) {
        weir_metric_add(sink->pruned, n);
        return;
    }
    weir_metric_add(sink->prune_failures, 1);
    if (weir_log_allowed(&sink->troubles, 3, 10000, now_mono_ms))
        weir_log(WEIR_LOG_WARN, "old records could not be pruned", "reason", err.msg, NULL);
}

static bool is_any_followed(const struct audit_sink *sink)
{
    for (size_t i = 0; i < N_PARTS; i++) {
        if (sink->parts[i].is_followed)
            return true;
    }
    return false;
}

static void step(struct audit_sink *sink)
{
    int64_t now_mono_ms = weir_clock_mono_ms();
    load_due(sink, now_mono_ms);
    measure(sink, now_mono_ms);
    if (is_any_followed(sink))
        read_next(sink, now_mono_ms);
    else
        sleep_ms(IDLE_POLL_MS);
    now_mono_ms = weir_clock_mono_ms();
    for (size_t i = 0; i < N_PARTS; i++) {
        if (is_due(sink, &sink->parts[i].batch, now_mono_ms))
            store(sink, &sink->parts[i]);
    }
    if (is_any_followed(sink))
        prune(sink, now_mono_ms);
}

/* Also after a gap: what was read before it is true. */
static void store_rest(struct audit_sink *sink)
{
    for (size_t i = 0; i < N_PARTS; i++) {
        if (sink->parts[i].batch.n_taken > 0)
            store(sink, &sink->parts[i]);
    }
}

static void *run(void *ctx)
{
    struct audit_sink *sink = ctx;
    while (!atomic_load(&sink->is_stopping) && !atomic_load(&sink->is_halted))
        step(sink);
    store_rest(sink);
    return NULL;
}

/* ---- life ---- */

static enum weir_code open_stores(struct audit_sink *sink, struct weir_err *err)
{
    /* The log is the record: what a crash of Postgres takes back is read again, for the row that
     * says how far it was read is taken back with it. */
    const struct weir_db_config db = {.url = sink->settings->postgres,
                                      .connections = 1,
                                      .application = "weir-audit",
                                      .is_relaxed = true};
    const struct weir_bus_reader_config reader = {
        .brokers = sink->settings->kafka, .client_id = "weir-audit", .is_patient = true};
    enum weir_code code = weir_db_open(&db, &sink->db, err);
    if (code == WEIR_OK)
        code = weir_bus_reader_open(&reader, &sink->reader, err);
    return code == WEIR_OK ? weir_bus_reader_open(&reader, &sink->meter, err) : code;
}

enum weir_code audit_sink_open(struct weir_service *service, const struct audit_settings *settings,
                               struct audit_sink **ret, struct weir_err *err)
{
    if (!*settings->postgres)
        return weir_fail(err, WEIR_EINVAL, "WEIR_POSTGRES is missing");
    struct audit_sink *sink = weir_xalloc(sizeof(*sink));
    sink->service = service;
    sink->settings = settings;
    for (size_t i = 0; i < N_PARTS; i++) {
        audit_batch_init(&sink->parts[i].batch, (size_t)settings->batch_records);
        weir_audit_chain_init(&sink->parts[i].batch.before, topics[i / WEIR_TOPIC_PARTITIONS],
                              (int32_t)(i % WEIR_TOPIC_PARTITIONS), 0);
    }
    make_metrics(sink);
    weir_service_ready(service, "kafka", false, "not asked yet");
    weir_service_ready(service, "stores", false, "not loaded yet");
    weir_service_ready(service, "chain", true, NULL);
    enum weir_code code = open_stores(sink, err);
    if (code == WEIR_OK && pthread_create(&sink->thread, NULL, run, sink) != 0)
        code = weir_fail(err, WEIR_EINTERNAL, "no thread");
    if (code != WEIR_OK) {
        sink->thread = 0;
        audit_sink_close(&sink);
        return code;
    }
    *ret = sink;
    return WEIR_OK;
}

void audit_sink_close(struct audit_sink **sink)
{
    struct audit_sink *self = WEIR_TAKE(*sink);
    if (!self)
        return;
    atomic_store(&self->is_stopping, true);
    if (self->thread)
        pthread_join(self->thread, NULL);
    weir_bus_reader_close(&self->reader);
    weir_bus_reader_close(&self->meter);
    weir_db_close(&self->db);
    for (size_t i = 0; i < N_PARTS; i++)
        audit_batch_done(&self->parts[i].batch);
    free(self);
}

bool audit_sink_is_halted(const struct audit_sink *sink)
{
    return atomic_load(&sink->is_halted);
}
