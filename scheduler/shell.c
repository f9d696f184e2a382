/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/shell.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/domain/stream_state.h"
#include "scheduler/election.h"
#include "scheduler/leader.h"
#include "scheduler/views.h"

#define TICK_MS         50
#define RETRY_MS        1000  /* between the end of a term and the next try */
#define LOG_SILENCE_MS  10000 /* without word of the log a standby is not ready */
#define GAUGES_EVERY_MS 1000

struct shell {
    const struct scheduler_settings *settings;
    struct weir_service *service;
    struct meters meters;
    struct weir_follower *follower;
    struct election *election;
    struct dead_letters *dead_letters;
    struct views *views;
    struct leader *leader; /* NULL: standing by */
    int64_t retry_mono_ms;
    int64_t pumped_boot_ms;
    struct weir_timer *tick;
    int64_t gauges_mono_ms;
    atomic_bool is_woken;
};

static void pump(struct shell *shell);

static void on_wake(void *ctx)
{
    struct shell *shell = ctx;
    atomic_store(&shell->is_woken, false);
    pump(shell);
}

/* From any thread. */
static void wake(void *ctx)
{
    struct shell *shell = ctx;
    if (!atomic_exchange(&shell->is_woken, true)) {
        weir_loop_post(weir_service_loop(shell->service), on_wake, shell);
    }
}

/* ---- what the follower tells ---- */

static void on_change(void *ctx, const struct weir_ledger_change *change)
{
    struct shell *shell = ctx;
    views_changed(shell->views, change);
}

static void on_decision(void *ctx, const struct weir_follower_decision *read)
{
    struct shell *shell = ctx;
    if (shell->leader != NULL) {
        leader_followed(shell->leader, read);
    }
    if (read->decision->kind == WEIR_EV_DECISION_KIND_TAKEOVER) {
        views_forget(shell->views);
    }
}

static void on_reset(void *ctx, const char *why)
{
    struct shell *shell = ctx;
    weir_log(WEIR_LOG_WARN, "decision log: followed anew", "why", why, NULL);
    views_forget(shell->views);
    if (shell->leader != NULL) {
        leader_end(shell->leader, "the decision log is followed anew");
    }
}

static void on_divergence(void *ctx, int64_t offset)
{
    struct shell *shell = ctx;
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)offset);
    weir_metric_add(shell->meters.divergences, 1);
    weir_log(WEIR_LOG_ERROR, "decision log: its writer had another ledger", "offset", text, NULL);
    if (shell->leader != NULL) {
        leader_end(shell->leader, "the log tells another ledger than this leader had");
    }
}

static void on_caught_up(void *ctx)
{
    struct shell *shell = ctx;
    weir_log(WEIR_LOG_INFO, "decision log: read to its end", NULL);
    wake(shell);
}

/* ---- terms ---- */

static void end_term(struct shell *shell)
{
    weir_log(WEIR_LOG_WARN, "cell: no longer leading", "why", leader_why(shell->leader), NULL);
    bool is_replaced = leader_is_replaced(shell->leader);
    leader_free(&shell->leader);
    if (is_replaced) {
        election_stand_again(shell->election);
    }
    shell->retry_mono_ms = weir_clock_mono_ms() + RETRY_MS;
}

static void begin_term(struct shell *shell)
{
    const struct leader_env env = {
        .settings = shell->settings,
        .meters = &shell->meters,
        .dead_letters = shell->dead_letters,
        .wake = wake,
        .wake_ctx = shell,
    };
    struct weir_err err;
    weir_log(WEIR_LOG_INFO, "cell: taking over", NULL);
    if (leader_new(&env, shell->follower, &shell->leader, &err) != WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, "cell: taking over failed", "error", err.msg, NULL);
        shell->retry_mono_ms = weir_clock_mono_ms() + RETRY_MS;
    }
}

static void tend_term(struct shell *shell)
{
    if (shell->leader != NULL) {
        if (!leader_pump(shell->leader)) {
            end_term(shell);
        }
    } else if (election_is_won(shell->election) && weir_follower_is_caught_up(shell->follower) &&
               weir_clock_mono_ms() >= shell->retry_mono_ms) {
        begin_term(shell);
    }
}

static int64_t score(void *ctx, const struct weir_id *worker_id)
{
    struct shell *shell = ctx;
    return leader_score(shell->leader, worker_id);
}

static const char *encoders(void *ctx, const struct weir_id *worker_id, char *text)
{
    const struct shell *shell = ctx;
    return leader_encoders(shell->leader, worker_id, text);
}

/* A process that slept may have been replaced, and its place in the group is long gone. */
static void notice_sleep(struct shell *shell)
{
    int64_t boot_ms = weir_clock_boot_ms();
    bool has_slept = shell->pumped_boot_ms != 0 &&
                     boot_ms - shell->pumped_boot_ms > shell->settings->session_timeout_ms;
    if (has_slept) {
        election_stand_again(shell->election);
    }
    shell->pumped_boot_ms = weir_clock_boot_ms();
}

static void pump(struct shell *shell)
{
    notice_sleep(shell);
    election_poll(shell->election);
    dead_letters_poll(shell->dead_letters);
    tend_term(shell);
}

/* ---- by time ---- */

static void set_gauges(struct shell *shell)
{
    const struct weir_ledger *ledger = weir_follower_ledger(shell->follower);
    int64_t queued = 0;
    int64_t placed = 0;
    const struct weir_stream_row *row;
    for (size_t at = 0; weir_ledger_next_stream(ledger, &at, &row);) {
        queued += row->state == WEIR_STREAM_STATE_QUEUED;
        placed += weir_stream_state_is_placed(row->state);
    }
    weir_metric_set(shell->meters.queue, queued);
    weir_metric_set(shell->meters.streams, placed);
    weir_metric_set(shell->meters.epoch, weir_follower_epoch(shell->follower));
    weir_metric_set(shell->meters.is_leader,
                    shell->leader != NULL && leader_is_leading(shell->leader));
    bool is_following = weir_follower_is_caught_up(shell->follower) &&
                        weir_follower_silence_ms(shell->follower) < LOG_SILENCE_MS;
    weir_service_ready(shell->service, "log", is_following,
                       "the decision log is not followed to its end");
}

static void on_tick(void *ctx)
{
    struct shell *shell = ctx;
    pump(shell);
    if (shell->leader != NULL && leader_is_leading(shell->leader) &&
        weir_follower_epoch(shell->follower) == leader_epoch(shell->leader)) {
        const struct views_calls calls = {score, encoders, shell};
        views_flush(shell->views, weir_follower_ledger(shell->follower),
                    leader_epoch(shell->leader), &calls);
    }
    int64_t now = weir_clock_mono_ms();
    if (now - shell->gauges_mono_ms >= GAUGES_EVERY_MS) {
        shell->gauges_mono_ms = now;
        set_gauges(shell);
    }
    weir_timer_set(shell->tick, TICK_MS);
}

/* ---- opening ---- */

static enum weir_code open_parts(struct shell *shell, struct weir_err *err)
{
    const struct scheduler_settings *settings = shell->settings;
    const struct weir_follower_config follower = {
        .brokers = settings->kafka,
        .client_id = "weir-scheduler-follower",
        .cell = (int32_t)settings->cell,
        .loop = weir_service_loop(shell->service),
        .on_reset = on_reset,
        .on_change = on_change,
        .on_decision = on_decision,
        .on_divergence = on_divergence,
        .on_caught_up = on_caught_up,
        .ctx = shell,
    };
    enum weir_code code = dead_letters_open(settings->kafka, &shell->dead_letters, err);
    if (code == WEIR_OK) {
        code = views_open(settings->redis, (int32_t)settings->cell, &shell->views, err);
    }
    if (code == WEIR_OK) {
        code = election_open(settings->kafka, (int32_t)settings->cell, settings->session_timeout_ms,
                             wake, shell, &shell->election, err);
    }
    return code == WEIR_OK ? weir_follower_open(&follower, &shell->follower, err) : code;
}

enum weir_code shell_open(const struct scheduler_settings *settings, struct weir_service *service,
                          struct shell **ret, struct weir_err *err)
{
    struct shell *shell = weir_xalloc(sizeof(*shell));
    shell->settings = settings;
    shell->service = service;
    meters_init(&shell->meters, weir_service_metrics(service));
    weir_service_ready(service, "log", false, "the decision log is not followed to its end");
    enum weir_code code = open_parts(shell, err);
    if (code != WEIR_OK) {
        shell_close(&shell);
        return code;
    }
    shell->tick = weir_timer_new(weir_service_loop(service), on_tick, shell);
    weir_timer_set(shell->tick, 0);
    *ret = shell;
    return WEIR_OK;
}

void shell_close(struct shell **shell)
{
    struct shell *self = WEIR_TAKE(*shell);
    if (self == NULL) {
        return;
    }
    weir_timer_free(&self->tick);
    leader_free(&self->leader);
    election_close(&self->election);
    weir_follower_close(&self->follower);
    views_close(&self->views);
    dead_letters_close(&self->dead_letters);
    free(self);
}
