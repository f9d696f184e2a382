/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random life of a cell: whatever comes in, in whatever order, each decision must fit the ledger,
 * keep the promises of DESIGN sections 2 to 4, and come out the same again.
 */
#include "scheduler/core.h"

#include <stdlib.h>

#include "lib/base/str.h"
#include "lib/domain/stream_state.h"
#include "tests/unit/check.h"

#define T0        ((int64_t)1750000000000)
#define N_WORKERS 4
#define N_STREAMS 12
#define N_CAMERAS 8

struct cell {
    struct core *core;
    struct weir_ledger *ledger;
    int64_t now_ms;
    int64_t facts_next;
    int64_t commands_next;
    int64_t highest_generation[N_STREAMS];
    int64_t highest_seq_base[N_STREAMS];
    unsigned seed;
};

static struct weir_id id_of(uint8_t kind, int n)
{
    return (struct weir_id){{kind, (uint8_t)n, 7}};
}

static int dice(struct cell *cell, int n)
{
    return rand_r(&cell->seed) % n;
}

/* A new placement is newer and its sequence numbers lie above all before. */
static void check_placement(struct cell *cell, const struct weir_ev_decision_effects *e)
{
    int n = e->stream_id.b[1];
    assert_true(e->generation > cell->highest_generation[n]);
    assert_true(cell->highest_generation[n] == 0 || e->seq_base >= cell->highest_seq_base[n] + 64);
    cell->highest_generation[n] = e->generation;
    cell->highest_seq_base[n] = e->seq_base;
}

static void apply(struct cell *cell, const struct weir_ev_decision *decision)
{
    struct weir_err err;
    assert_true(decision->n_effects <= WEIR_EV_DECISION_EFFECTS_MAX);
    assert_true(decision->reason[0] != '\0');
    ASSERT_OK(weir_ledger_apply(cell->ledger, weir_ledger_offset(cell->ledger) + 1, decision, NULL,
                                NULL, &err),
              &err);
    for (size_t i = 0; i < decision->n_effects; i++) {
        if (decision->effects[i].has_placed_at_ms) {
            check_placement(cell, &decision->effects[i]);
        }
    }
}

/* Every placed stream of a settled cell stands on a living incarnation and under its lease. */
static void check_rows(const struct cell *cell)
{
    const struct weir_stream_row *row;
    for (size_t at = 0; weir_ledger_next_stream(cell->ledger, &at, &row);) {
        if (!weir_stream_state_is_placed(row->state)) {
            assert_true(weir_id_is_nil(&row->worker_id));
            continue;
        }
        const struct weir_worker_row *worker = weir_ledger_worker(cell->ledger, &row->worker_id);
        assert_int_equal(worker->incarnation, row->incarnation);
        assert_int_not_equal(worker->state, WEIR_WORKER_STATE_DEAD);
        assert_int_not_equal(worker->state, WEIR_WORKER_STATE_LEFT);
        const struct weir_lease_row *lease = weir_ledger_lease(cell->ledger, &row->camera_id);
        assert_int_equal(lease->state, WEIR_LEASE_STATE_ACTIVE);
        assert_true(weir_id_equal(&lease->worker_id, &row->worker_id));
    }
}

static void settle(struct cell *cell)
{
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_ev_decision decision;
    core_inputs_live(cell->core, cell->now_ms);
    for (int i = 0; core_due(cell->core, cell->ledger, cell->now_ms, arena, &decision); i++) {
        assert_true(i < 100);
        apply(cell, &decision);
        weir_arena_reset(arena);
    }
    weir_arena_free(arena);
    check_rows(cell);
}

static void give(struct cell *cell, const struct weir_event *event, int64_t offset)
{
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_ev_decision decision;
    core_observe(cell->core, event, cell->now_ms);
    const struct core_input input = {.event = event, .offset = offset};
    if (core_input(cell->core, cell->ledger, &input, cell->now_ms, arena, &decision)) {
        apply(cell, &decision);
    }
    weir_arena_free(arena);
    settle(cell);
}

static void random_command(struct cell *cell)
{
    struct weir_event event = {.type = WEIR_EV_COMMAND_START};
    int n = dice(cell, N_STREAMS);
    struct weir_id command_id = id_of(9, (int)(cell->commands_next % 200));
    command_id.b[5] = (uint8_t)(cell->commands_next / 200);
    if (dice(cell, 3) > 0) {
        event.u.command_start = (struct weir_ev_command_start){
            .command_id = command_id,
            .tenant_id = id_of(1, 0),
            .stream_id = id_of(2, n),
            .camera_id = id_of(3, n % N_CAMERAS),
            .expires_at_ms = cell->now_ms + 1000 - dice(cell, 20) / 19 * 5000,
        };
    } else if (dice(cell, 2) == 0) {
        event.type = WEIR_EV_COMMAND_STOP;
        event.u.command_stop = (struct weir_ev_command_stop){.command_id = command_id,
                                                             .tenant_id = id_of(1, 0),
                                                             .stream_id = id_of(2, n),
                                                             .reason = "stop_asked",
                                                             .expires_at_ms = cell->now_ms + 1000};
    } else {
        const struct weir_id stream_id = id_of(2, n);
        const struct weir_stream_row *row = weir_ledger_stream(cell->ledger, &stream_id);
        event.type = WEIR_EV_COMMAND_IDLE;
        event.u.command_idle =
            (struct weir_ev_command_idle){.command_id = command_id,
                                          .tenant_id = id_of(1, 0),
                                          .stream_id = stream_id,
                                          .generation = row != NULL ? row->generation : 0,
                                          .timeout_ms = 2000,
                                          .expires_at_ms = cell->now_ms + 1000};
    }
    give(cell, &event, cell->commands_next++);
}

static void random_membership(struct cell *cell)
{
    struct weir_event event = {.type = WEIR_EV_FACT_JOINED};
    struct weir_id worker_id = id_of(4, dice(cell, N_WORKERS));
    const struct weir_worker_row *row = weir_ledger_worker(cell->ledger, &worker_id);
    if (row != NULL && dice(cell, 4) == 0) {
        event.type = WEIR_EV_FACT_LEFT;
        event.u.fact_left.worker_id = worker_id;
        event.u.fact_left.incarnation = row->incarnation;
    } else {
        event.u.fact_joined = (struct weir_ev_fact_joined){
            .worker_id = worker_id,
            .boot_id = id_of(5, dice(cell, 3)),
            .origin_url = "http://w",
            .capacity = {.cpu_milli = 1000, .mem_mib = 1000, .net_kbps = 100000},
            .streams_max = 1 + dice(cell, 6),
        };
    }
    give(cell, &event, cell->facts_next++);
}

static void random_fact(struct cell *cell)
{
    struct weir_id stream_id = id_of(2, dice(cell, N_STREAMS));
    const struct weir_stream_row *row = weir_ledger_stream(cell->ledger, &stream_id);
    if (row == NULL) {
        return;
    }
    static const enum weir_ev_type types[] = {
        WEIR_EV_FACT_STARTING, WEIR_EV_FACT_STARTED,       WEIR_EV_FACT_FAILING,
        WEIR_EV_FACT_EXITED,   WEIR_EV_FACT_STILL_WATCHED,
    };
    struct weir_event event = {.type = types[dice(cell, 5)]};
    int64_t generation = row->generation - (dice(cell, 5) == 0);
    /* These five begin alike: worker, incarnation, tenant, stream, generation. */
    event.u.fact_starting = (struct weir_ev_fact_starting){row->worker_id, row->incarnation,
                                                           row->tenant_id, stream_id, generation};
    if (event.type == WEIR_EV_FACT_FAILING) {
        WEIR_STR_SET(event.u.fact_failing.reason, "source_silent");
        event.u.fact_failing.permanent = dice(cell, 6) == 0;
    }
    give(cell, &event, cell->facts_next++);
}

static void random_heartbeat(struct cell *cell)
{
    struct weir_id worker_id = id_of(4, dice(cell, N_WORKERS));
    const struct weir_worker_row *worker = weir_ledger_worker(cell->ledger, &worker_id);
    if (worker == NULL) {
        return;
    }
    struct weir_ev_heartbeat_streams streams[N_STREAMS];
    struct weir_event event = {.type = WEIR_EV_HEARTBEAT};
    struct weir_ev_heartbeat *beat = &event.u.heartbeat;
    beat->worker_id = worker_id;
    beat->incarnation = worker->incarnation;
    beat->load.cpu_milli_used = dice(cell, 900);
    beat->streams = streams;
    const struct weir_stream_row *row;
    for (size_t at = 0; weir_ledger_next_stream(cell->ledger, &at, &row);) {
        if (weir_id_equal(&row->worker_id, &worker_id) && dice(cell, 10) > 0) {
            streams[beat->n_streams++] = (struct weir_ev_heartbeat_streams){
                .stream_id = row->stream_id,
                .generation = row->generation,
                .state = WEIR_EV_HEARTBEAT_STREAMS_STATE_RUNNING,
            };
        }
    }
    core_observe(cell->core, &event, cell->now_ms);
    settle(cell);
}

static void random_config(struct cell *cell)
{
    struct weir_event event = {.type = WEIR_EV_CONFIG_CAMERA};
    event.u.config_camera = (struct weir_ev_config_camera){
        .tenant_id = id_of(1, 0),
        .camera_id = id_of(3, dice(cell, N_CAMERAS)),
        .version = cell->now_ms - T0 + 1,
        .deleted = dice(cell, 5) == 0,
        .warm = dice(cell, 2) == 0,
    };
    core_observe(cell->core, &event, cell->now_ms);
    settle(cell);
}

static void step(struct cell *cell)
{
    cell->now_ms += dice(cell, 400);
    int what = dice(cell, 20);
    if (what < 5) {
        random_command(cell);
    } else if (what < 6) {
        random_membership(cell);
    } else if (what < 11) {
        random_fact(cell);
    } else if (what < 19) {
        random_heartbeat(cell);
    } else {
        random_config(cell);
    }
}

static uint64_t live(unsigned seed, int steps)
{
    struct cell cell = {.now_ms = T0, .seed = seed};
    struct core_config config = core_defaults;
    config.seed = seed;
    config.queue_max = 5;
    config.tap_linger_ms = 2000;
    cell.core = core_new(&config, cell.now_ms);
    cell.ledger = weir_ledger_new();
    for (int i = 0; i < steps; i++) {
        step(&cell);
    }
    uint64_t hash = weir_ledger_hash(cell.ledger);
    core_free(cell.core);
    weir_ledger_free(cell.ledger);
    return hash;
}

static void random_lives_keep_every_promise(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 60; seed++) {
        live(seed, 1500);
    }
}

static void the_same_inputs_give_the_same_ledger(void **state)
{
    (void)state;
    assert_true(live(7, 2000) == live(7, 2000));
    assert_true(live(7, 2000) != live(8, 2000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_lives_keep_every_promise),
        cmocka_unit_test(the_same_inputs_give_the_same_ledger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
