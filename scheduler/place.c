/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a camera is pulled, and with it where its streams live (DESIGN sections 3 and 4).
 */
#include "scheduler/load.h"

#define CANDIDATES 8

/* Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t next_random(struct core *core)
{
    uint64_t z = (core->random += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

struct best {
    struct worker_load *load;
    int64_t score;
};

/* A camera that is to be pulled somewhere. */
struct wish {
    const struct core_config *config;
    const struct cost *cost;
    const struct weir_id *avoid; /* a worker; may be NULL */
    bool is_bare;                /* nobody watches it */
};

/* weir-worker's tap reads two cameras for each stream that it may have: half of them are for those
 * that are watched. */
static bool has_lease_left(const struct wish *wish, const struct worker_load *load)
{
    return load->n_leases < LOAD_LEASES_MAX &&
           (!wish->is_bare || load->n_leases < load->worker->streams_max);
}

static void consider(const struct wish *wish, struct worker_load *load, struct best *best)
{
    int64_t share_ppm[RESOURCE_N];
    bool is_avoided = wish->avoid != NULL && weir_id_equal(&load->worker->worker_id, wish->avoid);
    if (is_avoided || !has_lease_left(wish, load) ||
        !load_fits(wish->config, load, wish->cost, share_ppm)) {
        return;
    }
    int64_t score = load_score(wish->config, load, wish->cost, share_ppm, false) + load->flap_ppm;
    if (best->load == NULL || score < best->score) {
        *best = (struct best){load, score};
    }
}

/* Some at random where there are many; all of them before it gives up. NULL: none has room. */
static struct worker_load *pick(struct draft *draft, const struct wish *wish)
{
    struct loads *loads = loads_of(draft);
    struct best best = {NULL, 0};
    if (loads->n > CANDIDATES) {
        for (int i = 0; i < CANDIDATES; i++) {
            size_t at = (size_t)(next_random(draft->core) % loads->n);
            consider(wish, &loads->workers[at], &best);
        }
    }
    if (best.load == NULL || best.load->flap_ppm > 0) {
        for (size_t i = 0; i < loads->n; i++) {
            consider(wish, &loads->workers[i], &best);
        }
    }
    return best.load;
}

static const struct weir_worker_row *take(struct worker_load *load, const struct cost *cost)
{
    if (load == NULL) {
        return NULL;
    }
    load_reserve(load, cost);
    load->n_leases++;
    return load->worker;
}

bool place_is_exclusive(const struct draft *draft, const struct weir_id *camera_id)
{
    const struct seen_camera *camera = observations_camera(draft->core->seen, camera_id);
    return camera != NULL && camera->is_exclusive;
}

bool place_is_fenced(const struct draft *draft, const struct lease_view *lease)
{
    const struct core_config *config = &draft->core->config;
    const struct weir_worker_row *worker = weir_ledger_worker(draft->ledger, &lease->worker_id);
    /* A new life of the worker, or its farewell, says that the old one has let go. */
    return worker != NULL && worker->state == WEIR_WORKER_STATE_DEAD &&
           worker->incarnation == lease->incarnation &&
           place_is_exclusive(draft, &lease->camera_id) &&
           draft->now_ms - worker->since_ms < config->exclusive_ms - config->dead_ms;
}

enum lease_verdict { LEASE_USE, LEASE_USE_SECOND, LEASE_ELSEWHERE, LEASE_WAIT };

/* The camera's streams go, or went, to the second worker. */
static bool is_moving(const struct weir_ledger *ledger, const struct lease_view *lease)
{
    return lease->second.lease_generation > lease->lease_generation &&
           place_is_valid(ledger, &lease->second);
}

static enum lease_verdict judge_second(struct draft *draft, const struct lease_view *lease,
                                       const struct cost *cost, enum weir_reason *ret_why)
{
    struct worker_load *load = loads_find(loads_of(draft), &lease->second.worker_id);
    if (load != NULL && load_fits(&draft->core->config, load, cost, NULL)) {
        return LEASE_USE_SECOND;
    }
    *ret_why = load == NULL ? WEIR_REASON_lease_worker_silent : WEIR_REASON_lease_worker_full;
    return LEASE_WAIT;
}

/* The worker that pulls the camera lives, but takes nothing now. */
static enum lease_verdict judge_unready(const struct draft *draft, const struct lease_view *lease,
                                        enum weir_reason *ret_why)
{
    const struct weir_worker_row *worker = weir_ledger_worker(draft->ledger, &lease->worker_id);
    bool is_draining = worker->state != WEIR_WORKER_STATE_SUSPECT;
    bool is_unused =
        lease->state == WEIR_LEASE_STATE_LINGERING || lease->state == WEIR_LEASE_STATE_WARM;
    if (is_draining && is_unused && !place_is_exclusive(draft, &lease->camera_id)) {
        return LEASE_ELSEWHERE;
    }
    *ret_why = is_draining ? WEIR_REASON_worker_draining : WEIR_REASON_lease_worker_silent;
    return LEASE_WAIT;
}

/* Whether the worker that pulls the camera is the one, or another may, or nobody now. */
static enum lease_verdict judge_lease(struct draft *draft, const struct lease_view *lease,
                                      const struct cost *cost, enum weir_reason *ret_why)
{
    if (lease->state == WEIR_LEASE_STATE_NONE) {
        return LEASE_ELSEWHERE;
    }
    if (is_moving(draft->ledger, lease)) {
        return judge_second(draft, lease, cost, ret_why);
    }
    if (!incarnation_is_valid(draft->ledger, &lease->worker_id, lease->incarnation)) {
        *ret_why = WEIR_REASON_exclusive_wait;
        return place_is_fenced(draft, lease) ? LEASE_WAIT : LEASE_ELSEWHERE;
    }
    struct worker_load *load = loads_find(loads_of(draft), &lease->worker_id);
    if (load == NULL) {
        return judge_unready(draft, lease, ret_why);
    }
    if (load_fits(&draft->core->config, load, cost, NULL)) {
        return LEASE_USE;
    }
    *ret_why = WEIR_REASON_lease_worker_full;
    bool has_streams = lease->state == WEIR_LEASE_STATE_ACTIVE;
    return has_streams || place_is_exclusive(draft, &lease->camera_id) ? LEASE_WAIT
                                                                       : LEASE_ELSEWHERE;
}

/* What a stream takes, by what streams like it took. */
static struct cost cost_of(const struct loads *loads, enum weir_quality quality, int64_t fps)
{
    struct cost cost = cost_of_stream(quality, fps);
    cost_correct(&loads->learnt, cost_made_quality(quality, fps), &cost);
    return cost;
}

static struct worker_load *pick_with_tap(struct draft *draft, struct cost *cost)
{
    const struct cost tap = cost_of_tap();
    cost_add(cost, &tap);
    const struct wish wish = {.config = &draft->core->config, .cost = cost};
    return pick(draft, &wish);
}

bool place_has_room(struct draft *draft, enum weir_quality quality, int64_t fps)
{
    struct cost cost = cost_of(loads_of(draft), quality, fps);
    return pick_with_tap(draft, &cost) != NULL;
}

bool place_find(struct draft *draft, const struct weir_id *camera_id, enum weir_quality quality,
                int64_t fps, struct placement *ret, enum weir_reason *ret_why)
{
    struct loads *loads = loads_of(draft);
    struct lease_view lease = draft_lease_view(draft, camera_id);
    struct cost cost = cost_of(loads, quality, fps);
    enum lease_verdict verdict = judge_lease(draft, &lease, &cost, ret_why);
    if (verdict == LEASE_WAIT) {
        return false;
    }
    struct worker_load *load;
    if (verdict == LEASE_USE) {
        load = loads_find(loads, &lease.worker_id);
    } else if (verdict == LEASE_USE_SECOND) {
        load = loads_find(loads, &lease.second.worker_id);
    } else {
        load = pick_with_tap(draft, &cost);
        if (load != NULL) {
            load->n_leases++;
        }
    }
    if (load == NULL) {
        *ret_why = loads->n == 0 ? WEIR_REASON_no_worker : WEIR_REASON_no_capacity;
        return false;
    }
    load_reserve(load, &cost);
    load->n_streams++;
    *ret = (struct placement){.lease = lease, .worker = load->worker};
    return true;
}

const struct weir_worker_row *place_pick(struct draft *draft, const struct cost *cost,
                                         const struct weir_id *avoid)
{
    const struct wish wish = {.config = &draft->core->config, .cost = cost, .avoid = avoid};
    return take(pick(draft, &wish), cost);
}

bool place_find_warm(struct draft *draft, const struct weir_worker_row **ret)
{
    struct cost cost = cost_of_tap();
    struct core_config config = draft->core->config;
    if (config.warm_ceiling_ppm < config.ceiling_ppm) {
        config.ceiling_ppm = config.warm_ceiling_ppm;
    }
    const struct wish wish = {.config = &config, .cost = &cost, .is_bare = true};
    *ret = take(pick(draft, &wish), &cost);
    return *ret != NULL;
}

static int64_t later(int64_t last, int64_t now_ms)
{
    int64_t now_s = now_ms / 1000;
    return last + 1 > now_s ? last + 1 : now_s;
}

/* Segments are never shorter than 0.25 s, so four a second are an upper bound (DESIGN, origin). */
static int64_t next_seq_base(const struct waiting *waiting, int64_t now_ms)
{
    if (waiting->generation == 0) {
        return 0;
    }
    int64_t elapsed_ms = now_ms > waiting->placed_at_ms ? now_ms - waiting->placed_at_ms : 0;
    return waiting->seq_base + 4 * ((elapsed_ms + 999) / 1000) + 64;
}

int64_t place_lease_generation(const struct draft *draft, const struct lease_view *lease)
{
    int64_t first = lease->lease_generation;
    int64_t second = lease->second.lease_generation;
    return later(first > second ? first : second, draft->now_ms);
}

struct weir_place place_next(const struct draft *draft, const struct waiting *waiting,
                             const struct weir_worker_row *worker, int64_t lease_generation)
{
    return (struct weir_place){
        .worker_id = worker->worker_id,
        .incarnation = worker->incarnation,
        .lease_generation = lease_generation,
        .generation = later(waiting->generation, draft->now_ms),
        .seq_base = next_seq_base(waiting, draft->now_ms),
        .placed_at_ms = draft->now_ms,
    };
}

/* The lease generation under which the worker pulls the camera, after taking it if need be. */
static int64_t hold_lease(struct draft *draft, const struct waiting *waiting,
                          const struct placement *placement)
{
    struct lease_view lease = placement->lease;
    const struct weir_worker_row *worker = placement->worker;
    if (worker_is_at(&lease.second, &worker->worker_id, worker->incarnation)) {
        return lease.second.lease_generation;
    }
    bool is_held = lease.state == WEIR_LEASE_STATE_ACTIVE &&
                   weir_id_equal(&lease.worker_id, &worker->worker_id) &&
                   lease.incarnation == worker->incarnation;
    if (!is_held) {
        lease.lease_generation = place_lease_generation(draft, &lease);
        lease.tenant_id = waiting->tenant_id;
        lease.worker_id = worker->worker_id;
        lease.incarnation = worker->incarnation;
        lease.second = (struct weir_place){.generation = 0};
        draft_lease(draft, &lease, WEIR_LEASE_STATE_ACTIVE, WEIR_REASON_lease_needed);
    }
    return lease.lease_generation;
}

void place_stream(struct draft *draft, const struct waiting *waiting,
                  const struct placement *placement)
{
    int64_t lease_generation = hold_lease(draft, waiting, placement);
    struct weir_place place = place_next(draft, waiting, placement->worker, lease_generation);
    const struct weir_stream_row queued = {
        .stream_id = waiting->stream_id,
        .tenant_id = waiting->tenant_id,
        .camera_id = waiting->camera_id,
        .state = WEIR_STREAM_STATE_QUEUED,
    };
    struct weir_ev_decision_effects *e =
        draft_stream(draft, &queued, WEIR_STREAM_STATE_PLACED, WEIR_REASON_placed);
    e->has_worker_id = e->has_incarnation = e->has_generation = e->has_lease_generation = true;
    e->worker_id = place.worker_id;
    e->incarnation = place.incarnation;
    e->generation = place.generation;
    e->lease_generation = place.lease_generation;
    e->has_seq_base = e->has_placed_at_ms = true;
    e->seq_base = place.seq_base;
    e->placed_at_ms = place.placed_at_ms;
    e->has_quality = true;
    e->quality = waiting->quality;
}
