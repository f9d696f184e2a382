/* SPDX-License-Identifier: Apache-2.0 */
#include "reaper/watch.h"

#include <stdlib.h>

#include "lib/base/map.h"
#include "reaper/idle.h"

struct watched {
    struct weir_id tenant_id;
    struct weir_id stream_id;
    struct weir_id camera_id;
    int64_t generation;
    struct reaper_idle idle;
};

struct reaper_watch {
    struct weir_map *streams; /* stream_id -> struct watched, owned */
};

struct reaper_watch *reaper_watch_new(void)
{
    struct reaper_watch *watch = weir_xalloc(sizeof(*watch));
    watch->streams = weir_map_new(sizeof(struct weir_id));
    return watch;
}

void reaper_watch_reset(struct reaper_watch *watch)
{
    void *value;
    for (size_t at = 0; weir_map_next(watch->streams, &at, NULL, &value);)
        free(value);
    weir_map_free(watch->streams);
    watch->streams = weir_map_new(sizeof(struct weir_id));
}

void reaper_watch_free(struct reaper_watch *watch)
{
    if (!watch)
        return;
    reaper_watch_reset(watch);
    weir_map_free(watch->streams);
    free(watch);
}

size_t reaper_watch_count(const struct reaper_watch *watch)
{
    return weir_map_count(watch->streams);
}

void reaper_watch_begin_all(struct reaper_watch *watch, int64_t now_ms)
{
    void *value;
    for (size_t at = 0; weir_map_next(watch->streams, &at, NULL, &value);)
        reaper_idle_begin(&((struct watched *)value)->idle, now_ms);
}

/* A stream that waits or starts is somebody's wish of a moment ago; one that stops needs no
 * proposal. One whose source fails is stopped like one that runs: nobody waits for it either. */
static bool is_candidate(enum weir_stream_state state)
{
    return state == WEIR_STREAM_STATE_RUNNING || state == WEIR_STREAM_STATE_BACKOFF ||
           state == WEIR_STREAM_STATE_SUSPECT;
}

void reaper_watch_changed(struct reaper_watch *watch, const struct weir_stream_row *row,
                          bool is_new, enum weir_stream_state from, int64_t now_ms)
{
    struct watched *watched = weir_map_find(watch->streams, row->stream_id.b);
    if (!is_candidate(row->state)) {
        free(weir_map_remove(watch->streams, row->stream_id.b));
        return;
    }
    /* A source that comes and goes must not keep a stream alive that nobody watches. */
    bool goes_on =
        watched && !is_new && is_candidate(from) && watched->generation == row->generation;
    if (goes_on)
        return;
    if (!watched) {
        watched = weir_xalloc(sizeof(*watched));
        weir_map_put(watch->streams, row->stream_id.b, watched);
    }
    *watched = (struct watched){.tenant_id = row->tenant_id,
                                .stream_id = row->stream_id,
                                .camera_id = row->camera_id,
                                .generation = row->generation};
    reaper_idle_begin(&watched->idle, now_ms);
}

void reaper_watch_take(struct reaper_watch *watch, const struct weir_event *event,
                       int64_t written_ms, int64_t now_ms)
{
    if (event->type == WEIR_EV_VIEWERS) {
        struct watched *watched = weir_map_find(watch->streams, event->u.viewers.stream_id.b);
        if (watched)
            reaper_idle_watched(&watched->idle, now_ms);
    }
    if (event->type != WEIR_EV_HEARTBEAT)
        return;
    const struct weir_ev_heartbeat *heartbeat = &event->u.heartbeat;
    for (size_t i = 0; i < heartbeat->n_streams; i++) {
        const struct weir_ev_heartbeat_streams *listed = &heartbeat->streams[i];
        struct watched *watched = weir_map_find(watch->streams, listed->stream_id.b);
        if (watched && watched->generation == listed->generation)
            reaper_idle_heard(&watched->idle,
                              listed->has_last_request_age_ms ? listed->last_request_age_ms : -1,
                              written_ms, now_ms);
    }
}

bool reaper_watch_next_due(struct reaper_watch *watch, const struct reaper_timeouts *timeouts,
                           int64_t now_ms, size_t *at, struct reaper_proposal *ret)
{
    void *value;
    while (weir_map_next(watch->streams, at, NULL, &value)) {
        struct watched *watched = value;
        int64_t timeout_ms = reaper_timeouts_ms(timeouts, &watched->tenant_id, &watched->camera_id);
        if (!reaper_idle_is_due(&watched->idle, timeout_ms, now_ms))
            continue;
        *ret = (struct reaper_proposal){.tenant_id = watched->tenant_id,
                                        .stream_id = watched->stream_id,
                                        .generation = watched->generation,
                                        .idle_ms = now_ms - watched->idle.active_ms,
                                        .timeout_ms = timeout_ms,
                                        .attempt = watched->idle.proposals};
        reaper_idle_proposed(&watched->idle, now_ms);
        return true;
    }
    return false;
}
