/* SPDX-License-Identifier: Apache-2.0 */
#include "api/activity.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/map.h"

#define PERIOD_MS       1000
#define VIEWER_LIVES_MS 10000 /* a viewer who asked within this time is counted */
#define VIEWERS_MAX     4096  /* counted exactly a stream */
#define FORGET_MS       60000

struct watched {
    struct weir_ev_viewers record;
    struct weir_map *viewers; /* ticket -> &struct viewer */
    int64_t sent_mono_ms;
    int64_t noted_mono_ms;
    bool is_due;
};

struct viewer {
    struct weir_id id;
    int64_t seen_mono_ms;
};

struct api_activity {
    struct api_bus *bus;
    int32_t cell;
    pthread_mutex_t mutex;
    struct weir_map *streams;
};

struct api_activity *api_activity_new(struct api_bus *bus, int32_t cell)
{
    struct api_activity *activity = weir_xalloc(sizeof(*activity));
    activity->bus = bus;
    activity->cell = cell;
    activity->streams = weir_map_new(sizeof(struct weir_id));
    pthread_mutex_init(&activity->mutex, NULL);
    return activity;
}

static void watched_free(struct watched *watched)
{
    void *viewer;
    for (size_t at = 0; weir_map_next(watched->viewers, &at, NULL, &viewer);) {
        free(viewer);
    }
    weir_map_free(watched->viewers);
    free(watched);
}

void api_activity_free(struct api_activity *activity)
{
    if (!activity) {
        return;
    }
    void *watched;
    for (size_t at = 0; weir_map_next(activity->streams, &at, NULL, &watched);) {
        watched_free(watched);
    }
    weir_map_free(activity->streams);
    pthread_mutex_destroy(&activity->mutex);
    free(activity);
}

static struct watched *watched_get(struct api_activity *activity, const struct weir_id *stream_id)
{
    struct watched *watched = weir_map_find(activity->streams, stream_id->b);
    if (!watched) {
        watched = weir_xalloc(sizeof(*watched));
        watched->viewers = weir_map_new(sizeof(struct weir_id));
        watched->sent_mono_ms = INT64_MIN / 2;
        weir_map_put(activity->streams, stream_id->b, watched);
    }
    return watched;
}

static void note_viewer(struct watched *watched, const struct weir_id *id, int64_t now_ms)
{
    struct viewer *viewer = weir_map_find(watched->viewers, id->b);
    if (!viewer && weir_map_count(watched->viewers) < VIEWERS_MAX) {
        viewer = weir_xalloc(sizeof(*viewer));
        viewer->id = *id;
        weir_map_put(watched->viewers, id->b, viewer);
    }
    if (viewer) {
        viewer->seen_mono_ms = now_ms;
    }
}

static int64_t count_viewers(struct watched *watched, int64_t now_ms)
{
    void *value;
    for (size_t at = 0; weir_map_next(watched->viewers, &at, NULL, &value);) {
        struct viewer *viewer = value;
        if (now_ms - viewer->seen_mono_ms > VIEWER_LIVES_MS) {
            weir_map_remove(watched->viewers, viewer->id.b);
            free(viewer);
        }
    }
    return (int64_t)weir_map_count(watched->viewers);
}

/* With the mutex held. A record that gets lost is made good by the next one. */
static void send_record(struct api_activity *activity, struct watched *watched, int64_t now_ms)
{
    struct weir_event event = {.type = WEIR_EV_VIEWERS, .has_tenantid = true};
    watched->record.viewers = count_viewers(watched, now_ms);
    event.tenantid = watched->record.tenant_id;
    event.u.viewers = watched->record;
    char key[WEIR_ID_TEXT_MAX];
    WEIR_IGNORE(api_bus_send(activity->bus, API_BUS_VIEWERS, &event, activity->cell,
                             weir_id_format(&watched->record.stream_id, key), NULL, NULL, NULL),
                "the next second says it again");
    watched->sent_mono_ms = now_ms;
    watched->is_due = false;
}

void api_activity_note(struct api_activity *activity, const struct weir_id *tenant_id,
                       const struct weir_id *stream_id, int64_t generation,
                       const struct weir_id *viewer_id, enum weir_ev_viewers_source source)
{
    int64_t now_ms = weir_clock_mono_ms();
    pthread_mutex_lock(&activity->mutex);
    struct watched *watched = watched_get(activity, stream_id);
    watched->record.tenant_id = *tenant_id;
    watched->record.stream_id = *stream_id;
    watched->record.generation = generation;
    watched->record.last_request_ms = weir_clock_wall_ms();
    watched->record.source = source;
    watched->noted_mono_ms = now_ms;
    watched->is_due = true;
    if (viewer_id) {
        note_viewer(watched, viewer_id, now_ms);
    }
    if (now_ms - watched->sent_mono_ms >= PERIOD_MS) {
        send_record(activity, watched, now_ms);
    }
    pthread_mutex_unlock(&activity->mutex);
}

void api_activity_tick(struct api_activity *activity)
{
    int64_t now_ms = weir_clock_mono_ms();
    void *value;
    pthread_mutex_lock(&activity->mutex);
    for (size_t at = 0; weir_map_next(activity->streams, &at, NULL, &value);) {
        struct watched *watched = value;
        if (watched->is_due && now_ms - watched->sent_mono_ms >= PERIOD_MS) {
            send_record(activity, watched, now_ms);
        } else if (now_ms - watched->noted_mono_ms > FORGET_MS) {
            weir_map_remove(activity->streams, watched->record.stream_id.b);
            watched_free(watched);
        }
    }
    pthread_mutex_unlock(&activity->mutex);
}
