/* SPDX-License-Identifier: Apache-2.0 */
/* Sound in which nothing is heard, in the kind that a session announced. Pure. */
#ifndef WEIR_WORKER_TAP_SILENCE_H
#define WEIR_WORKER_TAP_SILENCE_H

#include "worker/tap/media.h"

#define TAP_SILENCE_MAX 16 /* bytes of a unit */

struct tap_silence {
    const uint8_t *bytes; /* static */
    size_t len;           /* <= TAP_SILENCE_MAX */
    int64_t ticks;        /* that it lasts */
    int64_t hole_ticks;   /* units that are further apart have a hole between them */
};

/* False where none is known: AAC other than LC of one or two channels, or no sound at all. */
bool tap_silence_of(const struct tap_format *format, struct tap_silence *ret);

#endif
