/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/trials.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/ip.h"
#include "lib/base/map.h"

#define KNOWN_MAX 4096 /* of a tenant; then the ones longest there are forgotten */

struct target {
    struct weir_ip ip;
    uint8_t port[2];
};

struct entry {
    unsigned inside; /* attempts that run */
    bool is_known;
    int64_t until_mono_ms; /* then it is forgotten */
};

struct tap_trials {
    pthread_mutex_t lock;
    int most;
    int64_t period_ms;
    struct weir_map *tenants; /* of struct weir_map, of struct entry by struct target */
};

struct tap_trials *tap_trials_new(int most, int64_t period_ms)
{
    struct tap_trials *trials = weir_xalloc(sizeof(*trials));
    pthread_mutex_init(&trials->lock, NULL);
    trials->most = most;
    trials->period_ms = period_ms;
    trials->tenants = weir_map_new(sizeof(struct weir_id));
    return trials;
}

static bool is_over(const struct entry *entry, int64_t now_mono_ms)
{
    return entry->inside == 0 && entry->until_mono_ms <= now_mono_ms;
}

static void forget_targets(struct weir_map *targets, int64_t now_mono_ms)
{
    const void *key;
    void *value;
    for (size_t at = 0; weir_map_next(targets, &at, &key, &value);) {
        if (is_over(value, now_mono_ms)) {
            weir_map_remove(targets, key);
            free(value);
        }
    }
}

/* Tenants of whom nothing is left. */
static void forget_tenants(struct tap_trials *trials, int64_t now_mono_ms)
{
    const void *key;
    void *value;
    for (size_t at = 0; weir_map_next(trials->tenants, &at, &key, &value);) {
        forget_targets(value, now_mono_ms);
        if (weir_map_count(value) == 0) {
            weir_map_remove(trials->tenants, key);
            weir_map_free(value);
        }
    }
}

void tap_trials_free(struct tap_trials *trials)
{
    void *targets;
    void *entry;
    if (trials == NULL)
        return;
    for (size_t at = 0; weir_map_next(trials->tenants, &at, NULL, &targets);) {
        for (size_t i = 0; weir_map_next(targets, &i, NULL, &entry);)
            free(entry);
        weir_map_free(targets);
    }
    weir_map_free(trials->tenants);
    pthread_mutex_destroy(&trials->lock);
    free(trials);
}

static struct target target_of(const struct sockaddr *addr)
{
    struct target target = {0};
    if (weir_ip_of(addr, &target.ip)) {
        /* The port lies at the same place in both families. */
        memcpy(target.port, &((const struct sockaddr_in *)(const void *)addr)->sin_port,
               sizeof(target.port));
    }
    return target;
}

/* Takes the room of a known one, when there are too many. */
static void make_room(struct weir_map *targets)
{
    const void *key;
    void *value;
    if (weir_map_count(targets) < KNOWN_MAX)
        return;
    for (size_t at = 0; weir_map_next(targets, &at, &key, &value);) {
        const struct entry *entry = value;
        if (entry->is_known && entry->inside == 0) {
            weir_map_remove(targets, key);
            free(value);
            return;
        }
    }
}

static enum tap_trials_verdict judge(const struct tap_trials *trials,
                                     const struct weir_map *targets, int64_t now_mono_ms,
                                     int64_t *ret_wait_ms)
{
    int doubtful = 0;
    int running = 0;
    int64_t first_mono_ms = INT64_MAX;
    void *value;
    for (size_t at = 0; weir_map_next(targets, &at, NULL, &value);) {
        const struct entry *entry = value;
        if (entry->is_known)
            continue;
        doubtful++;
        running += entry->inside > 0;
        if (entry->inside == 0 && entry->until_mono_ms < first_mono_ms)
            first_mono_ms = entry->until_mono_ms;
    }
    if (doubtful < trials->most)
        return TAP_TRIALS_GO;
    if (running > 0)
        return TAP_TRIALS_WAIT;
    *ret_wait_ms = first_mono_ms - now_mono_ms;
    return TAP_TRIALS_FULL;
}

static enum tap_trials_verdict enter(struct tap_trials *trials, const struct weir_id *tenant_id,
                                     const struct target *target, int64_t now_mono_ms,
                                     bool *ret_is_known, int64_t *ret_wait_ms)
{
    struct weir_map *targets = weir_map_find(trials->tenants, tenant_id->b);
    if (targets == NULL) {
        forget_tenants(trials, now_mono_ms);
        targets = weir_map_new(sizeof(struct target));
        weir_map_put(trials->tenants, tenant_id->b, targets);
    }
    forget_targets(targets, now_mono_ms);
    struct entry *entry = weir_map_find(targets, target);
    if (entry == NULL) {
        enum tap_trials_verdict verdict = judge(trials, targets, now_mono_ms, ret_wait_ms);
        if (verdict != TAP_TRIALS_GO)
            return verdict;
        make_room(targets);
        entry = weir_xalloc(sizeof(*entry));
        weir_map_put(targets, target, entry);
    }
    entry->inside++;
    *ret_is_known = entry->is_known;
    return TAP_TRIALS_GO;
}

enum tap_trials_verdict tap_trials_enter(struct tap_trials *trials, const struct weir_id *tenant_id,
                                         const struct sockaddr *addr, int64_t now_mono_ms,
                                         bool *ret_is_known, int64_t *ret_wait_ms)
{
    struct target target = target_of(addr);
    pthread_mutex_lock(&trials->lock);
    enum tap_trials_verdict verdict =
        enter(trials, tenant_id, &target, now_mono_ms, ret_is_known, ret_wait_ms);
    pthread_mutex_unlock(&trials->lock);
    return verdict;
}

static struct entry *find(struct tap_trials *trials, const struct weir_id *tenant_id,
                          const struct sockaddr *addr)
{
    struct target target = target_of(addr);
    struct weir_map *targets = weir_map_find(trials->tenants, tenant_id->b);
    return targets != NULL ? weir_map_find(targets, &target) : NULL;
}

static void know(struct entry *entry, int64_t now_mono_ms)
{
    entry->is_known = true;
    entry->until_mono_ms = now_mono_ms + TAP_TRIALS_KNOWN_MS;
}

void tap_trials_confirm(struct tap_trials *trials, const struct weir_id *tenant_id,
                        const struct sockaddr *addr, int64_t now_mono_ms)
{
    pthread_mutex_lock(&trials->lock);
    struct entry *entry = find(trials, tenant_id, addr);
    if (entry != NULL)
        know(entry, now_mono_ms);
    pthread_mutex_unlock(&trials->lock);
}

void tap_trials_leave(struct tap_trials *trials, const struct weir_id *tenant_id,
                      const struct sockaddr *addr, bool has_spoken, int64_t now_mono_ms)
{
    pthread_mutex_lock(&trials->lock);
    struct entry *entry = find(trials, tenant_id, addr);
    if (entry != NULL) {
        entry->inside--;
        if (has_spoken)
            know(entry, now_mono_ms);
        else if (entry->until_mono_ms == 0)
            /* From the first failure on: trying again does not make it last longer. */
            entry->until_mono_ms = now_mono_ms + trials->period_ms;
    }
    pthread_mutex_unlock(&trials->lock);
}
