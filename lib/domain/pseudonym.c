/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/pseudonym.h"

#include <stdio.h>

struct weir_id weir_pseudonym(const struct weir_id *space, const struct weir_id *tenant_id,
                              const struct weir_id *id)
{
    char name[2 * WEIR_ID_TEXT_MAX + 1];
    int len = snprintf(name, sizeof(name), "%s|%s", WEIR_ID_TEXT(tenant_id), WEIR_ID_TEXT(id));
    return weir_id_v5(space, name, (size_t)len);
}
