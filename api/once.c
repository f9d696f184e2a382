/* SPDX-License-Identifier: Apache-2.0 */
#include "api/once.h"

#include "api/keys.h"

enum weir_code api_once_lock(struct api_call *call, struct weir_db_tx *tx)
{
    const char *tenant = weir_arena_strdup(call->arena, WEIR_ID_TEXT(&call->tenant_id));
    return weir_db_exec(tx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", &tenant, 1,
                        call->arena, NULL, &call->err);
}

/* Sets `ret_id` where this key made something before. */
static enum weir_code find(struct api_call *call, struct weir_db_tx *tx, const char *key,
                           const char **ret_id)
{
    const char *params[] = {key, api_call_fingerprint(call)};
    struct weir_db_rows *rows = NULL;
    enum weir_code code = weir_db_exec(
        tx, "SELECT object_id, fingerprint = $2::bytea FROM idempotency WHERE key = $1", params, 2,
        call->arena, &rows, &call->err);
    if (code == WEIR_OK && weir_db_count(rows) > 0) {
        if (!weir_db_bool(rows, 0, 1)) {
            return api_call_refuse(call, 422, "idempotency_key_reused", NULL,
                                   "this Idempotency-Key was used for another request");
        }
        *ret_id = weir_db_text(rows, 0, 0);
    }
    return code;
}

static enum weir_code remember(struct api_call *call, struct weir_db_tx *tx, const char *key,
                               const char *id)
{
    const char *params[] = {weir_arena_strdup(call->arena, WEIR_ID_TEXT(&call->tenant_id)), key,
                            api_call_fingerprint(call), id};
    enum weir_code code =
        weir_db_exec(tx, "DELETE FROM idempotency WHERE made_at < now() - interval '24 hours'",
                     NULL, 0, call->arena, NULL, &call->err);
    return code == WEIR_OK
               ? weir_db_exec(tx,
                              "INSERT INTO idempotency (tenant_id, key, fingerprint, status, "
                              "object_id) VALUES ($1, $2, $3::bytea, 201, $4)",
                              params, 4, call->arena, NULL, &call->err)
               : code;
}

enum weir_code api_once_begin(struct api_call *call, struct weir_db_tx **tx, struct api_once *ret)
{
    *ret = (struct api_once){0};
    enum weir_code code = api_call_key(call, &ret->key);
    if (code == WEIR_OK) {
        code = weir_db_begin(call->api->db, &call->tenant_id, tx, &call->err);
    }
    if (code == WEIR_OK) {
        code = api_once_lock(call, *tx);
    }
    if (code == WEIR_OK && ret->key) {
        code = find(call, *tx, ret->key, &ret->earlier);
    }
    /* What made something is no start's or stop's. */
    return code == WEIR_OK && ret->key && !ret->earlier ? api_keys_check(call, ret->key) : code;
}

enum weir_code api_once_commit(struct api_call *call, struct weir_db_tx **tx,
                               const struct api_once *once, const char *id)
{
    enum weir_code code = once->key ? remember(call, *tx, once->key, id) : WEIR_OK;
    if (code == WEIR_OK) {
        code = weir_db_commit(tx, &call->err);
    }
    if (code == WEIR_OK && once->key) {
        api_keys_note(call, once->key);
    }
    return code;
}
