/* SPDX-License-Identifier: Apache-2.0 */
/* Units made by hand, for the tests of the tap. */
#ifndef TESTS_UNIT_WORKER_TAP_UNITS_H
#define TESTS_UNIT_WORKER_TAP_UNITS_H

#include <string.h>

#include "lib/base/arena.h"
#include "worker/tap/media.h"

static inline struct tap_unit *unit_new(enum tap_track track, bool is_key, int64_t ts,
                                        const void *bytes, size_t len)
{
    struct tap_unit *unit = weir_xalloc(sizeof(*unit) + len);
    unit->track = track;
    unit->is_key = is_key;
    unit->pts = ts;
    unit->ts = ts;
    unit->camera_us = TAP_NO_TIME;
    unit->len = len;
    memcpy(unit->bytes, bytes, len);
    return unit;
}

/* `n` bytes of nothing in particular. */
static inline struct tap_unit *unit_of_size(enum tap_track track, bool is_key, int64_t ts, size_t n)
{
    uint8_t *bytes WEIR_CLEANUP(weir_freep) = weir_xalloc(n + 1);
    return unit_new(track, is_key, ts, bytes, n);
}

#endif
