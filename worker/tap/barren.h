/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether nothing comes of a rendition, although units of the camera are worked off: its picture
 * cannot be decoded, or none of it be encoded. Pure.
 */
#ifndef WEIR_WORKER_TAP_BARREN_H
#define WEIR_WORKER_TAP_BARREN_H

#include <stdbool.h>
#include <stdint.h>

#define TAP_BARREN_MS   5000
#define TAP_BARREN_KEYS 3

/* Zeroed storage is ready. */
struct tap_barren {
    int keys; /* worked off in vain */
    int64_t since_ms;
};

/*
 * A keyframe was worked off, and nothing came of it, nor of any before. True once: when these are
 * TAP_BARREN_KEYS, and the first of them is TAP_BARREN_MS ago. `now_ms` is monotonic.
 */
bool tap_barren_key(struct tap_barren *barren, int64_t now_ms);

#endif
