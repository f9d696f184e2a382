/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/gate.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "worker/tap/retry.h"

#define KEY_BYTES 255
#define HOSTS_MAX 1024 /* then those not waited for are forgotten */
#define FULL_MS   50

struct tap_gate {
    unsigned at_once;
    int per_host_per_s;
    unsigned inside;
    struct weir_map *hosts; /* of struct tap_pace, by name */
};

struct tap_gate *tap_gate_new(unsigned at_once, int per_host_per_s)
{
    struct tap_gate *gate = weir_xalloc(sizeof(*gate));
    gate->at_once = at_once;
    gate->per_host_per_s = per_host_per_s;
    gate->hosts = weir_map_new(KEY_BYTES);
    return gate;
}

static void forget_hosts(struct tap_gate *gate, int64_t before_mono_ms)
{
    const void *key;
    void *value;
    for (size_t at = 0; weir_map_next(gate->hosts, &at, &key, &value);) {
        struct tap_pace *pace = value;
        if (pace->next_mono_ms <= before_mono_ms) {
            weir_map_remove(gate->hosts, key);
            free(pace);
        }
    }
}

void tap_gate_free(struct tap_gate *gate)
{
    if (gate == NULL)
        return;
    forget_hosts(gate, INT64_MAX);
    weir_map_free(gate->hosts);
    free(gate);
}

static struct tap_pace *find_host(struct tap_gate *gate, const char *host, int64_t now_mono_ms)
{
    char key[KEY_BYTES + 1] = "";
    WEIR_IGNORE(!WEIR_STR_SET(key, host), "two names that differ behind 255 bytes share a pace");
    struct tap_pace *pace = weir_map_find(gate->hosts, key);
    if (pace == NULL) {
        if (weir_map_count(gate->hosts) >= HOSTS_MAX)
            forget_hosts(gate, now_mono_ms);
        pace = weir_xalloc(sizeof(*pace));
        weir_map_put(gate->hosts, key, pace);
    }
    return pace;
}

int64_t tap_gate_enter(struct tap_gate *gate, const char *host, bool has_failed,
                       int64_t now_mono_ms)
{
    unsigned places = has_failed ? gate->at_once - gate->at_once / 4 : gate->at_once;
    if (gate->inside >= places)
        return FULL_MS;
    int64_t wait_ms =
        tap_pace_take(find_host(gate, host, now_mono_ms), gate->per_host_per_s, now_mono_ms);
    if (wait_ms == 0)
        gate->inside++;
    return wait_ms;
}

void tap_gate_leave(struct tap_gate *gate)
{
    gate->inside--;
}
