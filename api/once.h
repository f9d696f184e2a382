/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that make a row, done once: the Idempotency-Key is kept in the transaction that makes
 * it. One creation of a tenant at a time, so that its quotas and its keys hold.
 *
 *     struct api_once once;
 *     code = api_once_begin(call, &tx, &once);
 *     if (code == WEIR_OK && once.earlier)                    its key made that row already
 *         return answer_earlier(call, tx, once.earlier);
 *     ...                                                     quotas, the row
 *     code = api_once_commit(call, &tx, &once, id_text);
 */
#ifndef WEIR_API_ONCE_H
#define WEIR_API_ONCE_H

#include "api/call.h"

/* In the call's arena. */
struct api_once {
    const char *key;     /* NULL: none was given, and nothing is kept */
    const char *earlier; /* the id of what this key made before, or NULL */
};

/* A transaction of the tenant, alone among those that create (api_once_lock). 422 where the key was
 * used for another request, of whatever kind. */
WEIR_MUST_USE enum weir_code api_once_begin(struct api_call *call, struct weir_db_tx **tx,
                                            struct api_once *ret);

/* Commits the row `id` with its key; starts and stops cannot have that key any more. */
WEIR_MUST_USE enum weir_code api_once_commit(struct api_call *call, struct weir_db_tx **tx,
                                             const struct api_once *once, const char *id);

/* For changes that a quota counts, too. Until the transaction ends. */
WEIR_MUST_USE enum weir_code api_once_lock(struct api_call *call, struct weir_db_tx *tx);

#endif
