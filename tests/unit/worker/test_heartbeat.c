/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/worker.h"

#define NOW 50000

struct cell {
    struct worker worker;
    struct stream stream[3];
    struct lease lease[2];
    struct weir_arena *arena;
};

static int set_up(void **state)
{
    static struct cell cell;
    cell = (struct cell){.arena = weir_arena_new(0)};
    cell.worker.leases = weir_map_new(sizeof(struct weir_id));
    cell.worker.streams = weir_map_new(sizeof(struct weir_id));
    cell.worker.incarnation = 42;
    cell.worker.beat_seq = 7;
    cell.worker.load.cpu_milli_cap = 2000;
    for (uint8_t i = 0; i < 3; i++) {
        cell.stream[i].row.stream_id.b[15] = i;
        cell.stream[i].row.generation = 100 + i;
        cell.stream[i].row.state = WEIR_STREAM_STATE_RUNNING;
        cell.stream[i].said = PLAN_SAID_STARTED;
        cell.stream[i].is_wanted = true;
        weir_map_put(cell.worker.streams, cell.stream[i].row.stream_id.b, &cell.stream[i]);
    }
    for (uint8_t i = 0; i < 2; i++) {
        cell.lease[i].row.camera_id.b[15] = i;
        cell.lease[i].row.lease_generation = 5;
        cell.lease[i].is_wanted = cell.lease[i].is_given = true;
        weir_map_put(cell.worker.leases, cell.lease[i].row.camera_id.b, &cell.lease[i]);
    }
    *state = &cell;
    return 0;
}

static int tear_down(void **state)
{
    struct cell *cell = *state;
    weir_map_free(cell->worker.leases);
    weir_map_free(cell->worker.streams);
    weir_arena_free(cell->arena);
    return 0;
}

static struct weir_ev_heartbeat fill(struct cell *cell)
{
    struct weir_ev_heartbeat beat;
    heartbeat_fill(&cell->worker, NOW, cell->arena, &beat);
    return beat;
}

static void it_tells_who_sends_it_and_how_loaded_it_is(void **state)
{
    struct weir_ev_heartbeat beat = fill(*state);
    assert_int_equal(beat.incarnation, 42);
    assert_int_equal(beat.seq, 7);
    assert_int_equal(beat.load.cpu_milli_cap, 2000);
    assert_int_equal(beat.n_streams, 3);
    assert_int_equal(beat.n_leases, 2);
}

static void a_streams_state_is_what_the_worker_did_about_it(void **state)
{
    struct cell *cell = *state;
    cell->stream[0].said = PLAN_SAID_STARTING;
    cell->stream[1].said = PLAN_SAID_FAILING;
    cell->stream[2].row.state = WEIR_STREAM_STATE_STOPPING;
    struct weir_ev_heartbeat beat = fill(cell);
    assert_int_equal(beat.streams[0].state, WEIR_EV_HEARTBEAT_STREAMS_STATE_STARTING);
    assert_int_equal(beat.streams[1].state, WEIR_EV_HEARTBEAT_STREAMS_STATE_BACKOFF);
    assert_int_equal(beat.streams[2].state, WEIR_EV_HEARTBEAT_STREAMS_STATE_STOPPING);
}

static void what_ended_is_not_listed(void **state)
{
    struct cell *cell = *state;
    cell->stream[0].said = PLAN_SAID_EXITED;
    cell->stream[1].is_wanted = false;
    cell->lease[0].is_released = true;
    struct weir_ev_heartbeat beat = fill(cell);
    assert_int_equal(beat.n_streams, 1);
    assert_int_equal(beat.streams[0].generation, 102);
    assert_int_equal(beat.n_leases, 1);
}

static void a_request_gets_older_until_the_next_one(void **state)
{
    struct cell *cell = *state;
    cell->stream[1].has_request = true;
    cell->stream[1].requested_at_ms = NOW - 1234;
    struct weir_ev_heartbeat beat = fill(cell);
    assert_false(beat.streams[0].has_last_request_age_ms);
    assert_true(beat.streams[1].has_last_request_age_ms);
    assert_int_equal(beat.streams[1].last_request_age_ms, 1234);
}

static void a_leases_state_is_its_sources(void **state)
{
    struct cell *cell = *state;
    cell->lease[0].is_up = true;
    cell->lease[0].ring_ms = 9000;
    cell->lease[1].is_failing = true;
    struct weir_ev_heartbeat beat = fill(cell);
    assert_int_equal(beat.leases[0].state, WEIR_EV_HEARTBEAT_LEASES_STATE_UP);
    assert_int_equal(beat.leases[0].ring_ms, 9000);
    assert_int_equal(beat.leases[1].state, WEIR_EV_HEARTBEAT_LEASES_STATE_FAILING);
}

static void longer_lists_than_the_schema_allows_are_cut(void **state)
{
    struct cell *cell = *state;
    static struct stream many[WEIR_EV_HEARTBEAT_STREAMS_MAX + 5];
    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
        many[i] = cell->stream[0];
        many[i].row.stream_id.b[0] = 1;
        many[i].row.stream_id.b[1] = (uint8_t)(i >> 8);
        many[i].row.stream_id.b[2] = (uint8_t)i;
        weir_map_put(cell->worker.streams, many[i].row.stream_id.b, &many[i]);
    }
    struct weir_ev_heartbeat beat = fill(cell);
    assert_int_equal(beat.n_streams, WEIR_EV_HEARTBEAT_STREAMS_MAX);
}

#define IN_CELL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_CELL(it_tells_who_sends_it_and_how_loaded_it_is),
        IN_CELL(a_streams_state_is_what_the_worker_did_about_it),
        IN_CELL(what_ended_is_not_listed),
        IN_CELL(a_request_gets_older_until_the_next_one),
        IN_CELL(a_leases_state_is_its_sources),
        IN_CELL(longer_lists_than_the_schema_allows_are_cut),
    };
    return cmocka_run_group_tests_name("worker heartbeat", tests, NULL, NULL);
}
