/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/fair.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/map.h"

/* Of a tenant or a camera, as long as it has a place; or of all. */
struct weir_fair_share {
    struct weir_id id;
    size_t n_running;
    size_t n_here;
};

struct weir_fair {
    struct weir_fair_limits limits;
    struct weir_fair_share all;
    struct weir_map *tenants;
    struct weir_map *cameras;
    struct weir_list waiting; /* in the order of coming */
};

struct weir_fair *weir_fair_new(const struct weir_fair_limits *limits)
{
    struct weir_fair *fair = weir_xalloc(sizeof(*fair));
    fair->limits = *limits;
    fair->tenants = weir_map_new(sizeof(struct weir_id));
    fair->cameras = weir_map_new(sizeof(struct weir_id));
    weir_list_init(&fair->waiting);
    return fair;
}

void weir_fair_free(struct weir_fair *fair)
{
    if (!fair) {
        return;
    }
    assert(fair->all.n_here == 0);
    weir_map_free(fair->tenants);
    weir_map_free(fair->cameras);
    free(fair);
}

static bool is_full(const struct weir_map *shares, const struct weir_id *id,
                    const struct weir_fair_limit *limit)
{
    const struct weir_fair_share *share = weir_map_find(shares, id);
    return share && share->n_here >= limit->here;
}

static struct weir_fair_share *enter(struct weir_map *shares, const struct weir_id *id)
{
    struct weir_fair_share *share = weir_map_find(shares, id);
    if (!share) {
        share = weir_xalloc(sizeof(*share));
        share->id = *id;
        weir_map_put(shares, id, share);
    }
    share->n_here++;
    return share;
}

static void leave(struct weir_map *shares, struct weir_fair_share *share)
{
    if (--share->n_here == 0) {
        weir_map_remove(shares, &share->id);
        free(share);
    }
}

enum weir_fair_verdict weir_fair_ask(struct weir_fair *fair, struct weir_fair_place *place,
                                     const struct weir_id *tenant_id,
                                     const struct weir_id *camera_id)
{
    if (is_full(fair->cameras, camera_id, &fair->limits.camera)) {
        return WEIR_FAIR_CAMERA_FULL;
    }
    if (is_full(fair->tenants, tenant_id, &fair->limits.tenant)) {
        return WEIR_FAIR_TENANT_FULL;
    }
    if (fair->all.n_here >= fair->limits.all.here) {
        return WEIR_FAIR_FULL;
    }
    fair->all.n_here++;
    *place = (struct weir_fair_place){.state = WEIR_FAIR_WAITS,
                                      .tenant = enter(fair->tenants, tenant_id),
                                      .camera = enter(fair->cameras, camera_id)};
    weir_list_push_back(&fair->waiting, &place->node);
    return WEIR_FAIR_OK;
}

static bool may_run(const struct weir_fair *fair, const struct weir_fair_place *place)
{
    return place->camera->n_running < fair->limits.camera.running &&
           place->tenant->n_running < fair->limits.tenant.running;
}

static bool is_before(const struct weir_fair_place *a, const struct weir_fair_place *b)
{
    return a->tenant->n_running != b->tenant->n_running
               ? a->tenant->n_running < b->tenant->n_running
               : a->camera->n_running < b->camera->n_running;
}

struct weir_fair_place *weir_fair_next(struct weir_fair *fair)
{
    struct weir_fair_place *best = NULL;
    if (fair->all.n_running >= fair->limits.all.running) {
        return NULL;
    }
    WEIR_LIST_FOR(pos, &fair->waiting)
    {
        struct weir_fair_place *place = WEIR_CONTAINER(pos, struct weir_fair_place, node);
        if (may_run(fair, place) && (!best || is_before(place, best))) {
            best = place;
        }
    }
    if (best) {
        weir_list_remove(&best->node);
        best->state = WEIR_FAIR_RUNS;
        best->tenant->n_running++;
        best->camera->n_running++;
        fair->all.n_running++;
    }
    return best;
}

void weir_fair_end(struct weir_fair *fair, struct weir_fair_place *place)
{
    if (place->state == WEIR_FAIR_NONE) {
        return;
    }
    if (place->state == WEIR_FAIR_RUNS) {
        place->tenant->n_running--;
        place->camera->n_running--;
        fair->all.n_running--;
    } else {
        weir_list_remove(&place->node);
    }
    leave(fair->tenants, place->tenant);
    leave(fair->cameras, place->camera);
    fair->all.n_here--;
    *place = (struct weir_fair_place){0};
}
