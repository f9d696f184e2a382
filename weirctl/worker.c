/* SPDX-License-Identifier: Apache-2.0 */
/* The workers of a cell: what they hold, and emptying one of them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/io/bus.h"
#include "lib/service/follower.h"
#include "weirctl/command.h"

#define DELIVERY_MS 10000
#define LIFE_MS     30000

enum what { WHAT_LIST, WHAT_DRAIN, WHAT_UNDRAIN };

struct work {
    const struct ctl_settings *settings;
    FILE *out;
    enum what what;
    struct weir_id worker_id;
    struct weir_id command_id;
    struct weir_loop *loop;
    struct weir_follower *follower;
    struct weir_err *err;
    enum weir_code code;
};

static void end(struct work *work, enum weir_code code)
{
    work->code = code;
    weir_loop_stop(work->loop);
}

/* ---- listing ---- */

struct held {
    int64_t streams;
    int64_t coming; /* streams on their way to it */
    int64_t cameras;
};

static struct held count(const struct weir_ledger *ledger, const struct weir_id *worker_id)
{
    struct held held = {0};
    const struct weir_stream_row *stream;
    for (size_t at = 0; weir_ledger_next_stream(ledger, &at, &stream);) {
        held.streams += weir_id_equal(&stream->worker_id, worker_id);
        held.coming += weir_id_equal(&stream->second.worker_id, worker_id);
    }
    const struct weir_lease_row *lease;
    for (size_t at = 0; weir_ledger_next_lease(ledger, &at, &lease);) {
        held.cameras += weir_id_equal(&lease->worker_id, worker_id) ||
                        weir_id_equal(&lease->second.worker_id, worker_id);
    }
    return held;
}

static void list(struct work *work)
{
    const struct weir_ledger *ledger = weir_follower_ledger(work->follower);
    const struct weir_worker_row *row;
    fprintf(work->out, "%-36s  %-8s  %7s  %6s  %7s  %s\n", "worker", "state", "streams", "coming",
            "cameras", "reason");
    for (size_t at = 0; weir_ledger_next_worker(ledger, &at, &row);) {
        struct held held = count(ledger, &row->worker_id);
        fprintf(work->out, "%s  %-8s  %7" PRId64 "  %6" PRId64 "  %7" PRId64 "  %s\n",
                WEIR_ID_TEXT(&row->worker_id), weir_worker_state_name(row->state), held.streams,
                held.coming, held.cameras, row->reason);
    }
    end(work, WEIR_OK);
}

/* ---- asking ---- */

static void on_delivery(void *ctx, const struct weir_bus_delivery *delivery)
{
    enum weir_code *code = ctx;
    *code = delivery->code;
}

static enum weir_code send(struct work *work, const struct weir_bus_record *record,
                           struct weir_err *err)
{
    const struct weir_bus_producer_config config = {.brokers = work->settings->kafka,
                                                    .client_id = "weirctl",
                                                    .kind = WEIR_BUS_DURABLE,
                                                    .delivery_timeout_ms = DELIVERY_MS};
    struct weir_bus_producer *producer = NULL;
    enum weir_code outcome = WEIR_EUNKNOWN;
    enum weir_code code = weir_bus_producer_open(&config, &producer, err);
    if (code == WEIR_OK)
        code = weir_bus_producer_send(producer, record, on_delivery, &outcome, err);
    weir_bus_producer_close(&producer, DELIVERY_MS);
    return code == WEIR_OK && outcome != WEIR_OK
               ? weir_fail(err, outcome, "it is not known whether the log took the command")
               : code;
}

static enum weir_code ask(struct work *work, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_event event = {.type = WEIR_EV_COMMAND_DRAIN, .time_ms = weir_clock_wall_ms()};
    struct weir_ev_command_drain *command = &event.u.command_drain;
    char key[WEIR_ID_TEXT_MAX];
    event.id = work->command_id;
    WEIR_STR_SET(event.source, "/weir/weirctl");
    WEIR_STR_SET(event.subject, weir_id_format(&work->worker_id, key));
    command->command_id = work->command_id;
    command->worker_id = work->worker_id;
    command->is_on = work->what == WHAT_DRAIN;
    command->issued_at_ms = event.time_ms;
    command->expires_at_ms = event.time_ms + LIFE_MS;
    command->has_actor = true;
    WEIR_STR_SET(command->actor, "weirctl");
    const char *bytes;
    size_t len;
    enum weir_code code = weir_ev_dump(&event, arena, &bytes, &len, err);
    const struct weir_bus_record record = {.topic = WEIR_TOPIC_COMMANDS,
                                           .partition = (int32_t)work->settings->cell,
                                           .key = key,
                                           .key_len = strlen(key),
                                           .value = bytes,
                                           .value_len = len};
    return code == WEIR_OK ? send(work, &record, err) : code;
}

/* ---- following ---- */

static void on_caught_up(void *ctx)
{
    struct work *work = ctx;
    if (work->what == WHAT_LIST) {
        list(work);
        return;
    }
    if (!weir_id_is_nil(&work->command_id))
        return; /* the log was read anew; the command is on its way */
    work->command_id = weir_id_new(weir_clock_wall_ms());
    enum weir_code code = ask(work, work->err);
    if (code != WEIR_OK)
        end(work, code);
}

static void on_decision(void *ctx, const struct weir_follower_decision *read)
{
    struct work *work = ctx;
    const struct weir_ev_decision *decision = read->decision;
    if (!decision->has_command_id || weir_id_is_nil(&work->command_id) ||
        !weir_id_equal(&decision->command_id, &work->command_id))
        return;
    if (decision->outcome == WEIR_EV_DECISION_OUTCOME_REFUSED) {
        end(work, weir_fail(work->err, WEIR_ECONFLICT, "refused: %s", decision->reason));
        return;
    }
    fprintf(work->out, "%s: %s\n", WEIR_ID_TEXT(&work->worker_id), decision->reason);
    end(work, WEIR_OK);
}

static void on_timeout(void *ctx)
{
    struct work *work = ctx;
    end(work, weir_fail(work->err, WEIR_ETIMEOUT,
                        weir_id_is_nil(&work->command_id) ? "the decision log cannot be read"
                                                          : "no scheduler decided in time"));
}

static enum weir_code run(struct work *work, struct weir_err *err)
{
    const struct weir_follower_config config = {.brokers = work->settings->kafka,
                                                .client_id = "weirctl",
                                                .cell = (int32_t)work->settings->cell,
                                                .loop = work->loop,
                                                .on_decision = on_decision,
                                                .on_caught_up = on_caught_up,
                                                .ctx = work};
    enum weir_code code = weir_follower_open(&config, &work->follower, err);
    if (code == WEIR_OK) {
        struct weir_timer *timeout = weir_timer_new(work->loop, on_timeout, work);
        weir_timer_set(timeout, work->settings->timeout_ms);
        weir_loop_run(work->loop);
        weir_timer_free(&timeout);
        code = work->code;
    }
    weir_follower_close(&work->follower);
    return code;
}

static enum weir_code begin(const struct ctl_settings *settings, FILE *out, enum what what,
                            struct weir_err *err)
{
    struct work work = {.settings = settings, .out = out, .what = what, .err = err};
    if (what != WHAT_LIST) {
        enum weir_code code =
            weir_id_parse(settings->worker, strlen(settings->worker), &work.worker_id, err);
        if (code != WEIR_OK)
            return weir_fail_in(err, code, "--worker");
    }
    work.loop = weir_loop_new();
    enum weir_code code = run(&work, err);
    weir_loop_free(work.loop);
    return code;
}

enum weir_code ctl_worker_list(const struct ctl_settings *settings, FILE *out, struct weir_err *err)
{
    return begin(settings, out, WHAT_LIST, err);
}

enum weir_code ctl_worker_drain(const struct ctl_settings *settings, FILE *out,
                                struct weir_err *err)
{
    return begin(settings, out, WHAT_DRAIN, err);
}

enum weir_code ctl_worker_undrain(const struct ctl_settings *settings, FILE *out,
                                  struct weir_err *err)
{
    return begin(settings, out, WHAT_UNDRAIN, err);
}
