/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room for segments and sockets: how much is left where the engines write.
 *
 * Full is a state with hysteresis: below ROOM_LEAST_BYTES (or a twentieth of a small file system)
 * until there is twice as much again.
 */
#ifndef WEIR_WORKER_ROOM_H
#define WEIR_WORKER_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#define ROOM_LEAST_BYTES (INT64_C(16) * 1024 * 1024)

/* Whether it is full now, when it was so before. Pure. */
bool room_is_full(int64_t free_bytes, int64_t all_bytes, bool was_full);

/* The same of the file system that holds `path`; what cannot be asked is not full. */
bool room_look(const char *path, bool was_full);

/*
 * Removes folders <segments>/live/<stream>/<generation> that `has` does not know and that did not
 * change for a while: an engine leaves them behind when a stream ends badly.
 */
void room_sweep(const char *segments, bool (*has)(void *ctx, const char *path), void *ctx);

#endif
