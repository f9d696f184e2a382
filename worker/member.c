/* SPDX-License-Identifier: Apache-2.0 */
/* Joining the cell and leaving it: boot id, incarnation, fact.joined, fact.left. */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "worker/worker.h"

#define JOIN_REPEAT_MS 10000
#define FENCE_MS       7000 /* an exclusive camera's worker is dead after 10 s of silence */
#define LEFT_WAIT_MS   3000
#define CHILD_WAIT_MS  1500

#define DRAIN_HEARD_MS  3000 /* nobody leads the cell, or the log cannot be written */
#define DRAIN_REPEAT_MS 1000

static void tend_drain(struct worker *worker);

static void join(struct worker *worker)
{
    worker->phase = WORKER_JOINING;
    worker->joined_said_at_ms = worker_now_ms();
    facts_joined(worker);
    weir_log(WEIR_LOG_INFO, "joining the cell", "worker_id", worker->id_text, "boot_id",
             WEIR_ID_TEXT(&worker->boot_id), NULL);
}

void member_tend(struct worker *worker)
{
    bool can_work =
        worker->origin_port && child_is_up(worker->tap) && slots_count(&worker->slots, SLOT_UP) > 0;
    bool is_unheard = worker->phase == WORKER_JOINING &&
                      worker_now_ms() - worker->joined_said_at_ms >= JOIN_REPEAT_MS;
    weir_service_ready(worker->service, "children", can_work, "tap, origin or engine are not up");
    weir_service_ready(worker->service, "log", worker->is_caught_up,
                       "the decision log is not read to its end yet");
    weir_service_ready(worker->service, "member", worker->phase == WORKER_MEMBER,
                       "the scheduler has not taken the worker in yet");
    if (worker->drain_since_ms) {
        tend_drain(worker);
    } else if (is_unheard || (worker->phase == WORKER_PREPARING && can_work)) {
        join(worker);
    }
}

bool member_is_mine(const struct worker *worker, const struct weir_id *worker_id,
                    int64_t incarnation)
{
    return worker->incarnation != WORKER_NOT_JOINED && worker->incarnation == incarnation &&
           weir_id_equal(&worker->worker_id, worker_id);
}

/* What this boot ran is void. A new boot id, so that the log can tell what comes from now on. */
static void start_anew(struct worker *worker, const char *why)
{
    weir_log(WEIR_LOG_WARN, "the log does not count on this worker, starting anew", "why", why,
             NULL);
    worker_drop_all(worker);
    worker->incarnation = WORKER_NOT_JOINED;
    worker->boot_id = weir_id_new(weir_clock_wall_ms());
    worker->phase = WORKER_PREPARING;
    worker_pass_soon(worker);
}

static void give_way(struct worker *worker)
{
    weir_log(WEIR_LOG_ERROR, "another process joined with the same worker id, ending", "worker_id",
             worker->id_text, NULL);
    worker_drop_all(worker);
    worker->exit_code = 1;
    worker->phase = WORKER_LEAVING;
    weir_loop_stop(worker->loop);
}

void member_take_row(struct worker *worker, const struct weir_worker_row *row)
{
    if (!weir_id_equal(&row->worker_id, &worker->worker_id) || worker->phase == WORKER_LEAVING) {
        return;
    }
    if (!weir_id_equal(&row->boot_id, &worker->boot_id)) {
        if (worker->incarnation != WORKER_NOT_JOINED && row->incarnation > worker->incarnation) {
            give_way(worker);
        }
        return;
    }
    if (row->state == WEIR_WORKER_STATE_DEAD || row->state == WEIR_WORKER_STATE_LEFT) {
        start_anew(worker, row->reason);
        return;
    }
    if (worker->incarnation != row->incarnation) {
        weir_logf(WEIR_LOG_INFO, "member of the cell, incarnation %lld",
                  (long long)row->incarnation);
        worker->incarnation = row->incarnation;
        worker->beat_seq = 0;
        worker->phase = WORKER_MEMBER;
        heartbeat_send(worker);
        worker_pass_soon(worker);
    }
}

void member_is_unknown(struct worker *worker)
{
    if (worker->incarnation != WORKER_NOT_JOINED && worker->phase != WORKER_LEAVING) {
        start_anew(worker, "the log does not know it: it is another log");
    }
}

/* ---- exclusive cameras ---- */

void member_tell_fence(struct worker *worker)
{
    int64_t left_ms = worker->heard_boot_ms + FENCE_MS - weir_clock_boot_ms();
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_FENCE,
                           .u.tap_fence = {.in_ms = left_ms > 0 ? left_ms : 0}};
    child_send(worker->tap, &ctl);
}

void member_is_heard(struct worker *worker, int64_t sent_boot_ms)
{
    bool was_fenced = weir_clock_boot_ms() - worker->heard_boot_ms >= FENCE_MS;
    worker->heard_boot_ms = sent_boot_ms;
    if (was_fenced) {
        member_tell_fence(worker);
    }
}

/* ---- leaving ---- */

static void on_children_waited(void *ctx)
{
    struct worker *worker = ctx;
    weir_loop_stop(worker->loop);
}

static void end_children(void *ctx)
{
    struct worker *worker = ctx;
    weir_timer_free(&worker->leave);
    child_end(worker->tap);
    child_end(worker->origin);
    slots_stop(&worker->slots);
    worker->leave = weir_timer_new(worker->loop, on_children_waited, worker);
    weir_timer_set(worker->leave, CHILD_WAIT_MS);
}

static void on_left_delivered(void *ctx, const struct weir_bus_delivery *delivery)
{
    struct worker *worker = ctx;
    if (delivery->code != WEIR_OK) {
        weir_log(WEIR_LOG_WARN, "the log may not know that this worker left", "why",
                 delivery->detail, NULL);
    }
    if (worker->leave) {
        weir_timer_set(worker->leave, 0);
    }
}

static void leave(struct worker *worker)
{
    bool is_member = worker->incarnation != WORKER_NOT_JOINED;
    worker->phase = WORKER_LEAVING;
    worker->leave = weir_timer_new(worker->loop, end_children, worker);
    weir_timer_set(worker->leave, is_member ? LEFT_WAIT_MS : 0);
    if (is_member) {
        facts_left(worker, on_left_delivered, worker);
    }
}

/* ---- draining ---- */

static bool is_taking(const struct weir_worker_row *row)
{
    return row->state == WEIR_WORKER_STATE_READY;
}

static bool has_heir(const struct worker *worker)
{
    const struct weir_ledger *ledger = weir_follower_ledger(worker->follower);
    const struct weir_worker_row *row;
    for (size_t at = 0; weir_ledger_next_worker(ledger, &at, &row);) {
        if (is_taking(row) && !weir_id_equal(&row->worker_id, &worker->worker_id)) {
            return true;
        }
    }
    return false;
}

/* Why there is nothing to wait for any more; NULL: there is. */
static const char *why_leave(const struct worker *worker, enum weir_worker_state state)
{
    int64_t waited_ms = worker_now_ms() - worker->drain_since_ms;
    bool is_draining = state == WEIR_WORKER_STATE_DRAINING;
    if (weir_map_count(worker->streams) == 0 && weir_map_count(worker->leases) == 0) {
        return "nothing runs here";
    }
    if (state == WEIR_WORKER_STATE_DRAINED) {
        return "everything has moved";
    }
    if (waited_ms >= worker->settings->drain_s * 1000) {
        return "it took too long";
    }
    if (!has_heir(worker)) {
        return "no other worker takes streams";
    }
    return !is_draining && waited_ms >= DRAIN_HEARD_MS ? "nobody answers" : NULL;
}

static void tend_drain(struct worker *worker)
{
    const struct weir_worker_row *row =
        weir_ledger_worker(weir_follower_ledger(worker->follower), &worker->worker_id);
    bool is_member = worker->phase == WORKER_MEMBER && row && worker->is_caught_up;
    const char *why = is_member ? why_leave(worker, row->state) : "it is no member of the cell";
    if (why) {
        weir_log(WEIR_LOG_INFO, "leaving", "why", why, NULL);
        worker->drain_since_ms = 0;
        leave(worker);
    } else if (is_taking(row) && worker_now_ms() - worker->draining_said_at_ms >= DRAIN_REPEAT_MS) {
        worker->draining_said_at_ms = worker_now_ms();
        facts_draining(worker);
    }
}

void member_drain(void *ctx)
{
    struct worker *worker = ctx;
    worker->drain_since_ms = worker_now_ms();
    worker->draining_said_at_ms = worker->drain_since_ms - DRAIN_REPEAT_MS;
    tend_drain(worker);
}

void member_farewell(struct worker *worker)
{
    if (worker->incarnation != WORKER_NOT_JOINED && worker->phase != WORKER_LEAVING) {
        facts_left(worker, NULL, NULL);
    }
}
