/* SPDX-License-Identifier: Apache-2.0 */
#include "reaper/idle.h"

#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/map.h"

#define NEVER INT64_MIN

struct stream {
    struct weir_id stream_id;
    struct weir_id tenant_id;
    struct weir_id camera_id;
    struct weir_id worker_id;
    int64_t generation;
    int64_t wanted_mono_ms;
    int64_t proposed_mono_ms; /* NEVER */
};

struct heard {
    int64_t mono_ms;
};

struct timeout {
    int64_t version;
    int64_t ms; /* 0: not said */
};

struct idle {
    int64_t timeout_ms;
    struct weir_map *streams; /* stream_id -> struct stream */
    struct weir_map *workers; /* worker_id -> struct heard */
    struct weir_map *cameras; /* camera_id -> struct timeout */
    struct weir_map *tenants; /* tenant_id -> struct timeout */
};

static int64_t max_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct weir_map *ids_new(void)
{
    return weir_map_new(sizeof(struct weir_id));
}

static void ids_clear(struct weir_map *map)
{
    void *value;
    const void *key;
    for (size_t at = 0; weir_map_next(map, &at, &key, &value);) {
        struct weir_id id = *(const struct weir_id *)key;
        free(weir_map_remove(map, &id));
    }
}

static void ids_free(struct weir_map *map)
{
    ids_clear(map);
    weir_map_free(map);
}

struct idle *idle_new(int64_t timeout_ms)
{
    struct idle *idle = weir_xalloc(sizeof(*idle));
    *idle = (struct idle){timeout_ms, ids_new(), ids_new(), ids_new(), ids_new()};
    return idle;
}

void idle_free(struct idle *idle)
{
    if (!idle) {
        return;
    }
    ids_free(idle->streams);
    ids_free(idle->workers);
    ids_free(idle->cameras);
    ids_free(idle->tenants);
    free(idle);
}

void idle_reset(struct idle *idle)
{
    ids_clear(idle->streams);
    ids_clear(idle->workers);
}

static bool is_on_a_worker(const struct weir_stream_row *row)
{
    return row->state == WEIR_STREAM_STATE_PLACED || row->state == WEIR_STREAM_STATE_STARTING ||
           row->state == WEIR_STREAM_STATE_RUNNING || row->state == WEIR_STREAM_STATE_BACKOFF;
}

void idle_stream(struct idle *idle, const struct weir_stream_row *row, int64_t now_mono_ms)
{
    struct stream *stream = weir_map_find(idle->streams, &row->stream_id);
    if (!is_on_a_worker(row)) {
        free(weir_map_remove(idle->streams, &row->stream_id));
        return;
    }
    if (!stream) {
        /* New, or back from STOPPING because somebody watches: wanted from now on. */
        stream = weir_xalloc(sizeof(*stream));
        *stream = (struct stream){.stream_id = row->stream_id,
                                  .tenant_id = row->tenant_id,
                                  .camera_id = row->camera_id,
                                  .wanted_mono_ms = now_mono_ms,
                                  .proposed_mono_ms = NEVER};
        weir_map_put(idle->streams, &stream->stream_id, stream);
    } else if (stream->generation != row->generation) {
        stream->wanted_mono_ms = now_mono_ms;
    }
    stream->worker_id = row->worker_id;
    stream->generation = row->generation;
}

/* True when the worker was not heard lately, so that what happened meanwhile is unknown. */
static bool hear(struct idle *idle, const struct weir_id *worker_id, int64_t now_mono_ms)
{
    struct heard *heard = weir_map_find(idle->workers, worker_id);
    bool has_gap = !heard || now_mono_ms - heard->mono_ms > IDLE_GAP_MS;
    if (!heard) {
        heard = weir_xalloc(sizeof(*heard));
        weir_map_put(idle->workers, worker_id, heard);
    }
    heard->mono_ms = now_mono_ms;
    return has_gap;
}

void idle_heartbeat(struct idle *idle, const struct weir_ev_heartbeat *heartbeat,
                    int64_t now_mono_ms)
{
    bool has_gap = hear(idle, &heartbeat->worker_id, now_mono_ms);
    for (size_t i = 0; i < heartbeat->n_streams; i++) {
        const struct weir_ev_heartbeat_streams *said = &heartbeat->streams[i];
        struct stream *stream = weir_map_find(idle->streams, &said->stream_id);
        if (!stream || stream->generation != said->generation) {
            continue;
        }
        if (has_gap) {
            stream->wanted_mono_ms = now_mono_ms;
        } else if (said->has_last_request_age_ms) {
            stream->wanted_mono_ms =
                max_of(stream->wanted_mono_ms, now_mono_ms - said->last_request_age_ms);
        }
    }
}

void idle_viewers(struct idle *idle, const struct weir_ev_viewers *viewers, int64_t now_mono_ms)
{
    struct stream *stream = weir_map_find(idle->streams, &viewers->stream_id);
    if (stream) {
        stream->wanted_mono_ms = max_of(stream->wanted_mono_ms, now_mono_ms);
    }
}

/* A compacted topic may still hold an older version behind a newer one. */
static void set_timeout(struct weir_map *map, const struct weir_id *id, int64_t version, int64_t ms)
{
    struct timeout *timeout = weir_map_find(map, id);
    if (!timeout) {
        timeout = weir_xalloc(sizeof(*timeout));
        weir_map_put(map, id, timeout);
    }
    if (version >= timeout->version) {
        *timeout = (struct timeout){version, ms};
    }
}

void idle_camera(struct idle *idle, const struct weir_ev_config_camera *camera)
{
    if (camera->deleted) {
        free(weir_map_remove(idle->cameras, &camera->camera_id));
        return;
    }
    set_timeout(idle->cameras, &camera->camera_id, camera->version,
                camera->has_idle_timeout_s ? camera->idle_timeout_s * 1000 : 0);
}

void idle_tenant(struct idle *idle, const struct weir_ev_config_tenant *tenant)
{
    if (tenant->deleted) {
        free(weir_map_remove(idle->tenants, &tenant->tenant_id));
        return;
    }
    set_timeout(idle->tenants, &tenant->tenant_id, tenant->version,
                tenant->has_idle_timeout_s ? tenant->idle_timeout_s * 1000 : 0);
}

static int64_t timeout_of(const struct idle *idle, const struct stream *stream)
{
    const struct timeout *camera = weir_map_find(idle->cameras, &stream->camera_id);
    if (camera && camera->ms > 0) {
        return camera->ms;
    }
    const struct timeout *tenant = weir_map_find(idle->tenants, &stream->tenant_id);
    return tenant && tenant->ms > 0 ? tenant->ms : idle->timeout_ms;
}

static bool is_heard(const struct idle *idle, const struct stream *stream, int64_t now_mono_ms)
{
    const struct heard *heard = weir_map_find(idle->workers, &stream->worker_id);
    return heard && now_mono_ms - heard->mono_ms <= IDLE_GAP_MS;
}

size_t idle_due(struct idle *idle, int64_t now_mono_ms, struct idle_proposal *ret, size_t max)
{
    size_t n = 0;
    void *value;
    for (size_t at = 0; n < max && weir_map_next(idle->streams, &at, NULL, &value);) {
        struct stream *stream = value;
        int64_t idle_ms = now_mono_ms - stream->wanted_mono_ms;
        int64_t timeout_ms = timeout_of(idle, stream);
        bool was_proposed = stream->proposed_mono_ms != NEVER &&
                            now_mono_ms - stream->proposed_mono_ms < IDLE_PROPOSE_MS;
        if (idle_ms < timeout_ms || was_proposed || !is_heard(idle, stream, now_mono_ms)) {
            continue;
        }
        stream->proposed_mono_ms = now_mono_ms;
        ret[n++] = (struct idle_proposal){stream->tenant_id, stream->stream_id, stream->generation,
                                          idle_ms, timeout_ms};
    }
    return n;
}

size_t idle_watched(const struct idle *idle)
{
    return weir_map_count(idle->streams);
}
