/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/load.h"

#include <string.h>

#include "lib/base/map.h"

#define PPM 1000000

/* A stream shows in a heartbeat's load once it ran this long. */
#define FRESH_MS 5000

#define USUAL_FPS 25 /* that costs.def is for */

/* Parts of the score, per mille; spread and distance need sites. */
#define PART_MEAN      500
#define PART_DOMINANT  250
#define PART_IMBALANCE 100
#define PART_GPU_WASTE 150
#define PART_AFFINITY  80

#define TAP(cpu, mem)
static const struct cost stream_costs[WEIR_QUALITY_N] = {
#define COST(quality, cpu, mem, net)                                                               \
    [WEIR_QUALITY_##quality] = {{[RESOURCE_CPU] = cpu, [RESOURCE_MEM] = mem, [RESOURCE_NET] = net}},
#include "scheduler/costs.def"
#undef COST
};
#undef TAP

#define COST(quality, cpu, mem, net)
static const struct cost tap_cost = {
#define TAP(cpu, mem)                                                                              \
    {                                                                                              \
        [RESOURCE_CPU] = cpu, [RESOURCE_MEM] = mem                                                 \
    }
#include "scheduler/costs.def"
#undef TAP
};
#undef COST

/*
 * With a limit of frames it has to be decoded whole and encoded in part, whatever its size is;
 * where the camera sends no more frames it passes as it is, and load that is measured says so soon.
 */
struct cost cost_of_stream(enum weir_quality quality, int64_t fps)
{
    if (fps == 0) {
        return stream_costs[quality];
    }
    struct cost cost = stream_costs[quality == WEIR_QUALITY_SOURCE ? WEIR_QUALITY_HIGH : quality];
    int64_t part = fps < USUAL_FPS ? fps : USUAL_FPS;
    cost.of[RESOURCE_CPU] = (cost.of[RESOURCE_CPU] + cost.of[RESOURCE_CPU] * part / USUAL_FPS) / 2;
    cost.of[RESOURCE_NET] = (cost.of[RESOURCE_NET] + cost.of[RESOURCE_NET] * part / USUAL_FPS) / 2;
    return cost;
}

struct cost cost_of_tap(void)
{
    return tap_cost;
}

void load_reserve(struct worker_load *load, const struct cost *cost)
{
    for (int r = 0; r < RESOURCE_N; r++) {
        load->estimated[r] += cost->of[r];
        load->fresh[r] += cost->of[r];
    }
}

/* A leader that was not there when the worker died sees it by how its present life began. */
static int64_t flap_ppm(const struct draft *draft, const struct weir_worker_row *row,
                        const struct seen_worker *seen)
{
    int64_t half_ms = draft->core->config.flap_half_ms;
    bool has_restarted = strcmp(row->reason, weir_reason_name(WEIR_REASON_worker_restarted)) == 0;
    int64_t told =
        has_restarted ? observations_faded(FLAP, row->since_ms, half_ms, draft->now_ms) : 0;
    int64_t known = seen == NULL
                        ? 0
                        : observations_faded(seen->flaps, seen->flapped_ms, half_ms, draft->now_ms);
    return (known > told ? known : told) * (PPM / FLAP);
}

static void add_worker(const struct draft *draft, struct loads *loads,
                       const struct weir_worker_row *row, const struct seen_worker *seen)
{
    struct worker_load *load = &loads->workers[loads->n++];
    load->worker = row;
    load->capacity[RESOURCE_CPU] = row->capacity.cpu_milli;
    load->capacity[RESOURCE_MEM] = row->capacity.mem_mib;
    load->capacity[RESOURCE_NET] = row->capacity.net_kbps;
    load->capacity[RESOURCE_GPU] = row->capacity.gpu_permille;
    if (seen != NULL && seen->has_load && seen->incarnation == row->incarnation) {
        load->used[RESOURCE_CPU] = seen->load.cpu_milli_used;
        load->used[RESOURCE_MEM] = seen->load.mem_mib_used;
        load->used[RESOURCE_NET] = seen->load.net_kbps_used;
        load->used[RESOURCE_GPU] =
            seen->load.has_gpu_permille_used ? seen->load.gpu_permille_used : 0;
    }
    load->flap_ppm = flap_ppm(draft, row, seen);
    weir_map_put(loads->by_id, row->worker_id.b, load);
}

static void add_run(const struct draft *draft, struct loads *loads,
                    const struct weir_stream_row *row, const struct weir_id *worker_id,
                    int64_t incarnation, int64_t generation)
{
    struct worker_load *load = loads_find(loads, worker_id);
    if (load == NULL || load->worker->incarnation != incarnation) {
        return;
    }
    struct cost cost = cost_of_stream(row->quality, row->fps);
    const struct seen_run *run = observations_run(draft->core->seen, &row->stream_id, generation);
    bool is_shown = run != NULL && run->running_since_ms != 0 &&
                    draft->now_ms - run->running_since_ms >= FRESH_MS;
    load->n_streams++;
    for (int r = 0; r < RESOURCE_N; r++) {
        load->estimated[r] += cost.of[r];
        load->fresh[r] += is_shown ? 0 : cost.of[r];
    }
}

static void add_stream(const struct draft *draft, struct loads *loads,
                       const struct weir_stream_row *row)
{
    if (!weir_stream_state_is_placed(row->state)) {
        return;
    }
    add_run(draft, loads, row, &row->worker_id, row->incarnation, row->generation);
    const struct weir_place *second = &row->second;
    if (!weir_id_is_nil(&second->worker_id)) {
        add_run(draft, loads, row, &second->worker_id, second->incarnation, second->generation);
    }
}

static void add_tap(const struct draft *draft, struct loads *loads, const struct weir_id *worker_id,
                    int64_t incarnation, int64_t since_ms)
{
    struct worker_load *load = loads_find(loads, worker_id);
    if (load == NULL || load->worker->incarnation != incarnation) {
        return;
    }
    load->n_leases++;
    for (int r = 0; r < RESOURCE_N; r++) {
        load->estimated[r] += tap_cost.of[r];
        load->fresh[r] += draft->now_ms - since_ms < FRESH_MS ? tap_cost.of[r] : 0;
    }
}

static void add_lease(const struct draft *draft, struct loads *loads,
                      const struct weir_lease_row *row)
{
    if (row->state == WEIR_LEASE_STATE_NONE) {
        return;
    }
    add_tap(draft, loads, &row->worker_id, row->incarnation, row->since_ms);
    const struct weir_place *second = &row->second;
    if (!weir_id_is_nil(&second->worker_id)) {
        add_tap(draft, loads, &second->worker_id, second->incarnation, second->placed_at_ms);
    }
}

struct loads *loads_of(struct draft *draft)
{
    if (draft->loads != NULL) {
        return draft->loads;
    }
    size_t n = 0;
    const struct weir_worker_row *worker;
    for (size_t at = 0; weir_ledger_next_worker(draft->ledger, &at, &worker);) {
        n += worker->state == WEIR_WORKER_STATE_READY;
    }
    struct loads *loads = weir_arena_alloc(draft->arena, sizeof(*loads));
    loads->workers = weir_arena_array(draft->arena, n, sizeof(*loads->workers));
    loads->by_id = weir_map_new(sizeof(struct weir_id));
    for (size_t at = 0; weir_ledger_next_worker(draft->ledger, &at, &worker);) {
        if (worker->state == WEIR_WORKER_STATE_READY) {
            add_worker(draft, loads, worker,
                       observations_worker(draft->core->seen, &worker->worker_id));
        }
    }
    const struct weir_stream_row *stream;
    for (size_t at = 0; weir_ledger_next_stream(draft->ledger, &at, &stream);) {
        add_stream(draft, loads, stream);
    }
    const struct weir_lease_row *lease;
    for (size_t at = 0; weir_ledger_next_lease(draft->ledger, &at, &lease);) {
        add_lease(draft, loads, lease);
    }
    draft->loads = loads;
    return loads;
}

void loads_done(struct draft *draft)
{
    if (draft->loads != NULL) {
        weir_map_free(draft->loads->by_id);
        draft->loads = NULL;
    }
}

struct worker_load *loads_find(const struct loads *loads, const struct weir_id *worker_id)
{
    return weir_map_find(loads->by_id, worker_id->b);
}

bool load_fits(const struct core_config *config, const struct worker_load *load,
               const struct cost *extra, int64_t ret_share_ppm[RESOURCE_N])
{
    if (load->n_streams >= load->worker->streams_max) {
        return false;
    }
    for (int r = 0; r < RESOURCE_N; r++) {
        int64_t share = 0;
        if (load->capacity[r] > 0) {
            int64_t known =
                load->used[r] > load->estimated[r] / 2 ? load->used[r] : load->estimated[r] / 2;
            share = (known + load->fresh[r] + extra->of[r]) * PPM / load->capacity[r];
        }
        if (extra->of[r] > 0 && share > config->ceiling_ppm) {
            return false;
        }
        if (ret_share_ppm != NULL) {
            ret_share_ppm[r] = share;
        }
    }
    return true;
}

int64_t load_score(const struct core_config *config, const struct worker_load *load,
                   const int64_t share_ppm[RESOURCE_N], bool is_puller)
{
    const int64_t weight[RESOURCE_N] = {
        [RESOURCE_CPU] = config->weight_cpu,
        [RESOURCE_MEM] = config->weight_mem,
        [RESOURCE_NET] = config->weight_net,
        [RESOURCE_GPU] = config->weight_gpu,
    };
    int64_t weighted = 0;
    int64_t weights = 0;
    int64_t highest = 0;
    int64_t lowest = INT64_MAX;
    for (int r = 0; r < RESOURCE_N; r++) {
        if (load->capacity[r] <= 0) {
            continue;
        }
        weighted += weight[r] * share_ppm[r];
        weights += weight[r];
        highest = share_ppm[r] > highest ? share_ppm[r] : highest;
        lowest = share_ppm[r] < lowest ? share_ppm[r] : lowest;
    }
    int64_t mean = weights > 0 ? weighted / weights : 0;
    int64_t imbalance = lowest == INT64_MAX ? 0 : highest - lowest;
    /* No profile of this release uses a GPU, so a worker that has one is better kept free. */
    int64_t waste = load->capacity[RESOURCE_GPU] > 0 ? PPM : 0;
    return (PART_MEAN * mean + PART_DOMINANT * (highest * highest / PPM) +
            PART_IMBALANCE * imbalance + PART_GPU_WASTE * waste -
            PART_AFFINITY * (is_puller ? (int64_t)PPM : 0)) /
           1000;
}
