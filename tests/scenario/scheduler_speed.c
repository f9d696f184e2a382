/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast the core decides in a full cell: 100 workers, 2000 streams that play, then starts and
 * stops as they come, with what is due after each. Prints CPU time; judges nothing but the result.
 *
 *     scenario_speed [STARTS]
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/str.h"
#include "lib/domain/stream_state.h"
#include "tests/scenario/scheduler_world.h"

#define N_WORKERS 100
#define N_STREAMS 2000

static int64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct weir_id named(struct world *world, const char *kind, int64_t i)
{
    char name[40];
    snprintf(name, sizeof(name), "%s%lld", kind, (long long)i);
    return world_id(world, name);
}

static void join(struct world *world, int64_t i)
{
    struct weir_event event = {.type = WEIR_EV_FACT_JOINED};
    struct weir_ev_fact_joined *fact = &event.u.fact_joined;
    fact->worker_id = named(world, "worker", i);
    fact->boot_id = named(world, "boot", i);
    WEIR_STR_SET(fact->origin_url, "http://worker:9000");
    WEIR_STR_SET(fact->version, "1");
    fact->capacity =
        (struct weir_capacity){.cpu_milli = 32000, .mem_mib = 64000, .net_kbps = 10000000};
    fact->streams_max = 1000;
    world_input(world, &event);
}

static void start(struct world *world, int64_t i)
{
    struct weir_event event = {.type = WEIR_EV_COMMAND_START};
    struct weir_ev_command_start *command = &event.u.command_start;
    command->command_id = named(world, "start", i);
    command->tenant_id = named(world, "tenant", i % 20);
    command->stream_id = named(world, "stream", i);
    command->camera_id = named(world, "camera", i);
    command->class = 1;
    command->issued_at_ms = world->now_ms;
    command->expires_at_ms = world->now_ms + 30000;
    world_input(world, &event);
}

static void started(struct world *world, int64_t i)
{
    struct weir_id id = named(world, "stream", i);
    const struct weir_stream_row *row = weir_ledger_stream(world->ledger, &id);
    assert(row != NULL && row->state == WEIR_STREAM_STATE_PLACED);
    struct weir_event event = {.type = WEIR_EV_FACT_STARTED};
    event.u.fact_started = (struct weir_ev_fact_started){.worker_id = row->worker_id,
                                                         .incarnation = row->incarnation,
                                                         .tenant_id = row->tenant_id,
                                                         .stream_id = row->stream_id,
                                                         .generation = row->generation};
    world_input(world, &event);
}

static void report(const char *what, int64_t n, int64_t took_us)
{
    printf("%s: %lld in %lld ms of CPU, %lld us each, %lld/s\n", what, (long long)n,
           (long long)(took_us / 1000), (long long)(took_us / n),
           (long long)(n * 1000000 / (took_us + 1)));
}

int main(int argc, char **argv)
{
    int64_t n = 500;
    if (argc > 1) {
        WEIR_IGNORE(weir_str_to_int(argv[1], 1, 100000, &n, NULL), "then it is 500");
    }
    FILE *out = fopen("/dev/null", "w");
    struct world *world = world_new(out);
    for (int64_t i = 0; i < N_WORKERS; i++) {
        join(world, i);
    }
    int64_t began_us = cpu_us();
    for (int64_t i = 0; i < N_STREAMS; i++) {
        start(world, i);
        started(world, i);
    }
    report("filling", N_STREAMS, cpu_us() - began_us);
    began_us = cpu_us();
    for (int64_t i = N_STREAMS; i < N_STREAMS + n; i++) {
        start(world, i);
    }
    report("starts in a full cell", n, cpu_us() - began_us);
    began_us = cpu_us();
    for (int64_t i = N_STREAMS; i < N_STREAMS + n; i++) {
        started(world, i);
    }
    report("facts in a full cell", n, cpu_us() - began_us);
    began_us = cpu_us();
    for (int i = 0; i < 10; i++) {
        world->now_ms += 200;
        world_due(world);
    }
    report("looks at all rows", 10, cpu_us() - began_us);
    bool is_good = world_check(world);
    world_free(world);
    fclose(out);
    return is_good ? 0 : 1;
}
