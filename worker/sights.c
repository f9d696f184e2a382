/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at pictures, for what packets do not tell: frozen, black, covered. weir-still looks and
 * judges (docs/adr/0039); here is when it does so, and what becomes of what it saw.
 */
#include <stdlib.h>

#include "worker/worker.h"

#define HOLDS_MS    180000 /* what was seen, without another look, */
#define HOLDS_LOOKS 4      /* or so many pauses when these are longer */

/* Between two looks at one camera of `n`, so that all together stay within the limit. 0: none. */
static int64_t pause_ms(const struct worker *worker, size_t n)
{
    int64_t every_ms = worker->settings->look_every_s * 1000;
    int64_t least_ms = (int64_t)n * 1000 / worker->settings->looks_per_s;
    return every_ms == 0 || every_ms > least_ms ? every_ms : least_ms;
}

static int64_t holds_ms(int64_t pause_ms)
{
    return HOLDS_LOOKS * pause_ms > HOLDS_MS ? HOLDS_LOOKS * pause_ms : HOLDS_MS;
}

static bool can_look(const struct lease *lease)
{
    return lease->is_given && lease->is_up && lease->is_wanted && !lease->is_released;
}

static size_t count(const struct worker *worker)
{
    size_t n = 0;
    void *value;
    for (size_t at = 0; weir_map_next(worker->leases, &at, NULL, &value);) {
        n += can_look(value);
    }
    return n;
}

void sights_ask(const struct lease *lease, int64_t now_ms, struct weir_ctl_still_look *ret)
{
    bool is_fresh = now_ms < lease->sights_until_ms;
    *ret = (struct weir_ctl_still_look){.tenant_id = lease->row.tenant_id,
                                        .camera_id = lease->row.camera_id,
                                        .has_faults = is_fresh && lease->sights != 0,
                                        .faults = lease->sights,
                                        .has_noise = is_fresh && lease->sights != 0,
                                        .noise = lease->noise};
}

static void look(struct worker *worker, const struct lease *lease, int64_t now_ms)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_STILL_LOOK};
    sights_ask(lease, now_ms, &ctl.u.still_look);
    child_send(worker->still, &ctl);
}

void sights_tick(struct worker *worker)
{
    int64_t now_ms = worker_now_ms();
    int64_t wait_ms = pause_ms(worker, count(worker));
    int64_t left = worker->settings->looks_per_s; /* suspicions hurry, but not beyond that */
    void *value;
    if (wait_ms == 0) {
        return;
    }
    for (size_t at = 0; weir_map_next(worker->leases, &at, NULL, &value);) {
        struct lease *lease = value;
        if (!can_look(lease)) {
            lease->look_at_ms = 0;
        } else if (lease->look_at_ms == 0) {
            /* Somewhere in the first pause, so that no two go together. */
            lease->look_at_ms = now_ms + arc4random() % wait_ms;
        } else if (now_ms >= lease->look_at_ms && left-- > 0) {
            look(worker, lease, now_ms);
            lease->look_at_ms = now_ms + wait_ms;
        }
    }
}

/* What was seen is so since then; what nobody looked at any more went when it no longer held. */
static int64_t of_ms(const struct lease *lease, int64_t now_ms)
{
    bool is_over = lease->sights != 0 && now_ms >= lease->sights_until_ms;
    return is_over ? lease->sights_until_ms : lease->sights_of_ms;
}

void sights_take(struct worker *worker, const struct weir_ctl_still_scene *scene)
{
    struct lease *lease = leases_find(worker, &scene->camera_id);
    int64_t now_ms = worker_now_ms();
    if (!lease || !can_look(lease)) {
        return;
    }
    unsigned sights = (unsigned)scene->faults & WEIR_FAULTS_VISIBLE;
    lease->sights_of_ms = of_ms(lease, now_ms);
    if (now_ms >= lease->sights_until_ms) {
        lease->sights = 0;
    }
    for (unsigned come = sights & ~lease->sights; come != 0; come &= come - 1) {
        lease->sights_seen++;
    }
    if (sights != lease->sights) {
        lease->sights_of_ms = now_ms;
    }
    lease->sights = sights;
    lease->noise = scene->has_noise ? scene->noise : 0;
    lease->sights_until_ms = now_ms + holds_ms(pause_ms(worker, count(worker)));
    if (scene->has_again_ms && lease->look_at_ms > now_ms + scene->again_ms) {
        lease->look_at_ms = now_ms + scene->again_ms;
    }
}

void sights_join(const struct lease *lease, int64_t now_ms,
                 struct weir_ctl_tap_stats_cameras *stats)
{
    bool is_fresh = lease->is_up && now_ms < lease->sights_until_ms;
    unsigned sights = is_fresh ? lease->sights : 0;
    bool is_shown = stats->has_health && (stats->health == WEIR_PICTURE_HEALTH_HEALTHY ||
                                          stats->health == WEIR_PICTURE_HEALTH_DEGRADED ||
                                          stats->health == WEIR_PICTURE_HEALTH_STALLED);
    stats->faults_seen += lease->sights_seen;
    if (!is_shown) {
        return;
    }
    stats->faults |= sights;
    if (sights != 0 && stats->health == WEIR_PICTURE_HEALTH_HEALTHY) {
        stats->health = WEIR_PICTURE_HEALTH_DEGRADED;
    }
    int64_t since_ms = of_ms(lease, now_ms);
    if (since_ms > 0 && now_ms - since_ms < stats->health_ms) {
        stats->health_ms = now_ms - since_ms;
    }
}
