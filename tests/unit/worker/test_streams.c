/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "worker/worker.h"

/* A worker with one stream of one camera, two engines that are up, and a tap that sleeps. */
struct cell {
    struct worker worker;
    struct worker_settings settings;
    struct slot slot[2];
    struct lease lease;
    char program[64];
    struct weir_stream_row row;
};

static void stop(void *ctx)
{
    struct cell *cell = ctx;
    weir_loop_stop(cell->worker.loop);
}

static void ignore_line(void *ctx, const struct weir_ctl *ctl)
{
    (void)ctx;
    (void)ctl;
}

static void start_tap(struct cell *cell)
{
    snprintf(cell->program, sizeof(cell->program), "/tmp/weir-tap-XXXXXX");
    int fd = mkstemp(cell->program);
    assert_true(fd >= 0);
    assert_true(dprintf(fd, "#!/bin/sh\nexec sleep 60\n") > 0);
    assert_int_equal(fchmod(fd, 0700), 0);
    close(fd);
    cell->worker.tap = child_new(&(struct child_config){.name = "test-tap",
                                                        .path = cell->program,
                                                        .loop = cell->worker.loop,
                                                        .on_start = stop,
                                                        .on_line = ignore_line,
                                                        .on_exit = stop,
                                                        .ctx = cell});
    weir_loop_run(cell->worker.loop);
    assert_true(child_is_up(cell->worker.tap));
}

static int set_up(void **state)
{
    static struct cell cell;
    const struct weir_bus_producer_config facts = {
        .brokers = "127.0.0.1:1", .client_id = "test", .delivery_timeout_ms = 1000};
    weir_log_init("test", WEIR_LOG_ERROR);
    cell = (struct cell){
        .row = {.incarnation = 42, .generation = 7, .state = WEIR_STREAM_STATE_PLACED}};
    struct worker *worker = &cell.worker;
    worker->settings = &cell.settings;
    worker->incarnation = 42;
    worker->loop = weir_loop_new();
    worker->leases = weir_map_new(sizeof(struct weir_id));
    worker->streams = weir_map_new(sizeof(struct weir_id));
    worker->pass = weir_timer_new(worker->loop, stop, &cell);
    if (weir_bus_producer_open(&facts, &worker->facts, NULL) != WEIR_OK) {
        return -1;
    }
    slots_init(&worker->slots, &(struct slot_config){.loop = worker->loop}, 8);
    for (int i = 0; i < 2; i++) {
        cell.slot[i].state = SLOT_UP;
        cell.slot[i].empty_since_mono_ms = weir_clock_mono_ms();
        worker->slots.slots[i] = &cell.slot[i];
    }
    cell.lease.is_given = cell.lease.is_up = true;
    weir_map_put(worker->leases, cell.row.camera_id.b, &cell.lease);
    start_tap(&cell);
    worker->origin = worker->tap;
    *state = &cell;
    return 0;
}

static int tear_down(void **state)
{
    struct cell *cell = *state;
    struct worker *worker = &cell->worker;
    streams_drop_all(worker);
    weir_bus_producer_close(&worker->facts, 0);
    child_free(worker->tap);
    weir_timer_free(&worker->pass);
    weir_loop_free(worker->loop);
    weir_map_free(worker->leases);
    weir_map_free(worker->streams);
    unlink(cell->program);
    return 0;
}

static const struct stream *find(const struct cell *cell)
{
    return weir_map_find(cell->worker.streams, cell->row.stream_id.b);
}

static void tell(struct cell *cell, enum weir_ctl_tap_stream_state state)
{
    const struct weir_ctl_tap_stream line = {.generation = 7, .state = state};
    streams_take_publish_state(&cell->worker, &line);
}

/* Passes for `ms`. */
static void pass_for(struct cell *cell, int64_t ms)
{
    for (int64_t end = weir_clock_mono_ms() + ms; weir_clock_mono_ms() < end; usleep(20000)) {
        streams_pass(&cell->worker);
    }
}

static void a_stream_whose_publisher_failed_is_published_again(void **state)
{
    struct cell *cell = *state;
    streams_take_row(&cell->worker, &cell->row);
    pass_for(cell, 50);
    assert_int_equal(find(cell)->run, 1);
    tell(cell, WEIR_CTL_TAP_STREAM_STATE_PUBLISHING);
    pass_for(cell, 50);
    tell(cell, WEIR_CTL_TAP_STREAM_STATE_FAILING);
    pass_for(cell, 50);
    assert_int_equal(find(cell)->said, PLAN_SAID_FAILING);
    assert_int_equal(find(cell)->run, 1);
    pass_for(cell, 1200);
    assert_int_equal(find(cell)->run, 2);
    assert_non_null(find(cell)->slot);
    assert_int_equal(cell->slot[0].n_streams + cell->slot[1].n_streams, 1);
}

static void a_publisher_that_fails_again_waits_longer(void **state)
{
    struct cell *cell = *state;
    streams_take_row(&cell->worker, &cell->row);
    pass_for(cell, 50);
    tell(cell, WEIR_CTL_TAP_STREAM_STATE_FAILING);
    pass_for(cell, 1200);
    assert_int_equal(find(cell)->run, 2);
    /* Nothing is well yet: the reason stays told. */
    assert_true(find(cell)->is_publish_failing);
    tell(cell, WEIR_CTL_TAP_STREAM_STATE_FAILING);
    pass_for(cell, 1050);
    assert_int_equal(find(cell)->run, 2);
    pass_for(cell, 1200);
    assert_int_equal(find(cell)->run, 3);
}

static void a_ceiling_that_makes_another_picture_publishes_it_anew(void **state)
{
    struct cell *cell = *state;
    cell->lease.has_source = true;
    cell->lease.source.ceiling = (struct weir_ceiling){WEIR_QUALITY_HIGH, 0};
    cell->row.quality = WEIR_QUALITY_MEDIUM;
    streams_take_row(&cell->worker, &cell->row);
    pass_for(cell, 50);
    tell(cell, WEIR_CTL_TAP_STREAM_STATE_PUBLISHING);
    assert_int_equal(find(cell)->run, 1);
    assert_int_equal(find(cell)->ceiling.quality, WEIR_QUALITY_HIGH);
    /* Still above the stream: nobody's picture is touched. */
    cell->lease.source.ceiling.fps = 0;
    cell->lease.source.ceiling.quality = WEIR_QUALITY_MEDIUM;
    pass_for(cell, 50);
    assert_int_equal(find(cell)->run, 1);
    cell->lease.source.ceiling.fps = 10;
    pass_for(cell, 50);
    assert_int_equal(find(cell)->run, 2);
    assert_int_equal(find(cell)->ceiling.fps, 10);
    pass_for(cell, 50);
    assert_int_equal(find(cell)->run, 2);
    /* And back, when it is lifted. */
    cell->lease.source.ceiling = (struct weir_ceiling){WEIR_QUALITY_SOURCE, 0};
    pass_for(cell, 50);
    assert_int_equal(find(cell)->run, 3);
    /* What is not known just now is no reason. */
    cell->lease.has_source = false;
    cell->lease.source.ceiling = (struct weir_ceiling){WEIR_QUALITY_LOW, 1};
    pass_for(cell, 50);
    assert_int_equal(find(cell)->run, 3);
}

static void tell_how(struct cell *cell, enum weir_rendition_how how)
{
    const struct weir_ctl_tap_stream line = {.generation = 7,
                                             .state = WEIR_CTL_TAP_STREAM_STATE_PUBLISHING,
                                             .has_effective = true,
                                             .effective = {.how = how}};
    streams_take_publish_state(&cell->worker, &line);
}

static void a_stream_of_another_source_does_not_fail_with_main(void **state)
{
    struct cell *cell = *state;
    streams_take_row(&cell->worker, &cell->row);
    pass_for(cell, 50);
    tell_how(cell, WEIR_RENDITION_HOW_PROFILE);
    cell->lease.is_up = false;
    cell->lease.is_failing = true;
    pass_for(cell, 50);
    assert_int_equal(find(cell)->said, PLAN_SAID_STARTING);
    /* It is made of main from now on. */
    tell_how(cell, WEIR_RENDITION_HOW_TRANSCODE);
    pass_for(cell, 50);
    assert_int_equal(find(cell)->said, PLAN_SAID_FAILING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stream_whose_publisher_failed_is_published_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_ceiling_that_makes_another_picture_publishes_it_anew,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_publisher_that_fails_again_waits_longer, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_stream_of_another_source_does_not_fail_with_main, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
