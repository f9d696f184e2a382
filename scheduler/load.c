/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/load.h"

#include <string.h>

#include "lib/base/map.h"

#define PPM 1000000

/* A stream shows in a heartbeat's load once it ran this long. */
#define FRESH_MS 5000
/* What making it takes is told every five seconds, of those that are over. Since the log says that
 * it runs, which a new leader knows, too. */
#define LEARN_MS 15000

/* Parts of the score, per mille; spread and distance need sites. */
#define PART_MEAN      500
#define PART_DOMINANT  250
#define PART_IMBALANCE 100
#define PART_GPU_WASTE 150
#define PART_TOIL      150
#define PART_AFFINITY  80

/* ---- encoders in hardware ---- */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* As of other resources: what is seen, or half of the estimates, and what is too young to be seen.
 */
static int64_t taken(const struct load_budget *budget)
{
    return larger(budget->used, budget->estimated / 2) + budget->fresh;
}

/* Whether the worker's engines would take all that is to be encoded. */
static bool is_hard(const struct worker_load *load, const struct cost *cost)
{
    return cost->encode_kpx > 0 &&
           taken(&load->encode_kpx) + cost->encode_kpx <= load->encode_kpx.capacity &&
           taken(&load->encode_sessions) + cost->encode_sessions <= load->encode_sessions.capacity;
}

static void add_to_budget(struct load_budget *budget, int64_t more, bool is_shown)
{
    budget->estimated += more;
    budget->fresh += is_shown ? 0 : more;
}

/* `is_made_hard`: its engine does what is to be encoded, so the processor does not. */
static void add_cost(struct worker_load *load, const struct cost *cost, bool is_made_hard,
                     bool is_shown)
{
    for (int r = 0; r < RESOURCE_N; r++) {
        int64_t more = cost->of[r] - (r == RESOURCE_CPU && is_made_hard ? cost->encode_cpu : 0);
        load->estimated[r] += more;
        load->fresh[r] += is_shown ? 0 : more;
    }
    if (is_made_hard) {
        add_to_budget(&load->encode_kpx, cost->encode_kpx, is_shown);
        add_to_budget(&load->encode_sessions, cost->encode_sessions, is_shown);
    }
}

void load_reserve(struct worker_load *load, const struct cost *cost)
{
    add_cost(load, cost, is_hard(load, cost), false);
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
        load->encode_kpx = (struct load_budget){.capacity = seen->encode.kpx_per_s,
                                                .used = seen->encode.kpx_per_s_used};
        load->encode_sessions = (struct load_budget){.capacity = seen->encode.sessions,
                                                     .used = seen->encode.sessions_used};
    }
    load->flap_ppm = flap_ppm(draft, row, seen);
    weir_map_put(loads->by_id, row->worker_id.b, load);
}

struct cost loads_cost_of(const struct loads *loads, const struct weir_stream_row *row)
{
    struct cost cost = cost_of_row(row);
    cost_correct(&loads->learnt, cost_quality(row), &cost);
    return cost;
}

static void add_run(const struct draft *draft, struct loads *loads,
                    const struct weir_stream_row *row, const struct weir_id *worker_id,
                    int64_t incarnation, int64_t generation)
{
    struct worker_load *load = loads_find(loads, worker_id);
    if (load == NULL || load->worker->incarnation != incarnation) {
        return;
    }
    struct cost cost = loads_cost_of(loads, row);
    const struct seen_run *run = observations_run(draft->core->seen, &row->stream_id, generation);
    bool is_shown = run != NULL && run->running_since_ms != 0 &&
                    draft->now_ms - run->running_since_ms >= FRESH_MS;
    /* Known of what plays; what is to come will be made as there is room. */
    bool is_known = row->effective.codec[0] != '\0' && generation == row->generation;
    bool is_made_hard = is_known ? row->effective.has_encoder : is_hard(load, &cost);
    load->n_streams++;
    add_cost(load, &cost, is_made_hard, is_shown);
}

/* From those that have run for a while, so that the worker has seen what they take. */
static void learn(const struct draft *draft, struct loads *loads, const struct weir_stream_row *row)
{
    bool is_made = row->effective.codec[0] != '\0' &&
                   row->effective.how == WEIR_RENDITION_HOW_TRANSCODE &&
                   !row->effective.has_encoder;
    if (!is_made) {
        return;
    }
    const struct seen_run *run =
        observations_run(draft->core->seen, &row->stream_id, row->generation);
    if (run != NULL && run->has_cpu && row->state == WEIR_STREAM_STATE_RUNNING &&
        draft->now_ms - row->changed_at_ms >= LEARN_MS) {
        cost_learn(&loads->learnt, row, run->cpu_milli);
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
    const struct cost cost = cost_of_tap();
    load->n_leases++;
    add_cost(load, &cost, false, draft->now_ms - since_ms >= FRESH_MS);
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
        learn(draft, loads, stream);
    }
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
    int64_t spared = is_hard(load, extra) ? extra->encode_cpu : 0;
    for (int r = 0; r < RESOURCE_N; r++) {
        int64_t share = 0;
        int64_t more = extra->of[r] - (r == RESOURCE_CPU ? spared : 0);
        if (load->capacity[r] > 0) {
            int64_t known = larger(load->used[r], load->estimated[r] / 2);
            share = (known + load->fresh[r] + more) * PPM / load->capacity[r];
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
                   const struct cost *extra, const int64_t share_ppm[RESOURCE_N], bool is_puller)
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
    /* A worker that can encode in hardware is better kept free of what does not need that, and
     * what does is better where it need not be done in software. */
    bool is_made_hard = is_hard(load, extra);
    bool has_engine = load->capacity[RESOURCE_GPU] > 0 || load->encode_kpx.capacity > 0;
    int64_t waste = has_engine && !is_made_hard ? PPM : 0;
    int64_t toil = extra->encode_kpx > 0 && !is_made_hard ? PPM : 0;
    return (PART_MEAN * mean + PART_DOMINANT * (highest * highest / PPM) +
            PART_IMBALANCE * imbalance + PART_GPU_WASTE * waste + PART_TOIL * toil -
            PART_AFFINITY * (is_puller ? (int64_t)PPM : 0)) /
           1000;
}
