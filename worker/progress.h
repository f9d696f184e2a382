/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does an engine make segments? Rules only, no I/O, no clock.
 *
 * The folder of a stream changes with each segment, so its time of change tells. A stream that is
 * fed and whose folder stands still for much longer than its groups of pictures is stuck, whatever
 * its engine says of itself; where there is no room left the patience is short, for the reason is
 * known.
 */
#ifndef WEIR_WORKER_PROGRESS_H
#define WEIR_WORKER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_MOVES_MS      8000  /* between two segments, beyond three groups of pictures */
#define PROGRESS_FIRST_MS      20000 /* to the first playlist, likewise */
#define PROGRESS_FULL_MS       3000  /* both, without room */
#define PROGRESS_FULL_FIRST_MS 6000

struct progress {
    int64_t stamp; /* of the folder's last change, in any unit */
    int64_t moved_at_ms;
};

/* It is fed from now on, or again. */
void progress_begin(struct progress *progress, int64_t now_ms);

/* What the folder's stamp is now; true when it is another one. */
bool progress_see(struct progress *progress, int64_t stamp, int64_t now_ms);

/* `gop_ms` 0: not known. */
bool progress_is_stuck(const struct progress *progress, bool has_playlist, bool is_full,
                       int64_t gop_ms, int64_t now_ms);

#endif
