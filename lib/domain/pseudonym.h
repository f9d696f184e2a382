/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pseudonyms: what tickets and reports call a user or a login within one tenant. Another tenant's
 * of the same user is another one. Computed wherever needed, never looked up. Pure.
 */
#ifndef WEIR_DOMAIN_PSEUDONYM_H
#define WEIR_DOMAIN_PSEUDONYM_H

#include "lib/domain/id.h"

/* `space`: weir_space_viewer for a token's subject, weir_space_login for its session. */
struct weir_id weir_pseudonym(const struct weir_id *space, const struct weir_id *tenant_id,
                              const struct weir_id *id);

#endif
