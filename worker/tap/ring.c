/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/ring.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"

static struct tap_unit **slot(const struct tap_ring *ring, uint64_t number)
{
    return &ring->slots[number & (ring->cap - 1)];
}

void tap_ring_init(struct tap_ring *ring, int64_t max_ms, size_t max_bytes)
{
    *ring = (struct tap_ring){.max_ms = max_ms, .max_bytes = max_bytes};
}

static void drop_until(struct tap_ring *ring, uint64_t number)
{
    for (; ring->first < number; ring->first++) {
        struct tap_unit **at = slot(ring, ring->first);
        ring->bytes -= sizeof(**at) + (*at)->len;
        free(*at);
        *at = NULL;
    }
}

void tap_ring_done(struct tap_ring *ring)
{
    drop_until(ring, ring->end);
    free(ring->slots);
    ring->slots = NULL;
    ring->cap = 0;
}

const struct tap_unit *tap_ring_find(const struct tap_ring *ring, uint64_t number)
{
    return number >= ring->first && number < ring->end ? *slot(ring, number) : NULL;
}

static uint64_t find_key_after(const struct tap_ring *ring, uint64_t number)
{
    for (uint64_t i = number + 1; i < ring->end; i++) {
        if ((*slot(ring, i))->is_key)
            return i;
    }
    return ring->end;
}

static void grow(struct tap_ring *ring)
{
    size_t cap = ring->cap == 0 ? 256 : ring->cap * 2;
    struct tap_unit **slots = weir_xarray(cap, sizeof(*slots));
    for (uint64_t i = ring->first; i < ring->end; i++)
        slots[i & (cap - 1)] = *slot(ring, i);
    free(ring->slots);
    ring->slots = slots;
    ring->cap = cap;
}

static int64_t ms_since(const struct tap_ring *ring, uint64_t number)
{
    return (ring->newest_ts - (*slot(ring, number))->ts) / (TAP_VIDEO_RATE / 1000);
}

int64_t tap_ring_ms(const struct tap_ring *ring)
{
    int64_t ms = tap_ring_is_empty(ring) ? 0 : ms_since(ring, ring->first);
    return ms > 0 ? ms : 0;
}

void tap_ring_shrink(struct tap_ring *ring)
{
    if (tap_ring_is_empty(ring))
        return;
    drop_until(ring, ring->second_key);
    ring->second_key = tap_ring_is_empty(ring) ? ring->end : find_key_after(ring, ring->first);
}

static bool is_too_long(const struct tap_ring *ring)
{
    if (tap_ring_is_empty(ring))
        return false;
    if (ring->bytes > ring->max_bytes)
        return true;
    return ring->second_key < ring->end && ms_since(ring, ring->second_key) >= ring->max_ms;
}

bool tap_ring_push(struct tap_ring *ring, struct tap_unit *unit)
{
    bool starts = unit->track == TAP_VIDEO && unit->is_key;
    if (tap_ring_is_empty(ring) && !starts) {
        free(unit);
        return false;
    }
    if (ring->end - ring->first == ring->cap)
        grow(ring);
    uint64_t number = ring->end++;
    *slot(ring, number) = unit;
    ring->bytes += sizeof(*unit) + unit->len;
    if (unit->track == TAP_VIDEO && (number == ring->first || unit->ts > ring->newest_ts))
        ring->newest_ts = unit->ts;
    if (starts)
        ring->last_key = number;
    bool has_second = ring->second_key < number && ring->second_key > ring->first;
    if (!has_second)
        ring->second_key = starts && number > ring->first ? number : ring->end;
    while (is_too_long(ring))
        tap_ring_shrink(ring);
    return !tap_ring_is_empty(ring);
}

void tap_ring_silence(struct tap_ring *ring)
{
    for (uint64_t i = ring->first; i < ring->end; i++) {
        struct tap_unit *unit = *slot(ring, i);
        if (unit->track != TAP_AUDIO)
            continue;
        explicit_bzero(unit->bytes, unit->len);
        ring->bytes -= unit->len;
        unit->len = 0;
    }
}
