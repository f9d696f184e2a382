/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/prune.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/domain/events.h"

#define N_CHAINS (3 * WEIR_TOPIC_PARTITIONS)

enum { JOB_VIEWINGS = N_CHAINS, JOB_GONE, N_JOBS };

/* One statement that returns one number. */
struct job {
    const char *sql;
    const char *params[4];
    size_t n_params;
    bool is_off;     /* kept for ever */
    int64_t again_n; /* with so many rows there are more */
    char days[24], most[24], partition[24];
};

static void make_chain_job(size_t at, const struct audit_settings *settings, struct job *ret)
{
    static const char *const topics[] = {WEIR_TOPIC_DECISIONS, WEIR_TOPIC_AUDIT, WEIR_TOPIC_FACTS};
    const char *topic = topics[at / WEIR_TOPIC_PARTITIONS];
    int64_t days = topic == topics[2] ? settings->keep_facts_days : settings->keep_days;
    snprintf(ret->days, sizeof(ret->days), "%" PRId64, days);
    snprintf(ret->partition, sizeof(ret->partition), "%zu", at % WEIR_TOPIC_PARTITIONS);
    ret->is_off = days == 0;
    ret->sql = "SELECT audit_prune_chain($1, $2::int, make_interval(days => $3::int), $4::int)";
    ret->params[0] = topic;
    ret->params[1] = ret->partition;
    ret->params[2] = ret->days;
    ret->params[3] = ret->most;
    ret->n_params = 4;
}

static void make_job(size_t at, const struct audit_settings *settings, struct job *ret)
{
    *ret = (struct job){.again_n = AUDIT_PRUNE_BATCH};
    snprintf(ret->most, sizeof(ret->most), "%d", AUDIT_PRUNE_BATCH);
    if (at < N_CHAINS) {
        make_chain_job(at, settings, ret);
    } else if (at == JOB_VIEWINGS) {
        snprintf(ret->days, sizeof(ret->days), "%" PRId64, settings->keep_viewings_days);
        ret->sql = "SELECT viewing_prune(make_interval(days => nullif($1::int, 0)), $2::int)";
        ret->params[0] = ret->days;
        ret->params[1] = ret->most;
        ret->n_params = 2;
    } else {
        ret->sql = "SELECT viewing_prune_gone($1::int)";
        ret->again_n = 1; /* each time of one tenant */
        ret->params[0] = ret->most;
        ret->n_params = 1;
    }
}

static enum weir_code run(struct weir_db *db, const struct job *job, int64_t *ret_n,
                          struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    enum weir_code code = weir_db_begin(db, NULL, &tx, err);
    if (code == WEIR_OK)
        code = weir_db_exec(tx, job->sql, job->params, job->n_params, arena, &rows, err);
    if (code != WEIR_OK)
        return code;
    int64_t n = weir_db_int(rows, 0, 0);
    if (n < 0)
        return weir_fail(err, WEIR_ECORRUPT,
                         "%s/%s: its oldest records are not those that were hashed", job->params[0],
                         job->params[1]);
    code = weir_db_commit(&tx, err);
    if (code == WEIR_OK)
        *ret_n = n;
    return code;
}

bool audit_pruner_is_due(const struct audit_pruner *pruner, int64_t now_mono_ms)
{
    return now_mono_ms >= pruner->due_mono_ms;
}

enum weir_code audit_prune(struct audit_pruner *pruner, struct weir_db *db,
                           const struct audit_settings *settings, int64_t now_mono_ms,
                           int64_t *ret_n, struct weir_err *err)
{
    struct job job;
    int64_t n = 0;
    make_job(pruner->job, settings, &job);
    enum weir_code code = job.is_off ? WEIR_OK : run(db, &job, &n, err);
    pruner->due_mono_ms = now_mono_ms + AUDIT_PRUNE_PAUSE_MS;
    if (n < job.again_n)
        pruner->job++;
    if (pruner->job == N_JOBS) {
        pruner->job = 0;
        pruner->due_mono_ms = now_mono_ms + AUDIT_PRUNE_ROUND_MS;
    }
    if (code == WEIR_OK)
        *ret_n = n;
    return code;
}
