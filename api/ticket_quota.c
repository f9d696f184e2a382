/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ticket_quota.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/map.h"

#define N_PARTS 32            /* of a life */
#define N_SLOTS (N_PARTS + 1) /* the one that has begun, and a whole life */

/* Tickets by when they were made: one part of a life a slot, a ring. */
struct tally {
    struct weir_id id;
    int64_t newest; /* number of the slot that was counted in last */
    int64_t total;
    uint32_t made[N_SLOTS];
};

struct ticket_quota {
    struct ticket_quota_config config;
    int64_t slot_ms;
    pthread_mutex_t mutex;
    struct weir_map *viewers; /* id -> struct tally */
    struct weir_map *tenants;
    int64_t swept; /* slot */
};

struct ticket_quota *ticket_quota_new(const struct ticket_quota_config *config)
{
    struct ticket_quota *quota = weir_xalloc(sizeof(*quota));
    quota->config = *config;
    quota->slot_ms = (config->life_ms + N_PARTS - 1) / N_PARTS;
    quota->viewers = weir_map_new(sizeof(struct weir_id));
    quota->tenants = weir_map_new(sizeof(struct weir_id));
    pthread_mutex_init(&quota->mutex, NULL);
    return quota;
}

static void free_tallies(struct weir_map *map)
{
    void *tally;
    for (size_t at = 0; weir_map_next(map, &at, NULL, &tally);) {
        free(tally);
    }
    weir_map_free(map);
}

void ticket_quota_free(struct ticket_quota *quota)
{
    if (!quota) {
        return;
    }
    free_tallies(quota->viewers);
    free_tallies(quota->tenants);
    pthread_mutex_destroy(&quota->mutex);
    free(quota);
}

/* ---- with the mutex held ---- */

static void advance(struct tally *tally, int64_t slot)
{
    int64_t first = tally->newest + 1 > slot - N_PARTS ? tally->newest + 1 : slot - N_PARTS;
    for (int64_t fresh = first; fresh <= slot; fresh++) {
        uint32_t *made = &tally->made[fresh % N_SLOTS];
        tally->total -= *made;
        *made = 0;
    }
    tally->newest = slot;
}

static void sweep(struct weir_map *map, int64_t slot)
{
    void *value;
    for (size_t at = 0; weir_map_next(map, &at, NULL, &value);) {
        struct tally *tally = value;
        advance(tally, slot);
        if (tally->total == 0) {
            weir_map_remove(map, tally->id.b);
            free(tally);
        }
    }
}

static struct tally *get(struct weir_map *map, const struct weir_id *id, int64_t slot)
{
    struct tally *tally = weir_map_find(map, id->b);
    if (!tally) {
        tally = weir_xalloc(sizeof(*tally));
        tally->id = *id;
        tally->newest = slot;
        weir_map_put(map, id->b, tally);
    }
    advance(tally, slot);
    return tally;
}

static int64_t free_at_ms(const struct ticket_quota *quota, const struct tally *tally)
{
    int64_t slot = tally->newest - N_PARTS;
    while (slot < tally->newest && (slot < 0 || tally->made[slot % N_SLOTS] == 0)) {
        slot++;
    }
    return (slot + N_SLOTS) * quota->slot_ms;
}

enum ticket_quota_verdict ticket_quota_take(struct ticket_quota *quota,
                                            const struct weir_id *tenant_id,
                                            const struct weir_id *viewer_id, int64_t mono_ms,
                                            int64_t *ret_retry_ms)
{
    int64_t slot = mono_ms / quota->slot_ms;
    pthread_mutex_lock(&quota->mutex);
    if (slot != quota->swept) {
        quota->swept = slot;
        sweep(quota->viewers, slot);
        sweep(quota->tenants, slot);
    }
    struct tally *viewer = get(quota->viewers, viewer_id, slot);
    struct tally *tenant = get(quota->tenants, tenant_id, slot);
    enum ticket_quota_verdict verdict = TICKET_QUOTA_OK;
    if (viewer->total >= quota->config.viewer_max) {
        verdict = TICKET_QUOTA_VIEWER;
        *ret_retry_ms = free_at_ms(quota, viewer) - mono_ms;
    } else if (tenant->total >= quota->config.tenant_max) {
        verdict = TICKET_QUOTA_TENANT;
        *ret_retry_ms = free_at_ms(quota, tenant) - mono_ms;
    } else {
        viewer->made[slot % N_SLOTS]++;
        viewer->total++;
        tenant->made[slot % N_SLOTS]++;
        tenant->total++;
    }
    pthread_mutex_unlock(&quota->mutex);
    return verdict;
}
