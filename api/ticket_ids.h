/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that tickets and revocations share, computed the same way wherever they are needed, so
 * that nobody has to remember who got which ticket. Pure.
 *
 * A pseudonym names a user or a login within one tenant: another tenant's ticket of the same user
 * has another one, and no ticket, log or event tells who somebody is. A ticket's id is marked with
 * its tenant: a tenant that names another's ticket is told that there is none.
 */
#ifndef WEIR_API_TICKET_IDS_H
#define WEIR_API_TICKET_IDS_H

#include "lib/domain/id.h"

/* Pseudonym of a token's subject, and of its session. */
struct weir_id ticket_viewer_id(const struct weir_id *tenant_id, const struct weir_id *subject);
struct weir_id ticket_login_id(const struct weir_id *tenant_id, const struct weir_id *session_id);

/* Of a camera in a group, for as often as it is put there. */
struct weir_id ticket_membership_id(const struct weir_id *group_id,
                                    const struct weir_id *camera_id);

/* A version 8 UUID (RFC 9562 section 5.8): the time as in version 7, 42 random bits, and 32 that
 * follow from the rest and the tenant. */
struct weir_id ticket_id_new(const struct weir_id *tenant_id, int64_t wall_ms);

/* Another tenant's id passes with a probability of 2^-32, and nobody can choose it. */
bool ticket_id_is_of(const struct weir_id *ticket_id, const struct weir_id *tenant_id);

#endif
