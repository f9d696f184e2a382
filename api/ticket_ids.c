/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ticket_ids.h"

#include <string.h>

#include "lib/base/sha256.h"
#include "lib/domain/pseudonym.h"

#define MARK_BYTES 4
#define MARK_AT    (sizeof(struct weir_id) - MARK_BYTES)

static const char mark_name[] = "weir ticket id";

struct weir_id ticket_viewer_id(const struct weir_id *tenant_id, const struct weir_id *subject)
{
    return weir_pseudonym(&weir_space_viewer, tenant_id, subject);
}

struct weir_id ticket_login_id(const struct weir_id *tenant_id, const struct weir_id *session_id)
{
    return weir_pseudonym(&weir_space_login, tenant_id, session_id);
}

struct weir_id ticket_membership_id(const struct weir_id *group_id, const struct weir_id *camera_id)
{
    return weir_pseudonym(&weir_space_membership, group_id, camera_id);
}

static void mark(const struct weir_id *id, const struct weir_id *tenant_id,
                 uint8_t ret[static MARK_BYTES])
{
    struct weir_sha256 sha;
    uint8_t hash[WEIR_SHA256_BYTES];
    weir_sha256_init(&sha);
    weir_sha256_add(&sha, mark_name, sizeof(mark_name));
    weir_sha256_add(&sha, tenant_id->b, sizeof(tenant_id->b));
    weir_sha256_add(&sha, id->b, MARK_AT);
    weir_sha256_done(&sha, hash);
    memcpy(ret, hash, MARK_BYTES);
}

struct weir_id ticket_id_new(const struct weir_id *tenant_id, int64_t wall_ms)
{
    struct weir_id id = weir_id_new(wall_ms);
    id.b[6] = (uint8_t)(0x80 | (id.b[6] & 0x0f));
    mark(&id, tenant_id, id.b + MARK_AT);
    return id;
}

bool ticket_id_is_of(const struct weir_id *ticket_id, const struct weir_id *tenant_id)
{
    uint8_t wanted[MARK_BYTES];
    mark(ticket_id, tenant_id, wanted);
    return ticket_id->b[6] >> 4 == 8 && memcmp(ticket_id->b + MARK_AT, wanted, MARK_BYTES) == 0;
}
