/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody may do by grants, where his role in the tenant does not go so far. A guest sees and
 * plays only what is granted; a viewer may stop what he was made an operator of. Postgres is asked
 * each time, one statement, and what it cannot say is not allowed: 503 rights_unknown. Who may by
 * his role is never asked for here.
 *
 *     bool may = api_rights_by_role(call, WEIR_ROLE_OPERATOR);
 *     if (!may) {
 *         code = api_rights_ask(call, &camera_id, WEIR_ROLE_OPERATOR, &may);
 *     }
 *
 * docs/adr/0029-rights-by-grant.md
 */
#ifndef WEIR_API_RIGHTS_H
#define WEIR_API_RIGHTS_H

#include "api/call.h"

/* The best way to a camera: the one that ends last. */
struct api_way {
    struct weir_id grant_id;
    struct weir_id membership_id;
    int64_t ends_at_ms; /* GRANT_ENDLESS: never */
};

/* Cameras that somebody sees by grants. */
struct api_granted {
    struct weir_id *cameras; /* rising, in the call's arena */
    size_t n;
};

/* A condition on camera.id: seen by the subject that this parameter holds, or it is NULL. */
#define API_RIGHTS_SQL_SEES(param)                                                                 \
    "(" param "::uuid IS NULL OR id IN (SELECT m.camera_id FROM camera_grant g"                    \
    " JOIN camera_group_member m ON m.tenant_id = g.tenant_id AND m.group_id = g.group_id"         \
    " WHERE g.subject = " param "::uuid AND (g.ends_at IS NULL OR g.ends_at > now())))"

/* Whether the caller's role in the tenant is enough, for every camera. */
bool api_rights_by_role(const struct api_call *call, enum weir_role need);

/* For API_RIGHTS_SQL_SEES: the caller if he is a guest, else NULL. */
const char *api_rights_guest(const struct api_call *call);

/*
 * Whether the caller has `need` for this camera by a grant. `camera_id` NULL: of one that is not
 * there; it is asked all the same, so that nobody can tell it from one that is not granted. On the
 * server's thread it ends the run, to be run again in the pool.
 */
WEIR_MUST_USE enum weir_code api_rights_ask(struct api_call *call, const struct weir_id *camera_id,
                                            enum weir_role need, bool *ret_may);

/* Whether the caller sees the camera, by his role or by a grant; answers as for one that is not
 * there where he does not. Whether it is there is not looked at. */
WEIR_MUST_USE enum weir_code api_rights_see_camera(struct api_call *call,
                                                   const struct weir_id *camera_id);

/* The same in a transaction of the tenant, and by what. `ret_may` false: `ret` is not set. */
WEIR_MUST_USE enum weir_code api_rights_find(struct api_call *call, struct weir_db_tx *tx,
                                             const struct weir_id *camera_id, enum weir_role need,
                                             bool *ret_may, struct api_way *ret);

/* All that a guest sees. */
WEIR_MUST_USE enum weir_code api_rights_granted(struct api_call *call, struct api_granted *ret);
bool api_rights_is_granted(const struct api_granted *granted, const struct weir_id *camera_id);

/* Answers 503 where `code` says that Postgres is away; another code as it is. */
enum weir_code api_rights_fail(struct api_call *call, enum weir_code code);

/* Tells the audit that the caller wanted to and had no grant. */
void api_rights_note_denied(struct api_call *call, const char *object_type,
                            const struct weir_id *object_id);

#endif
