/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idempotency-Keys of starts and stops: whether a key names this wish, or was used for another one.
 * That a repeat is done once needs none of this: a command's id comes from its key.
 *
 * Redis remembers a key for a day; the log of commands the newest ones (api/used_keys.h); while
 * Redis is away, Postgres does (docs/adr/0032).
 */
#ifndef WEIR_API_KEYS_H
#define WEIR_API_KEYS_H

#include "api/call.h"
#include "api/used_keys.h"

/* The id of the command that `key` makes; a new one where it is NULL. */
struct weir_id api_keys_command_id(const struct api_call *call, const char *key);

/* 422 when the key was used for another wish. While nobody can be asked it is taken for a new one.
 * `ret_asked` is set where Postgres was asked, else left alone. */
WEIR_MUST_USE enum weir_code api_keys_judge(struct api_call *call, const char *key,
                                            enum used_for what, const struct weir_id *stream_id,
                                            bool *ret_asked);

/* As above, of a wish that changes nothing, such as the start of a stream that lives: nothing is
 * remembered, so that no row of Redis is left for each of any number of such requests. */
WEIR_MUST_USE enum weir_code api_keys_look(struct api_call *call, const char *key,
                                           enum used_for what, const struct weir_id *stream_id,
                                           bool *ret_asked);

/* For what Postgres remembers with the object that it made: 422 when a start or stop had the key.
 * Nothing is remembered. */
WEIR_MUST_USE enum weir_code api_keys_check(struct api_call *call, const char *key);
/* The key made an object: starts and stops cannot have it any more. */
void api_keys_note(struct api_call *call, const char *key);

#endif
