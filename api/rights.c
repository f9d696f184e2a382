/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rights.h"

#include <stdlib.h>
#include <string.h>

#include "api/grant_rules.h"
#include "api/ticket_ids.h"

#define RETRY_S "1"

bool api_rights_by_role(const struct api_call *call, enum weir_role need)
{
    return call->who.role >= need;
}

const char *api_rights_guest(const struct api_call *call)
{
    return api_rights_by_role(call, WEIR_ROLE_VIEWER) ? NULL : call->actor;
}

enum weir_code api_rights_fail(struct api_call *call, enum weir_code code)
{
    if (code != WEIR_EUNAVAILABLE && code != WEIR_ETIMEOUT && code != WEIR_EUNKNOWN) {
        return code;
    }
    weir_http_add_header(call->res, "Retry-After", RETRY_S);
    return api_call_refuse(call, 503, "rights_unknown", NULL,
                           "what was granted is not known at this moment");
}

static bool read_way(const struct weir_db_rows *rows, const struct weir_id *camera_id,
                     struct api_way *ret)
{
    struct weir_id group_id;
    const char *grant = weir_db_text(rows, 0, 0);
    const char *group = weir_db_text(rows, 0, 1);
    if (weir_id_parse(grant, strlen(grant), &ret->grant_id, NULL) != WEIR_OK ||
        weir_id_parse(group, strlen(group), &group_id, NULL) != WEIR_OK) {
        return false;
    }
    ret->membership_id = ticket_membership_id(&group_id, camera_id);
    ret->ends_at_ms = weir_db_text(rows, 0, 2) ? weir_db_int(rows, 0, 2) : GRANT_ENDLESS;
    return true;
}

enum weir_code api_rights_find(struct api_call *call, struct weir_db_tx *tx,
                               const struct weir_id *camera_id, enum weir_role need, bool *ret_may,
                               struct api_way *ret)
{
    const char *params[] = {
        weir_arena_strdup(call->arena, WEIR_ID_TEXT(&call->tenant_id)),
        call->actor,
        camera_id ? weir_arena_strdup(call->arena, WEIR_ID_TEXT(camera_id)) : NULL,
        need >= WEIR_ROLE_OPERATOR ? "operator" : NULL,
    };
    struct weir_db_rows *rows = NULL;
    enum weir_code code =
        weir_db_exec(tx,
                     "SELECT g.id, g.group_id, (extract(epoch FROM g.ends_at) * 1000)::bigint"
                     " FROM camera_grant g JOIN camera_group_member m"
                     " ON m.tenant_id = g.tenant_id AND m.group_id = g.group_id"
                     " WHERE g.tenant_id = $1 AND g.subject = $2 AND m.camera_id = $3"
                     " AND ($4::text IS NULL OR g.role = $4)"
                     " AND (g.ends_at IS NULL OR g.ends_at > clock_timestamp())"
                     " ORDER BY g.ends_at DESC NULLS FIRST, g.id LIMIT 1",
                     params, sizeof(params) / sizeof(params[0]), call->arena, &rows, &call->err);
    if (code == WEIR_OK) {
        *ret_may = weir_db_count(rows) > 0 && read_way(rows, camera_id, ret);
    }
    return code;
}

enum weir_code api_rights_ask(struct api_call *call, const struct weir_id *camera_id,
                              enum weir_role need, bool *ret_may)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct api_way way;
    if (weir_http_is_inline(call->req)) {
        return api_call_later(call);
    }
    enum weir_code code = weir_db_begin(call->api->db, &call->tenant_id, &tx, &call->err);
    if (code == WEIR_OK) {
        code = api_rights_find(call, tx, camera_id, need, ret_may, &way);
    }
    return api_rights_fail(call, code);
}

enum weir_code api_rights_granted(struct api_call *call, struct api_granted *ret)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    const char *subject = call->actor;
    enum weir_code code = weir_db_begin(call->api->db, &call->tenant_id, &tx, &call->err);
    if (code == WEIR_OK) {
        code = weir_db_exec(tx,
                            "SELECT id FROM camera WHERE " API_RIGHTS_SQL_SEES("$1") " ORDER BY id",
                            &subject, 1, call->arena, &rows, &call->err);
    }
    if (code != WEIR_OK) {
        return api_rights_fail(call, code);
    }
    struct api_granted granted = {
        .cameras = weir_arena_array(call->arena, weir_db_count(rows) + 1, sizeof(struct weir_id))};
    for (size_t row = 0; row < weir_db_count(rows); row++) {
        const char *text = weir_db_text(rows, row, 0);
        if (weir_id_parse(text, strlen(text), &granted.cameras[granted.n], NULL) == WEIR_OK) {
            granted.n++;
        }
    }
    *ret = granted;
    return WEIR_OK;
}

static int compare(const void *a, const void *b)
{
    return weir_id_compare(a, b);
}

bool api_rights_is_granted(const struct api_granted *granted, const struct weir_id *camera_id)
{
    return bsearch(camera_id, granted->cameras, granted->n, sizeof(*camera_id), compare) != NULL;
}

void api_rights_note_denied(struct api_call *call, const char *object_type,
                            const struct weir_id *object_id)
{
    api_call_note(call, "access", object_type, object_id, WEIR_EV_AUDIT_ACCESS_OUTCOME_DENIED,
                  weir_arena_printf(call->arena, "no grant: %s %s", weir_http_method(call->req),
                                    weir_http_route(call->req)));
}

enum weir_code api_rights_see_camera(struct api_call *call, const struct weir_id *camera_id)
{
    bool may = api_rights_by_role(call, WEIR_ROLE_VIEWER);
    enum weir_code code = may ? WEIR_OK : api_rights_ask(call, camera_id, WEIR_ROLE_VIEWER, &may);
    if (code == WEIR_OK && !may) {
        api_rights_note_denied(call, "camera", camera_id);
        return api_call_not_found(call);
    }
    return code;
}
