/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newest version that was heard of each entity, for as many as there is room for: what is older
 * than that, wherever it comes from, is out of date.
 *
 *     weir_versions_hear(heard, &camera_id, 7);
 *     weir_versions_least(heard, &camera_id)        7; 0 where nothing was heard
 *
 * One thread.
 */
#ifndef WEIR_DOMAIN_VERSIONS_H
#define WEIR_DOMAIN_VERSIONS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/domain/id.h"

struct weir_versions;

/* Keeps the `max` entities that were heard of last; some 100 bytes each. */
struct weir_versions *weir_versions_new(size_t max);
void weir_versions_free(struct weir_versions *versions); /* NULL is fine */

/* An older version than the one known is no news. */
void weir_versions_hear(struct weir_versions *versions, const struct weir_id *id, int64_t version);

int64_t weir_versions_least(const struct weir_versions *versions, const struct weir_id *id);

#endif
