/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ids of commands were for, as read from the log of commands: an Idempotency-Key makes the
 * id of its command, so a key that comes again with another wish is told by it, whatever Redis
 * forgot. It knows the newest commands that this api has read since it began. Thread-safe.
 */
#ifndef WEIR_API_USED_KEYS_H
#define WEIR_API_USED_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/domain/id.h"

struct used_keys;

enum used_for { USED_FOR_START, USED_FOR_STOP };

/* Keeps the `max` newest; some 130 bytes each. */
struct used_keys *used_keys_new(size_t max);
void used_keys_free(struct used_keys *keys); /* NULL is fine */

void used_keys_note(struct used_keys *keys, const struct weir_id *command_id, enum used_for what,
                    const struct weir_id *stream_id);

/* True when the id is known to have been for another wish. */
bool used_keys_is_other(struct used_keys *keys, const struct weir_id *command_id,
                        enum used_for what, const struct weir_id *stream_id);

#endif
