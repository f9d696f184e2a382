/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/views.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/domain/encoder.h"
#include "lib/domain/stream_state.h"
#include "lib/io/store.h"

#define LOOK_EVERY_MS   1000
#define SCORES_EVERY_MS 1000
#define RETRY_MS        1000 /* after views could not be written: all rows are made again */
#define ENDED_TTL_S     "86400"
#define NOT_PLACEABLE   2000000000

/* KEYS: view, row. ARGV: epoch, offset, ttl or 0, field, value ... */
static const char row_script[] =
    "local e = redis.call('HGET', KEYS[1], 'epoch') "
    "if e and tonumber(e) > tonumber(ARGV[1]) then return 0 end "
    "local r = redis.call('HMGET', KEYS[2], 'epoch', 'offset') "
    "if r[1] and r[2] and (tonumber(r[1]) > tonumber(ARGV[1]) or (tonumber(r[1]) == "
    "tonumber(ARGV[1]) and tonumber(r[2]) > tonumber(ARGV[2]))) then return 0 end "
    "redis.call('HSET', KEYS[2], 'epoch', ARGV[1], 'offset', ARGV[2], unpack(ARGV, 4)) "
    "if ARGV[3] ~= '0' then redis.call('EXPIRE', KEYS[2], ARGV[3]) "
    "else redis.call('PERSIST', KEYS[2]) end "
    "return 1";

/* KEYS: view, scores. ARGV: epoch, score, worker ... */
static const char scores_script[] =
    "local e = redis.call('HGET', KEYS[1], 'epoch') "
    "if e and tonumber(e) > tonumber(ARGV[1]) then return 0 end "
    "redis.call('DEL', KEYS[2]) "
    "if #ARGV > 1 then redis.call('ZADD', KEYS[2], unpack(ARGV, 2)) end "
    "return 1";

/* KEYS: view, encoders. ARGV: epoch, worker, text ... */
static const char encoders_script[] =
    "local e = redis.call('HGET', KEYS[1], 'epoch') "
    "if e and tonumber(e) > tonumber(ARGV[1]) then return 0 end "
    "redis.call('DEL', KEYS[2]) "
    "if #ARGV > 1 then redis.call('HSET', KEYS[2], unpack(ARGV, 2)) end "
    "return 1";

/* KEYS: view. ARGV: epoch, mark of the job that begins. */
static const char begin_script[] = "local e = redis.call('HGET', KEYS[1], 'epoch') "
                                   "if e and tonumber(e) > tonumber(ARGV[1]) then return 0 end "
                                   "redis.call('HSET', KEYS[1], 'job', ARGV[2]) "
                                   "return 1";

/*
 * KEYS: view. ARGV: epoch, offset, mark of the job that ends. Its mark is gone when Redis lost what
 * it had since the job began: then nothing may say that the views are whole.
 */
static const char end_script[] =
    "local r = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'job') "
    "if r[1] and r[2] and (tonumber(r[1]) > tonumber(ARGV[1]) or (tonumber(r[1]) == "
    "tonumber(ARGV[1]) and tonumber(r[2]) > tonumber(ARGV[2]))) then return 0 end "
    "if r[3] ~= ARGV[3] then return redis.error_reply('LOST while views were written') end "
    "redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'offset', ARGV[2]) "
    "return 1";

struct call {
    const char **args;
    size_t n;
};

/* What the thread is to write; made by the loop, freed by the thread. */
struct job {
    struct weir_arena *arena;
    struct call *calls;
    size_t n;
    size_t cap;
    int64_t epoch;
    int64_t offset;
};

struct views {
    int32_t cell;
    struct weir_id process;   /* tells this one's jobs from another scheduler's */
    struct weir_map *streams; /* ids of rows to write; loop thread */
    struct weir_map *workers;
    bool needs_all;
    int64_t flushed_offset;
    int64_t scores_mono_ms;
    int64_t retry_mono_ms; /* nothing is made before */
    int64_t n_jobs;
    pthread_t thread;
    struct weir_store *store; /* the thread's */
    pthread_mutex_t lock;     /* guards all below */
    pthread_cond_t changed;
    struct job *job; /* waiting or being written */
    bool is_lost;    /* the thread found the views missing */
    bool has_failed; /* it could not write them */
    bool is_stopping;
};

/* ---- the thread ---- */

static enum weir_code write_job(struct views *views, const struct job *job, struct weir_err *err)
{
    for (size_t i = 0; i < job->n; i++) {
        weir_store_queue(views->store, job->calls[i].args, NULL, job->calls[i].n);
    }
    size_t errors = 0;
    enum weir_code code = weir_store_flush(views->store, &errors, err);
    if (code == WEIR_OK && errors > 0) {
        code = weir_fail(err, WEIR_EINVAL, "%zu of %zu writes refused", errors, job->n);
    }
    return code;
}

/* Whether Redis holds views at least as new as those last written. */
static enum weir_code look(struct views *views, int64_t epoch, int64_t offset, bool *ret_is_there,
                           struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(1024);
    char key[64];
    snprintf(key, sizeof(key), "weir:%d:view", (int)views->cell);
    const char *args[] = {"HMGET", key, "epoch", "offset"};
    struct weir_store_value value;
    enum weir_code code = weir_store_call(views->store, args, NULL, 4, arena, &value, err);
    if (code != WEIR_OK) {
        return code;
    }
    bool is_whole = value.type == WEIR_STORE_ARRAY && value.n_items == 2 &&
                    value.items[0].type == WEIR_STORE_TEXT &&
                    value.items[1].type == WEIR_STORE_TEXT;
    int64_t there_epoch = is_whole ? strtoll(value.items[0].text, NULL, 10) : -1;
    int64_t there_offset = is_whole ? strtoll(value.items[1].text, NULL, 10) : -1;
    *ret_is_there = there_epoch > epoch || (there_epoch == epoch && there_offset >= offset);
    return WEIR_OK;
}

/* Waits for a job, a second at most; NULL then. False to end. */
static bool wait_for_job(struct views *views, struct job **ret)
{
    int64_t until_ms = weir_clock_mono_ms() + LOOK_EVERY_MS;
    pthread_mutex_lock(&views->lock);
    while (views->job == NULL && !views->is_stopping &&
           weir_clock_wait(&views->changed, &views->lock, until_ms)) {
    }
    *ret = views->job;
    bool is_stopping = views->is_stopping;
    pthread_mutex_unlock(&views->lock);
    return !is_stopping;
}

static void free_job(struct job *job)
{
    weir_arena_free(job->arena);
    free(job->calls);
    free(job);
}

static void finish(struct views *views, struct job *job, bool is_lost, bool has_failed)
{
    pthread_mutex_lock(&views->lock);
    if (job != NULL) {
        views->job = NULL;
    }
    views->is_lost = views->is_lost || is_lost;
    views->has_failed = views->has_failed || has_failed;
    pthread_mutex_unlock(&views->lock);
    if (job != NULL) {
        free_job(job);
    }
}

static void *run(void *ctx)
{
    struct views *views = ctx;
    int64_t epoch = -1;
    int64_t offset = -1;
    struct weir_log_limit limit = {0};
    struct job *job;
    while (wait_for_job(views, &job)) {
        struct weir_err err;
        bool is_there = true;
        /* Before writing: afterwards the views look whole, whatever was lost. */
        enum weir_code code = epoch >= 0 ? look(views, epoch, offset, &is_there, &err) : WEIR_OK;
        if (job != NULL && code == WEIR_OK) {
            code = write_job(views, job, &err);
        }
        if (job != NULL && code == WEIR_OK) {
            epoch = job->epoch;
            offset = job->offset;
        }
        if (code != WEIR_OK && weir_log_allowed(&limit, 1, 10000, weir_clock_mono_ms())) {
            weir_log(WEIR_LOG_WARN, "redis: views cannot be written, trying again", "error",
                     err.msg, NULL);
        }
        finish(views, job, !is_there, code != WEIR_OK);
    }
    return NULL;
}

/* ---- making a job ---- */

struct writer {
    struct views *views;
    struct job *job;
    const char *epoch;
    const char *view_key;
    const char *mark; /* of the job, in Redis while it is written */
};

/* `args` are copied into the job. */
static void add_call(struct job *job, const char *const *args, size_t n)
{
    if (job->n == job->cap) {
        job->cap = job->cap ? job->cap * 2 : 64;
        job->calls = weir_xrealloc(job->calls, job->cap, sizeof(*job->calls));
    }
    const char **copy = weir_arena_array(job->arena, n, sizeof(*copy));
    for (size_t i = 0; i < n; i++) {
        copy[i] = args[i];
    }
    job->calls[job->n++] = (struct call){copy, n};
}

static const char *text_of_int(struct writer *writer, int64_t value)
{
    return weir_arena_printf(writer->job->arena, "%lld", (long long)value);
}

static const char *text_of_id(struct writer *writer, const struct weir_id *id)
{
    return weir_id_is_nil(id) ? "" : weir_arena_strdup(writer->job->arena, WEIR_ID_TEXT(id));
}

static const char *row_key(struct writer *writer, const char *kind, const struct weir_id *id)
{
    return weir_arena_printf(writer->job->arena, "weir:%d:%s:%s", (int)writer->views->cell, kind,
                             WEIR_ID_TEXT(id));
}

static void write_stream(struct writer *writer, const struct weir_stream_row *row)
{
    bool has_ended = weir_stream_state_is_final(row->state);
    struct weir_arena *arena = writer->job->arena;
    const char *args[] = {
        "EVAL",
        row_script,
        "2",
        writer->view_key,
        row_key(writer, "stream", &row->stream_id),
        writer->epoch,
        text_of_int(writer, row->version),
        has_ended ? ENDED_TTL_S : "0",
        "state",
        weir_stream_state_name(row->state),
        "reason",
        weir_arena_strdup(arena, row->reason),
        "detail",
        weir_arena_strdup(arena, row->detail),
        "tenant_id",
        text_of_id(writer, &row->tenant_id),
        "camera_id",
        text_of_id(writer, &row->camera_id),
        "quality",
        weir_quality_name(row->quality),
        "fps",
        text_of_int(writer, row->fps),
        "worker_id",
        text_of_id(writer, &row->worker_id),
        "incarnation",
        text_of_int(writer, row->incarnation),
        "generation",
        text_of_int(writer, row->generation),
        "changed_at_ms",
        text_of_int(writer, row->changed_at_ms),
    };
    add_call(writer->job, args, sizeof(args) / sizeof(args[0]));
}

static void write_worker(struct writer *writer, const struct weir_worker_row *row)
{
    bool is_gone = row->state == WEIR_WORKER_STATE_DEAD || row->state == WEIR_WORKER_STATE_LEFT;
    struct weir_arena *arena = writer->job->arena;
    const char *args[] = {
        "EVAL",
        row_script,
        "2",
        writer->view_key,
        row_key(writer, "worker", &row->worker_id),
        writer->epoch,
        text_of_int(writer, row->version),
        is_gone ? ENDED_TTL_S : "0",
        "state",
        weir_worker_state_name(row->state),
        "reason",
        weir_arena_strdup(arena, row->reason),
        "incarnation",
        text_of_int(writer, row->incarnation),
        "origin_url",
        weir_arena_strdup(arena, row->origin_url),
        "site",
        weir_arena_strdup(arena, row->site),
        "cpu_milli",
        text_of_int(writer, row->capacity.cpu_milli),
        "mem_mib",
        text_of_int(writer, row->capacity.mem_mib),
        "net_kbps",
        text_of_int(writer, row->capacity.net_kbps),
        "gpu_permille",
        text_of_int(writer, row->capacity.gpu_permille),
        "streams_max",
        text_of_int(writer, row->streams_max),
        "since_ms",
        text_of_int(writer, row->since_ms),
    };
    add_call(writer->job, args, sizeof(args) / sizeof(args[0]));
}

static void write_scores(struct writer *writer, const struct weir_ledger *ledger,
                         const struct views_calls *calls)
{
    size_t n = 0;
    const struct weir_worker_row *row;
    for (size_t at = 0; weir_ledger_next_worker(ledger, &at, &row);) {
        n++;
    }
    const char **args = weir_arena_array(writer->job->arena, 6 + 2 * n, sizeof(*args));
    size_t used = 0;
    args[used++] = "EVAL";
    args[used++] = scores_script;
    args[used++] = "2";
    args[used++] = writer->view_key;
    args[used++] =
        weir_arena_printf(writer->job->arena, "weir:%d:scores", (int)writer->views->cell);
    args[used++] = writer->epoch;
    for (size_t at = 0; weir_ledger_next_worker(ledger, &at, &row);) {
        if (row->state == WEIR_WORKER_STATE_DEAD || row->state == WEIR_WORKER_STATE_LEFT) {
            continue;
        }
        int64_t ppm = calls->score(calls->ctx, &row->worker_id);
        args[used++] = text_of_int(writer, ppm < 0 ? NOT_PLACEABLE : ppm);
        args[used++] = text_of_id(writer, &row->worker_id);
    }
    add_call(writer->job, args, used);
}

static void write_encoders(struct writer *writer, const struct weir_ledger *ledger,
                           const struct views_calls *calls)
{
    struct weir_arena *arena = writer->job->arena;
    size_t n = 0;
    const struct weir_worker_row *row;
    for (size_t at = 0; weir_ledger_next_worker(ledger, &at, &row);) {
        n++;
    }
    const char **args = weir_arena_array(arena, 6 + 2 * n, sizeof(*args));
    const char *head[] = {"EVAL", encoders_script, "2", writer->view_key};
    memcpy(args, head, sizeof(head));
    size_t used = sizeof(head) / sizeof(head[0]);
    args[used++] = weir_arena_printf(arena, "weir:%d:encoders", (int)writer->views->cell);
    args[used++] = writer->epoch;
    for (size_t at = 0; weir_ledger_next_worker(ledger, &at, &row);) {
        char text[WEIR_ENCODERS_TEXT_MAX];
        if (calls->encoders(calls->ctx, &row->worker_id, text)[0] != '\0') {
            args[used++] = text_of_id(writer, &row->worker_id);
            args[used++] = weir_arena_strdup(arena, text);
        }
    }
    add_call(writer->job, args, used);
}

static void write_begin(struct writer *writer)
{
    struct views *views = writer->views;
    writer->mark = weir_arena_printf(writer->job->arena, "%s/%lld", WEIR_ID_TEXT(&views->process),
                                     (long long)++views->n_jobs);
    const char *args[] = {"EVAL", begin_script, "1", writer->view_key, writer->epoch, writer->mark};
    add_call(writer->job, args, sizeof(args) / sizeof(args[0]));
}

static void write_end(struct writer *writer)
{
    const char *args[] = {"EVAL",           end_script,    "1",
                          writer->view_key, writer->epoch, text_of_int(writer, writer->job->offset),
                          writer->mark};
    add_call(writer->job, args, sizeof(args) / sizeof(args[0]));
}

static void write_rows(struct writer *writer, const struct weir_ledger *ledger)
{
    struct views *views = writer->views;
    const struct weir_stream_row *stream;
    for (size_t at = 0; weir_ledger_next_stream(ledger, &at, &stream);) {
        if (views->needs_all || weir_map_find(views->streams, stream->stream_id.b) != NULL) {
            write_stream(writer, stream);
        }
    }
    const struct weir_worker_row *worker;
    for (size_t at = 0; weir_ledger_next_worker(ledger, &at, &worker);) {
        if (views->needs_all || weir_map_find(views->workers, worker->worker_id.b) != NULL) {
            write_worker(writer, worker);
        }
    }
}

static void clear(struct weir_map **map)
{
    weir_map_free(*map);
    *map = weir_map_new(sizeof(struct weir_id));
}

static bool is_busy(struct views *views, int64_t now)
{
    pthread_mutex_lock(&views->lock);
    bool is_busy = views->job != NULL;
    bool is_lost = views->is_lost;
    bool has_failed = views->has_failed;
    views->is_lost = views->has_failed = false;
    pthread_mutex_unlock(&views->lock);
    views->needs_all = views->needs_all || is_lost || has_failed;
    views->retry_mono_ms = has_failed ? now + RETRY_MS : views->retry_mono_ms;
    return is_busy || now < views->retry_mono_ms;
}

void views_flush(struct views *views, const struct weir_ledger *ledger, int64_t epoch,
                 const struct views_calls *calls)
{
    int64_t now = weir_clock_mono_ms();
    if (views == NULL || is_busy(views, now)) {
        return;
    }
    bool is_changed = views->needs_all || weir_ledger_offset(ledger) != views->flushed_offset;
    bool wants_scores = now - views->scores_mono_ms >= SCORES_EVERY_MS;
    if (!is_changed && !wants_scores) {
        return;
    }
    struct job *job = weir_xalloc(sizeof(*job));
    job->arena = weir_arena_new(0);
    job->epoch = epoch;
    job->offset = weir_ledger_offset(ledger);
    struct writer writer = {.views = views, .job = job};
    writer.epoch = text_of_int(&writer, epoch);
    writer.view_key = weir_arena_printf(job->arena, "weir:%d:view", (int)views->cell);
    write_begin(&writer);
    if (is_changed) {
        write_rows(&writer, ledger);
    }
    if (wants_scores) {
        write_scores(&writer, ledger, calls);
        write_encoders(&writer, ledger, calls);
        views->scores_mono_ms = now;
    }
    write_end(&writer);
    clear(&views->streams);
    clear(&views->workers);
    views->needs_all = false;
    views->flushed_offset = job->offset;
    pthread_mutex_lock(&views->lock);
    views->job = job;
    pthread_cond_signal(&views->changed);
    pthread_mutex_unlock(&views->lock);
}

/* ---- the loop's side ---- */

enum weir_code views_open(const char *url, int32_t cell, struct views **ret, struct weir_err *err)
{
    if (url[0] == '\0') {
        *ret = NULL;
        return WEIR_OK;
    }
    struct views *views = weir_xalloc(sizeof(*views));
    const struct weir_store_config config = {.url = url};
    enum weir_code code = weir_store_open(&config, &views->store, err);
    if (code != WEIR_OK) {
        free(views);
        return code;
    }
    views->cell = cell;
    views->process = weir_id_new(weir_clock_wall_ms());
    views->streams = weir_map_new(sizeof(struct weir_id));
    views->workers = weir_map_new(sizeof(struct weir_id));
    views->flushed_offset = -1;
    views->needs_all = true;
    pthread_mutex_init(&views->lock, NULL);
    pthread_cond_init(&views->changed, NULL);
    if (pthread_create(&views->thread, NULL, run, views) != 0) {
        weir_store_close(&views->store);
        weir_map_free(views->streams);
        weir_map_free(views->workers);
        free(views);
        return weir_fail(err, WEIR_EINTERNAL, "the thread of the views could not be started");
    }
    *ret = views;
    return WEIR_OK;
}

void views_close(struct views **views)
{
    struct views *self = WEIR_TAKE(*views);
    if (self == NULL) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->is_stopping = true;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    if (self->job != NULL) {
        free_job(self->job);
    }
    weir_store_close(&self->store);
    weir_map_free(self->streams);
    weir_map_free(self->workers);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

void views_changed(struct views *views, const struct weir_ledger_change *change)
{
    if (views == NULL) {
        return;
    }
    if (change->stream != NULL) {
        weir_map_put(views->streams, change->stream->stream_id.b, views);
    } else if (change->worker != NULL) {
        weir_map_put(views->workers, change->worker->worker_id.b, views);
    }
}

void views_forget(struct views *views)
{
    if (views != NULL) {
        views->needs_all = true;
    }
}
