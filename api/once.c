/* SPDX-License-Identifier: Apache-2.0 */
#include "api/once.h"

enum weir_code api_once_lock(struct api_call *call, struct weir_db_tx *tx)
{
    const char *tenant = weir_arena_strdup(call->arena, WEIR_ID_TEXT(&call->tenant_id));
    return weir_db_exec(tx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", &tenant, 1,
                        call->arena, NULL, &call->err);
}

enum weir_code api_once_find(struct api_call *call, struct weir_db_tx *tx, const char *key,
                             const char **ret_id)
{
    if (!key) {
        return WEIR_OK;
    }
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

enum weir_code api_once_remember(struct api_call *call, struct weir_db_tx *tx, const char *key,
                                 const char *id)
{
    if (!key) {
        return WEIR_OK;
    }
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
