/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random worlds for the scheduler's core: workers that die, are cut off, restart and are drained,
 * cameras and streams that come and go, leaders that change; all from a seed, so that a world that
 * fails can be played again. What must always hold is checked after every step:
 *
 *     an exclusive camera is never pulled by two workers at once
 *     generations and sequence offsets of a stream never go back, and no generation is given twice
 *     a placed stream has its camera's lease on its worker
 *     the log, folded, and a checkpoint give the ledger (at the end)
 *
 * and at the end, without faults, every stream that is wanted plays, and a drain comes to its end.
 *
 *     scenario_seeds FIRST COUNT        prints the seed that failed and what did not hold
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "lib/domain/stream_state.h"
#include "tests/scenario/scheduler_world.h"

#define N_WORKERS   4
#define N_CAMERAS   10
#define N_EXCLUSIVE 4 /* the first ones */
#define N_STREAMS   16
#define STEPS       600
#define STEP_MS     250
#define HEAL_STEPS  800
#define FENCE_MS    7000
#define EXPIRES_MS  30000

struct model {
    struct weir_id id;
    bool is_alive;
    int64_t boot;
    int64_t incarnation; /* -1: not joined */
    int64_t cut_until_ms;
    int64_t heard_ms; /* its last heartbeat that came through */
    bool pulls[N_CAMERAS];
};

struct past {
    int64_t generation;
    int64_t last_generation;
    int64_t seq_base;
};

struct run {
    struct world *world;
    uint64_t random;
    uint64_t seed;
    struct model workers[N_WORKERS];
    struct weir_id cameras[N_CAMERAS];
    struct weir_id streams[N_STREAMS];
    struct weir_id tenant_id;
    struct past past[N_STREAMS];
    bool has_faults;
    bool is_bad;
};

static uint64_t draw(struct run *run)
{
    uint64_t z = (run->random += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static bool chance(struct run *run, int per_mille)
{
    return (int)(draw(run) % 1000) < per_mille;
}

static size_t pick(struct run *run, size_t n)
{
    return (size_t)(draw(run) % n);
}

static void complain(struct run *run, const char *fmt, ...) WEIR_PRINTF(2, 3);
static void complain(struct run *run, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "seed %llu, %lld ms: ", (unsigned long long)run->seed,
            (long long)(run->world->now_ms - WORLD_T0));
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\n");
    va_end(args);
    world_show(run->world);
    run->is_bad = true;
}

static struct weir_id fresh_id(struct run *run)
{
    struct weir_id id;
    uint64_t parts[2] = {draw(run), draw(run)};
    memcpy(id.b, parts, sizeof(id.b));
    return id;
}

static const struct weir_stream_row *row_of(const struct run *run, size_t stream)
{
    return weir_ledger_stream(run->world->ledger, &run->streams[stream]);
}

static size_t camera_of(size_t stream)
{
    return stream % N_CAMERAS;
}

/* ---- what workers do ---- */

static void join(struct run *run, struct model *worker)
{
    struct weir_event event = {.type = WEIR_EV_FACT_JOINED};
    struct weir_ev_fact_joined *fact = &event.u.fact_joined;
    worker->boot++;
    fact->worker_id = worker->id;
    fact->boot_id = worker->id;
    memcpy(fact->boot_id.b, &worker->boot, sizeof(worker->boot));
    WEIR_STR_SET(fact->origin_url, "http://worker:9000");
    WEIR_STR_SET(fact->version, "1");
    fact->capacity = (struct weir_capacity){.cpu_milli = 8000, .mem_mib = 8000, .net_kbps = 500000};
    fact->streams_max = 100;
    worker->incarnation = run->world->facts_next;
    memset(worker->pulls, 0, sizeof(worker->pulls));
    world_input(run->world, &event);
}

static bool is_cut(const struct run *run, const struct model *worker)
{
    return run->world->now_ms < worker->cut_until_ms;
}

static bool is_here(const struct model *worker, const struct weir_id *worker_id,
                    int64_t incarnation)
{
    return incarnation == worker->incarnation && weir_id_equal(worker_id, &worker->id);
}

/* What the log says about its cameras, and the answer to what it is to let go. */
static void follow_leases(struct run *run, struct model *worker)
{
    for (size_t i = 0; i < N_CAMERAS; i++) {
        const struct weir_lease_row *row = weir_ledger_lease(run->world->ledger, &run->cameras[i]);
        bool is_first = row != NULL && is_here(worker, &row->worker_id, row->incarnation);
        bool is_second = row != NULL && !weir_id_is_nil(&row->second.worker_id) &&
                         is_here(worker, &row->second.worker_id, row->second.incarnation);
        bool is_releasing = is_first && row->state == WEIR_LEASE_STATE_RELEASING;
        worker->pulls[i] = (is_first && !is_releasing) || is_second;
        if (is_releasing && chance(run, 700)) {
            struct weir_event event = {.type = WEIR_EV_FACT_LEASE_RELEASED};
            event.u.fact_lease_released =
                (struct weir_ev_fact_lease_released){.worker_id = worker->id,
                                                     .incarnation = worker->incarnation,
                                                     .tenant_id = run->tenant_id,
                                                     .camera_id = run->cameras[i],
                                                     .lease_generation = row->lease_generation};
            world_input(run->world, &event);
        }
    }
}

struct side {
    const struct weir_stream_row *row;
    int64_t generation;
    struct model *worker;
};

static void say_started(struct run *run, const struct side *side)
{
    struct weir_event event = {.type = WEIR_EV_FACT_STARTED};
    event.u.fact_started = (struct weir_ev_fact_started){.worker_id = side->worker->id,
                                                         .incarnation = side->worker->incarnation,
                                                         .tenant_id = run->tenant_id,
                                                         .stream_id = side->row->stream_id,
                                                         .generation = side->generation};
    world_input(run->world, &event);
}

static void say_failing(struct run *run, const struct side *side, const char *reason)
{
    struct weir_event event = {.type = WEIR_EV_FACT_FAILING};
    event.u.fact_failing = (struct weir_ev_fact_failing){.worker_id = side->worker->id,
                                                         .incarnation = side->worker->incarnation,
                                                         .tenant_id = run->tenant_id,
                                                         .stream_id = side->row->stream_id,
                                                         .generation = side->generation};
    WEIR_STR_SET(event.u.fact_failing.reason, reason);
    world_input(run->world, &event);
}

static void say_exited(struct run *run, const struct side *side)
{
    struct weir_event event = {.type = WEIR_EV_FACT_EXITED};
    event.u.fact_exited = (struct weir_ev_fact_exited){.worker_id = side->worker->id,
                                                       .incarnation = side->worker->incarnation,
                                                       .tenant_id = run->tenant_id,
                                                       .stream_id = side->row->stream_id,
                                                       .generation = side->generation,
                                                       .reason = "stopped"};
    world_input(run->world, &event);
}

static void live_first(struct run *run, const struct side *side)
{
    enum weir_stream_state state = side->row->state;
    bool is_up = state == WEIR_STREAM_STATE_RUNNING || state == WEIR_STREAM_STATE_MIGRATING;
    if (state == WEIR_STREAM_STATE_STOPPING) {
        if (chance(run, 500)) {
            say_exited(run, side);
        }
    } else if (is_up) {
        if (run->has_faults && chance(run, 4)) {
            say_exited(run, side);
        } else if (run->has_faults && chance(run, 6)) {
            say_failing(run, side, "source_silent");
        }
    } else if (run->has_faults && chance(run, 30)) {
        say_failing(run, side, "source_unreachable");
    } else if (chance(run, 300)) {
        say_started(run, side);
    }
}

static void live_second(struct run *run, const struct side *side)
{
    if (run->has_faults && chance(run, 60)) {
        say_failing(run, side, chance(run, 300) ? "source_busy" : "source_unreachable");
    } else if (chance(run, 250)) {
        say_started(run, side);
    }
}

static void follow_streams(struct run *run, struct model *worker)
{
    for (size_t i = 0; i < N_STREAMS; i++) {
        const struct weir_stream_row *row = row_of(run, i);
        if (row == NULL || !weir_stream_state_is_placed(row->state)) {
            continue;
        }
        struct side side = {.row = row, .generation = row->generation, .worker = worker};
        if (is_here(worker, &row->worker_id, row->incarnation)) {
            live_first(run, &side);
        } else if (is_here(worker, &row->second.worker_id, row->second.incarnation)) {
            side.generation = row->second.generation;
            live_second(run, &side);
        }
    }
}

static void live(struct run *run, struct model *worker)
{
    struct world *world = run->world;
    if (!worker->is_alive) {
        memset(worker->pulls, 0, sizeof(worker->pulls));
        return;
    }
    if (is_cut(run, worker)) {
        for (size_t i = 0; world->now_ms - worker->heard_ms >= FENCE_MS && i < N_EXCLUSIVE; i++) {
            worker->pulls[i] = false;
        }
        return;
    }
    const struct weir_worker_row *row = weir_ledger_worker(world->ledger, &worker->id);
    bool is_member = row != NULL && row->incarnation == worker->incarnation &&
                     row->state != WEIR_WORKER_STATE_DEAD && row->state != WEIR_WORKER_STATE_LEFT;
    if (!is_member) {
        join(run, worker);
    }
    follow_leases(run, worker);
    follow_streams(run, worker);
    if (world->now_ms % 1000 == 0) {
        worker->heard_ms = world->now_ms;
        world_beat(world, &worker->id, NULL, 100);
    }
}

/* ---- what people do ---- */

static void start(struct run *run, size_t stream)
{
    static const enum weir_quality qualities[] = {WEIR_QUALITY_SOURCE, WEIR_QUALITY_LOW};
    struct weir_event event = {.type = WEIR_EV_COMMAND_START};
    struct weir_ev_command_start *command = &event.u.command_start;
    command->command_id = fresh_id(run);
    command->tenant_id = run->tenant_id;
    command->stream_id = run->streams[stream];
    command->camera_id = run->cameras[camera_of(stream)];
    command->quality = qualities[stream / N_CAMERAS];
    command->class = 1;
    command->issued_at_ms = run->world->now_ms;
    command->expires_at_ms = run->world->now_ms + EXPIRES_MS;
    world_input(run->world, &event);
}

static void stop(struct run *run, size_t stream)
{
    struct weir_event event = {.type = WEIR_EV_COMMAND_STOP};
    struct weir_ev_command_stop *command = &event.u.command_stop;
    command->command_id = fresh_id(run);
    command->tenant_id = run->tenant_id;
    command->stream_id = run->streams[stream];
    WEIR_STR_SET(command->reason, "stop_asked");
    command->issued_at_ms = run->world->now_ms;
    command->expires_at_ms = run->world->now_ms + EXPIRES_MS;
    world_input(run->world, &event);
}

static void drain(struct run *run, const struct model *worker, bool is_on)
{
    struct weir_event event = {.type = WEIR_EV_COMMAND_DRAIN};
    struct weir_ev_command_drain *command = &event.u.command_drain;
    command->command_id = fresh_id(run);
    command->worker_id = worker->id;
    command->is_on = is_on;
    command->issued_at_ms = run->world->now_ms;
    command->expires_at_ms = run->world->now_ms + EXPIRES_MS;
    world_input(run->world, &event);
}

static void act(struct run *run)
{
    struct model *worker = &run->workers[pick(run, N_WORKERS)];
    if (chance(run, 100)) {
        start(run, pick(run, N_STREAMS));
    }
    if (chance(run, 20)) {
        stop(run, pick(run, N_STREAMS));
    }
    if (chance(run, 25)) {
        drain(run, worker, chance(run, 500));
    }
    if (chance(run, 8)) {
        worker->is_alive = false;
        memset(worker->pulls, 0, sizeof(worker->pulls));
    } else if (!worker->is_alive && chance(run, 100)) {
        worker->is_alive = true;
        worker->incarnation = -1;
    }
    if (worker->is_alive && chance(run, 10)) {
        worker->cut_until_ms = run->world->now_ms + (int64_t)pick(run, 15000);
    }
    if (chance(run, 10)) {
        world_takeover(run->world);
    }
}

/* ---- what must hold ---- */

static void check_exclusive(struct run *run)
{
    for (size_t camera = 0; camera < N_EXCLUSIVE; camera++) {
        int pullers = 0;
        for (size_t i = 0; i < N_WORKERS; i++) {
            pullers += run->workers[i].pulls[camera];
        }
        if (pullers > 1) {
            complain(run, "exclusive camera %zu is pulled by %d workers", camera, pullers);
        }
    }
}

static void check_past(struct run *run, size_t stream, const struct weir_stream_row *row)
{
    struct past *past = &run->past[stream];
    bool is_new = row->generation != past->generation;
    if (row->generation < past->generation || row->last_generation < past->last_generation) {
        complain(run, "stream %zu: its generation went back", stream);
    }
    if (is_new && row->seq_base < past->seq_base) {
        complain(run, "stream %zu: its sequence offset went back", stream);
    }
    bool is_second_new =
        !weir_id_is_nil(&row->second.worker_id) && row->last_generation != past->last_generation;
    if (is_second_new && row->second.generation <= past->last_generation) {
        complain(run, "stream %zu: a generation was given twice", stream);
    }
    *past = (struct past){row->generation, row->last_generation, row->seq_base};
}

static bool has_lease(const struct weir_lease_row *lease, const struct weir_id *worker_id,
                      int64_t incarnation)
{
    bool is_first =
        weir_id_equal(&lease->worker_id, worker_id) && lease->incarnation == incarnation;
    bool is_second = weir_id_equal(&lease->second.worker_id, worker_id) &&
                     lease->second.incarnation == incarnation;
    return is_first || is_second;
}

static void check_place(struct run *run, size_t stream, const struct weir_stream_row *row)
{
    const struct weir_lease_row *lease =
        weir_ledger_lease(run->world->ledger, &run->cameras[camera_of(stream)]);
    if (!weir_stream_state_is_placed(row->state)) {
        return;
    }
    bool is_moving = row->state == WEIR_STREAM_STATE_MIGRATING;
    if (is_moving == weir_id_is_nil(&row->second.worker_id)) {
        complain(run, "stream %zu: %s, but its second place does not say so", stream,
                 weir_stream_state_name(row->state));
    }
    if (lease == NULL || !has_lease(lease, &row->worker_id, row->incarnation)) {
        complain(run, "stream %zu: %s without a lease of its camera", stream,
                 weir_stream_state_name(row->state));
    } else if (is_moving && !has_lease(lease, &row->second.worker_id, row->second.incarnation)) {
        complain(run, "stream %zu: moves without a lease there", stream);
    }
}

static void check(struct run *run)
{
    check_exclusive(run);
    for (size_t i = 0; i < N_STREAMS; i++) {
        const struct weir_stream_row *row = row_of(run, i);
        if (row != NULL) {
            check_past(run, i, row);
            check_place(run, i, row);
        }
    }
}

/* ---- a world ---- */

static void step(struct run *run)
{
    run->world->now_ms += STEP_MS;
    if (run->has_faults) {
        act(run);
    }
    for (size_t i = 0; i < N_WORKERS; i++) {
        live(run, &run->workers[i]);
    }
    world_due(run->world);
    check(run);
}

static void check_rest(struct run *run)
{
    for (size_t i = 0; i < N_STREAMS; i++) {
        const struct weir_stream_row *row = row_of(run, i);
        if (row != NULL && !weir_stream_state_is_final(row->state) &&
            row->state != WEIR_STREAM_STATE_RUNNING) {
            complain(run, "stream %zu is still %s (%s)", i, weir_stream_state_name(row->state),
                     row->reason);
        }
    }
}

static void heal(struct run *run)
{
    run->has_faults = false;
    for (size_t i = 0; i < N_WORKERS; i++) {
        run->workers[i].cut_until_ms = 0;
        if (!run->workers[i].is_alive) {
            run->workers[i].is_alive = true;
            run->workers[i].incarnation = -1;
        }
    }
    step(run);
    for (size_t i = 0; i < N_WORKERS; i++) {
        drain(run, &run->workers[i], false);
    }
    for (int i = 0; i < HEAL_STEPS && !run->is_bad; i++) {
        step(run);
    }
    check_rest(run);
    drain(run, &run->workers[0], true);
    for (int i = 0; i < HEAL_STEPS && !run->is_bad; i++) {
        step(run);
    }
    check_rest(run);
    const struct weir_worker_row *row = weir_ledger_worker(run->world->ledger, &run->workers[0].id);
    if (row->state != WEIR_WORKER_STATE_DRAINED) {
        complain(run, "the drained worker is %s (%s)", weir_worker_state_name(row->state),
                 row->reason);
    }
}

static void configure(struct run *run)
{
    char name[32];
    run->tenant_id = world_id(run->world, "t");
    for (size_t i = 0; i < N_WORKERS; i++) {
        snprintf(name, sizeof(name), "worker%zu", i);
        run->workers[i] =
            (struct model){.id = world_id(run->world, name), .is_alive = true, .incarnation = -1};
    }
    for (size_t i = 0; i < N_STREAMS; i++) {
        snprintf(name, sizeof(name), "stream%zu", i);
        run->streams[i] = world_id(run->world, name);
    }
    for (size_t i = 0; i < N_CAMERAS; i++) {
        snprintf(name, sizeof(name), "camera%zu", i);
        run->cameras[i] = world_id(run->world, name);
        struct weir_event event = {.type = WEIR_EV_CONFIG_CAMERA};
        event.u.config_camera = (struct weir_ev_config_camera){.camera_id = run->cameras[i],
                                                               .tenant_id = run->tenant_id,
                                                               .version = 1,
                                                               .exclusive = i < N_EXCLUSIVE,
                                                               .warm = i % 4 == 3,
                                                               .max_leases = 1};
        world_input(run->world, &event);
    }
}

static bool play(uint64_t seed, FILE *out)
{
    struct run run = {.seed = seed, .random = seed, .has_faults = true, .world = world_new(out)};
    run.world->config.seed = seed;
    configure(&run);
    for (int i = 0; i < STEPS && !run.is_bad; i++) {
        step(&run);
    }
    if (!run.is_bad) {
        heal(&run);
    }
    bool is_good = !run.is_bad && world_check(run.world);
    if (!is_good) {
        fprintf(stderr, "seed %llu: failed\n", (unsigned long long)seed);
    }
    world_free(run.world);
    return is_good;
}

int main(int argc, char **argv)
{
    int64_t first = 1;
    int64_t n = 1;
    if (argc > 1) {
        WEIR_IGNORE(weir_str_to_int(argv[1], 0, INT64_MAX, &first, NULL), "then it is 1");
    }
    if (argc > 2) {
        WEIR_IGNORE(weir_str_to_int(argv[2], 1, INT64_MAX, &n, NULL), "then it is 1");
    }
    bool is_shown = n == 1 && getenv("SHOW") != NULL;
    FILE *nowhere = is_shown ? NULL : fopen("/dev/null", "w");
    FILE *out = is_shown ? stdout : nowhere;
    bool is_good = out != NULL;
    for (int64_t i = 0; is_good && i < n; i++) {
        is_good = play((uint64_t)(first + i), out);
    }
    if (nowhere != NULL) {
        fclose(nowhere);
    }
    return is_good ? 0 : 1;
}
