/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/observe.h"

#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/map.h"
#include "lib/domain/stream_state.h"

/* Inputs that were not read to their end for this long had a gap. */
#define GAP_MS 1500

struct observations {
    struct weir_map *workers;
    struct weir_map *streams;
    struct weir_map *cameras;
    struct weir_map *tenants;
    struct weir_map *moves;
    int64_t since_ms;
    int64_t live_ms; /* inputs were last read to their end; 0: not yet */
};

struct observations *observations_new(int64_t now_ms)
{
    struct observations *seen = weir_xalloc(sizeof(*seen));
    seen->workers = weir_map_new(sizeof(struct weir_id));
    seen->streams = weir_map_new(sizeof(struct weir_id));
    seen->cameras = weir_map_new(sizeof(struct weir_id));
    seen->tenants = weir_map_new(sizeof(struct weir_id));
    seen->moves = weir_map_new(sizeof(struct weir_id));
    seen->since_ms = now_ms;
    return seen;
}

static void free_map(struct weir_map *map)
{
    void *value;
    for (size_t at = 0; weir_map_next(map, &at, NULL, &value);) {
        free(value);
    }
    weir_map_free(map);
}

void observations_free(struct observations *seen)
{
    if (seen == NULL) {
        return;
    }
    free_map(seen->workers);
    free_map(seen->streams);
    free_map(seen->cameras);
    free_map(seen->tenants);
    free_map(seen->moves);
    free(seen);
}

static struct seen_worker *worker_of(struct observations *seen, const struct weir_id *worker_id)
{
    struct seen_worker *worker = weir_map_find(seen->workers, worker_id->b);
    if (worker == NULL) {
        worker = weir_xalloc(sizeof(*worker));
        worker->worker_id = *worker_id;
        worker->incarnation = -1;
        weir_map_put(seen->workers, worker_id->b, worker);
    }
    return worker;
}

static struct seen_stream *stream_of(struct observations *seen, const struct weir_id *stream_id)
{
    struct seen_stream *stream = weir_map_find(seen->streams, stream_id->b);
    if (stream == NULL) {
        stream = weir_xalloc(sizeof(*stream));
        stream->stream_id = *stream_id;
        weir_map_put(seen->streams, stream_id->b, stream);
    }
    return stream;
}

void observations_activity(struct observations *seen, const struct weir_id *stream_id,
                           int64_t at_ms)
{
    struct seen_stream *stream = stream_of(seen, stream_id);
    if (at_ms > stream->activity_ms) {
        stream->activity_ms = at_ms;
    }
}

void observations_heard(struct observations *seen, const struct weir_id *worker_id,
                        int64_t incarnation, int64_t now_ms)
{
    struct seen_worker *worker = worker_of(seen, worker_id);
    if (incarnation < worker->incarnation) {
        return; /* a late word of a life that is over */
    }
    if (incarnation > worker->incarnation) {
        worker->has_load = false;
    }
    worker->incarnation = incarnation;
    worker->heard_ms = now_ms;
}

/* The one of this generation; a new one takes the place of the one that was listed longest ago. */
static struct seen_run *run_of(struct seen_stream *stream, int64_t generation)
{
    struct seen_run *oldest = &stream->runs[0];
    for (size_t i = 0; i < SEEN_RUNS; i++) {
        struct seen_run *run = &stream->runs[i];
        if (run->generation == generation) {
            return run;
        }
        oldest = run->listed_ms < oldest->listed_ms ? run : oldest;
    }
    *oldest = (struct seen_run){.generation = generation};
    return oldest;
}

int64_t observations_faded(int64_t flaps, int64_t since_ms, int64_t half_life_ms, int64_t now_ms)
{
    int64_t age_ms = now_ms > since_ms ? now_ms - since_ms : 0;
    int64_t halvings = age_ms / half_life_ms;
    if (halvings >= 32) {
        return 0;
    }
    int64_t left = flaps >> halvings;
    return left - left * (age_ms % half_life_ms) / (2 * half_life_ms);
}

void observations_flapped(struct observations *seen, const struct weir_id *worker_id,
                          int64_t half_life_ms, int64_t now_ms)
{
    struct seen_worker *worker = worker_of(seen, worker_id);
    worker->flaps =
        observations_faded(worker->flaps, worker->flapped_ms, half_life_ms, now_ms) + FLAP;
    worker->flapped_ms = now_ms;
}

static void take_listed(struct observations *seen, const struct weir_ev_heartbeat_streams *listed,
                        int64_t now_ms)
{
    struct seen_run *run = run_of(stream_of(seen, &listed->stream_id), listed->generation);
    run->listed_ms = now_ms;
    run->has_cpu = listed->has_cpu_milli;
    run->cpu_milli = listed->cpu_milli;
    if (listed->state != WEIR_EV_HEARTBEAT_STREAMS_STATE_RUNNING) {
        run->running_since_ms = 0;
    } else if (run->running_since_ms == 0) {
        run->running_since_ms = now_ms;
    }
    if (listed->has_last_request_age_ms && listed->last_request_age_ms < now_ms) {
        observations_activity(seen, &listed->stream_id, now_ms - listed->last_request_age_ms);
    }
}

void observations_move_failed(struct observations *seen, const struct weir_id *camera_id,
                              const struct weir_id *worker_id, int64_t now_ms)
{
    struct seen_move *move = weir_map_find(seen->moves, camera_id->b);
    if (move == NULL) {
        move = weir_xalloc(sizeof(*move));
        move->camera_id = *camera_id;
        weir_map_put(seen->moves, camera_id->b, move);
    }
    move->worker_id = *worker_id;
    move->failed_ms = now_ms;
}

void observations_move_busy(struct observations *seen, const struct weir_id *camera_id)
{
    struct seen_move *move = weir_map_find(seen->moves, camera_id->b);
    if (move != NULL) {
        move->is_busy = true;
    }
}

const struct seen_move *observations_move(const struct observations *seen,
                                          const struct weir_id *camera_id)
{
    return weir_map_find(seen->moves, camera_id->b);
}

/* An engine that is suspect tells no capacity, and what it still does nobody counts. */
static struct seen_encode encode_of(const struct weir_ev_heartbeat *heartbeat)
{
    struct seen_encode sum = {0};
    for (size_t i = 0; heartbeat->has_encoding && i < heartbeat->encoding.n_encoders; i++) {
        const struct weir_ev_heartbeat_encoding_encoders *encoder =
            &heartbeat->encoding.encoders[i];
        if (encoder->state != WEIR_ENCODER_STATE_READY) {
            continue;
        }
        sum.kpx_per_s += encoder->kpx_per_s;
        sum.sessions += encoder->sessions;
        sum.kpx_per_s_used += encoder->kpx_per_s_used;
        sum.sessions_used += encoder->sessions_used;
    }
    return sum;
}

static void take_heartbeat(struct observations *seen, const struct weir_ev_heartbeat *heartbeat,
                           int64_t now_ms)
{
    observations_heard(seen, &heartbeat->worker_id, heartbeat->incarnation, now_ms);
    struct seen_worker *worker = worker_of(seen, &heartbeat->worker_id);
    if (worker->incarnation != heartbeat->incarnation) {
        return;
    }
    worker->has_load = true;
    worker->load = heartbeat->load;
    worker->encode = encode_of(heartbeat);
    worker->n_encoders = 0;
    for (size_t i = 0; heartbeat->has_encoding && i < heartbeat->encoding.n_encoders; i++) {
        worker->encoders[worker->n_encoders++] = heartbeat->encoding.encoders[i];
    }
    for (size_t i = 0; i < heartbeat->n_streams; i++) {
        take_listed(seen, &heartbeat->streams[i], now_ms);
    }
}

static void take_camera(struct observations *seen, const struct weir_ev_config_camera *config)
{
    struct seen_camera *camera = weir_map_find(seen->cameras, config->camera_id.b);
    if (camera == NULL) {
        camera = weir_xalloc(sizeof(*camera));
        camera->camera_id = config->camera_id;
        weir_map_put(seen->cameras, config->camera_id.b, camera);
    }
    if (config->version < camera->version) {
        return;
    }
    camera->tenant_id = config->tenant_id;
    camera->version = config->version;
    camera->is_deleted = config->deleted;
    camera->is_warm = config->warm && !config->deleted;
    camera->is_exclusive = config->exclusive;
}

static void take_tenant(struct observations *seen, const struct weir_ev_config_tenant *config)
{
    struct seen_tenant *tenant = weir_map_find(seen->tenants, config->tenant_id.b);
    if (tenant == NULL) {
        tenant = weir_xalloc(sizeof(*tenant));
        tenant->tenant_id = config->tenant_id;
        weir_map_put(seen->tenants, config->tenant_id.b, tenant);
    }
    if (config->version < tenant->version) {
        return;
    }
    tenant->version = config->version;
    tenant->is_deleted = config->deleted;
    tenant->is_stopped = config->has_stopped && config->stopped;
    tenant->max_streams = config->max_streams;
}

void observations_take(struct observations *seen, const struct weir_event *event, int64_t now_ms)
{
    if (event->type == WEIR_EV_HEARTBEAT) {
        take_heartbeat(seen, &event->u.heartbeat, now_ms);
    } else if (event->type == WEIR_EV_VIEWERS) {
        observations_activity(seen, &event->u.viewers.stream_id, now_ms);
    } else if (event->type == WEIR_EV_CONFIG_CAMERA) {
        take_camera(seen, &event->u.config_camera);
    } else if (event->type == WEIR_EV_CONFIG_TENANT) {
        take_tenant(seen, &event->u.config_tenant);
    } else if (event->type == WEIR_EV_COMMAND_START) {
        observations_activity(seen, &event->u.command_start.stream_id, now_ms);
    }
}

void observations_live(struct observations *seen, int64_t now_ms)
{
    if (seen->live_ms == 0 || now_ms - seen->live_ms > GAP_MS) {
        seen->since_ms = now_ms;
    }
    seen->live_ms = now_ms;
}

int64_t observations_since(const struct observations *seen)
{
    return seen->since_ms;
}

bool observations_are_live(const struct observations *seen, int64_t now_ms)
{
    return seen->live_ms != 0 && now_ms - seen->live_ms <= GAP_MS;
}

const struct seen_worker *observations_worker(const struct observations *seen,
                                              const struct weir_id *worker_id)
{
    return weir_map_find(seen->workers, worker_id->b);
}

const struct seen_stream *observations_stream(const struct observations *seen,
                                              const struct weir_id *stream_id)
{
    return weir_map_find(seen->streams, stream_id->b);
}

const struct seen_run *observations_run(const struct observations *seen,
                                        const struct weir_id *stream_id, int64_t generation)
{
    const struct seen_stream *stream = observations_stream(seen, stream_id);
    for (size_t i = 0; stream != NULL && i < SEEN_RUNS; i++) {
        if (stream->runs[i].generation == generation && stream->runs[i].listed_ms != 0) {
            return &stream->runs[i];
        }
    }
    return NULL;
}

const struct seen_camera *observations_camera(const struct observations *seen,
                                              const struct weir_id *camera_id)
{
    return weir_map_find(seen->cameras, camera_id->b);
}

const struct seen_tenant *observations_tenant(const struct observations *seen,
                                              const struct weir_id *tenant_id)
{
    return weir_map_find(seen->tenants, tenant_id->b);
}

bool observations_next_camera(const struct observations *seen, size_t *at,
                              const struct seen_camera **ret)
{
    void *value;
    if (!weir_map_next(seen->cameras, at, NULL, &value)) {
        return false;
    }
    *ret = value;
    return true;
}

bool observations_is_gone(const struct observations *seen, const struct weir_id *tenant_id,
                          const struct weir_id *camera_id)
{
    const struct seen_camera *camera = observations_camera(seen, camera_id);
    const struct seen_tenant *tenant = observations_tenant(seen, tenant_id);
    return (camera != NULL && camera->is_deleted) || (tenant != NULL && tenant->is_deleted);
}

/* A deleted one that something still belongs to must stay known as deleted. */
static void note_use(struct observations *seen, const struct weir_id *tenant_id,
                     const struct weir_id *camera_id)
{
    struct seen_camera *camera = weir_map_find(seen->cameras, camera_id->b);
    struct seen_tenant *tenant = weir_map_find(seen->tenants, tenant_id->b);
    if (camera != NULL) {
        camera->n_unused = 0;
    }
    if (tenant != NULL) {
        tenant->n_unused = 0;
    }
}

static void note_uses(struct observations *seen, const struct weir_ledger *ledger)
{
    const struct weir_stream_row *stream;
    for (size_t at = 0; weir_ledger_next_stream(ledger, &at, &stream);) {
        if (!weir_stream_state_is_final(stream->state)) {
            note_use(seen, &stream->tenant_id, &stream->camera_id);
        }
    }
    const struct weir_lease_row *lease;
    for (size_t at = 0; weir_ledger_next_lease(ledger, &at, &lease);) {
        note_use(seen, &lease->tenant_id, &lease->camera_id);
    }
}

static void sweep_config(struct observations *seen, const struct weir_ledger *ledger)
{
    void *value;
    for (size_t at = 0; weir_map_next(seen->cameras, &at, NULL, &value);) {
        struct seen_camera *camera = value;
        camera->n_unused += camera->is_deleted;
    }
    for (size_t at = 0; weir_map_next(seen->tenants, &at, NULL, &value);) {
        struct seen_tenant *tenant = value;
        tenant->n_unused += tenant->is_deleted;
    }
    note_uses(seen, ledger);
    for (size_t at = 0; weir_map_next(seen->cameras, &at, NULL, &value);) {
        struct seen_camera *camera = value;
        if (camera->is_deleted && camera->n_unused > OBSERVATIONS_KEEP_SWEEPS) {
            weir_map_remove(seen->cameras, camera->camera_id.b);
            free(camera);
        }
    }
    for (size_t at = 0; weir_map_next(seen->tenants, &at, NULL, &value);) {
        struct seen_tenant *tenant = value;
        if (tenant->is_deleted && tenant->n_unused > OBSERVATIONS_KEEP_SWEEPS) {
            weir_map_remove(seen->tenants, tenant->tenant_id.b);
            free(tenant);
        }
    }
}

void observations_sweep(struct observations *seen, const struct weir_ledger *ledger)
{
    void *value;
    for (size_t at = 0; weir_map_next(seen->streams, &at, NULL, &value);) {
        struct seen_stream *stream = value;
        if (weir_ledger_stream(ledger, &stream->stream_id) == NULL) {
            weir_map_remove(seen->streams, stream->stream_id.b);
            free(stream);
        }
    }
    for (size_t at = 0; weir_map_next(seen->workers, &at, NULL, &value);) {
        struct seen_worker *worker = value;
        if (weir_ledger_worker(ledger, &worker->worker_id) == NULL) {
            weir_map_remove(seen->workers, worker->worker_id.b);
            free(worker);
        }
    }
    for (size_t at = 0; weir_map_next(seen->moves, &at, NULL, &value);) {
        struct seen_move *move = value;
        if (weir_ledger_lease(ledger, &move->camera_id) == NULL) {
            weir_map_remove(seen->moves, move->camera_id.b);
            free(move);
        }
    }
    sweep_config(seen, ledger);
}
