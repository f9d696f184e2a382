/* SPDX-License-Identifier: Apache-2.0 */
#include "reaper/timeouts.h"

#include <stdlib.h>

#include "lib/base/map.h"

/* Only entities with a time of their own are kept. */
struct reaper_timeouts {
    int64_t default_ms;
    struct weir_map *cameras; /* id -> int64_t ms, owned */
    struct weir_map *tenants;
};

struct reaper_timeouts *reaper_timeouts_new(int64_t default_ms)
{
    struct reaper_timeouts *timeouts = weir_xalloc(sizeof(*timeouts));
    timeouts->default_ms = default_ms;
    timeouts->cameras = weir_map_new(sizeof(struct weir_id));
    timeouts->tenants = weir_map_new(sizeof(struct weir_id));
    return timeouts;
}

static void free_values(struct weir_map *map)
{
    void *value;
    for (size_t at = 0; weir_map_next(map, &at, NULL, &value);)
        free(value);
    weir_map_free(map);
}

void reaper_timeouts_free(struct reaper_timeouts *timeouts)
{
    if (!timeouts)
        return;
    free_values(timeouts->cameras);
    free_values(timeouts->tenants);
    free(timeouts);
}

static void set(struct weir_map *map, const struct weir_id *id, bool is_set, int64_t seconds)
{
    if (!is_set) {
        free(weir_map_remove(map, id->b));
        return;
    }
    int64_t *ms = weir_xalloc(sizeof(*ms));
    *ms = seconds * 1000;
    free(weir_map_put(map, id->b, ms));
}

void reaper_timeouts_take(struct reaper_timeouts *timeouts, const struct weir_event *event)
{
    if (event->type == WEIR_EV_CONFIG_CAMERA) {
        const struct weir_ev_config_camera *camera = &event->u.config_camera;
        set(timeouts->cameras, &camera->camera_id, camera->has_idle_timeout_s && !camera->deleted,
            camera->idle_timeout_s);
    } else if (event->type == WEIR_EV_CONFIG_TENANT) {
        const struct weir_ev_config_tenant *tenant = &event->u.config_tenant;
        set(timeouts->tenants, &tenant->tenant_id, tenant->has_idle_timeout_s && !tenant->deleted,
            tenant->idle_timeout_s);
    }
}

int64_t reaper_timeouts_ms(const struct reaper_timeouts *timeouts, const struct weir_id *tenant_id,
                           const struct weir_id *camera_id)
{
    const int64_t *ms = weir_map_find(timeouts->cameras, camera_id->b);
    if (!ms)
        ms = weir_map_find(timeouts->tenants, tenant_id->b);
    return ms ? *ms : timeouts->default_ms;
}
