/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a stream was before it moved: a player still wants the last segments of the generation it
 * watched, from the worker that made them, while that worker lives (DESIGN section 6).
 *
 * Learned from the routes that gateways are given, so an api that was just started knows none; a
 * player then loses at most what it had not fetched yet. Thread-safe.
 */
#ifndef WEIR_API_PLAY_PAST_H
#define WEIR_API_PLAY_PAST_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/domain/ledger.h"

#define PLAY_PAST_MS  60000 /* longer than any player's buffer reaches back */
#define PLAY_PAST_MAX 65536 /* streams; more: all are forgotten */

struct play_route {
    int64_t generation;
    char upstream[WEIR_ORIGIN_URL_MAX + 1]; /* host:port */
};

struct play_past;

struct play_past *play_past_new(void);
void play_past_free(struct play_past *past); /* NULL is fine */

/*
 * Notes where the stream is now; true when it was elsewhere, in an older generation, until less
 * than PLAY_PAST_MS ago: `ret` then says where.
 */
bool play_past_note(struct play_past *past, const struct weir_id *stream_id,
                    const struct play_route *now, int64_t mono_ms, struct play_route *ret);

#endif
