/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that make a row, done once: the Idempotency-Key is kept in the transaction that makes
 * it. One creation of a tenant at a time, so that its quotas and its keys hold.
 *
 *     code = api_once_lock(call, tx);
 *     code = api_once_find(call, tx, key, &earlier);          a key that made something already
 *     ...
 *     code = api_once_remember(call, tx, key, id_text);
 */
#ifndef WEIR_API_ONCE_H
#define WEIR_API_ONCE_H

#include "api/call.h"

/* Until the transaction ends. */
WEIR_MUST_USE enum weir_code api_once_lock(struct api_call *call, struct weir_db_tx *tx);

/* Sets `ret_id` where this key made something before; refuses with 422 when that was asked for in
 * other words. `key` NULL: nothing is asked. */
WEIR_MUST_USE enum weir_code api_once_find(struct api_call *call, struct weir_db_tx *tx,
                                           const char *key, const char **ret_id);

/* `key` NULL: nothing is kept. */
WEIR_MUST_USE enum weir_code api_once_remember(struct api_call *call, struct weir_db_tx *tx,
                                               const char *key, const char *id);

#endif
