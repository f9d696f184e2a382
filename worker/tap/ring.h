/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last seconds of a camera, compressed, always beginning with a key unit.
 *
 *     tap_ring_init(&ring, 10000, 16 << 20);
 *     tap_ring_push(&ring, unit);                       the ring owns it now
 *     while ((unit = tap_ring_find(&ring, cursor)))     a reader with its own place
 *         cursor++;
 *
 * Units are numbered from 0 without holes. A reader is slow when its number is below
 * tap_ring_first(): what it wanted is gone. So the ring is also the bounded queue of each
 * publisher, and a reader that hangs holds nobody up.
 *
 * Old groups of pictures go as wholes: when what remains is still `max_ms` long, or while there
 * are more than `max_bytes`. A single group longer than `max_bytes` is given up altogether, and
 * the ring is empty until the next key unit.
 */
#ifndef WEIR_WORKER_TAP_RING_H
#define WEIR_WORKER_TAP_RING_H

#include "worker/tap/media.h"

struct tap_ring {
    struct tap_unit **slots; /* circular; owned, as are the units */
    size_t cap;              /* power of two, or 0 */
    uint64_t first;          /* number of the oldest unit */
    uint64_t end;            /* number that the next unit gets */
    uint64_t second_key;     /* number of the second key unit, or `end` when there is none */
    uint64_t last_key;       /* number of the newest key unit, where not empty */
    size_t bytes;
    int64_t newest_ts; /* highest of video, ticks */
    int64_t max_ms;
    size_t max_bytes;
};

void tap_ring_init(struct tap_ring *ring, int64_t max_ms, size_t max_bytes);
void tap_ring_done(struct tap_ring *ring);

/* Takes the unit. False when the unit was freed instead: the ring waits for a key unit. */
bool tap_ring_push(struct tap_ring *ring, struct tap_unit *unit);

/* NULL when the number is not in the ring. The unit stays the ring's. */
const struct tap_unit *tap_ring_find(const struct tap_ring *ring, uint64_t number);

static inline bool tap_ring_is_empty(const struct tap_ring *ring)
{
    return ring->first == ring->end;
}

/* Wipes all sound; its units stay where they are, empty. */
void tap_ring_silence(struct tap_ring *ring);

/* From the oldest key unit to the newest unit. */
int64_t tap_ring_ms(const struct tap_ring *ring);

/* Gives up the oldest group, or all when it is the only one; for a cap over several rings. */
void tap_ring_shrink(struct tap_ring *ring);

#endif
