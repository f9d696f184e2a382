/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many tickets of a viewer, and of a tenant, are valid at once, so that a login that leaked
 * cannot make them without end. Each api counts those that it made itself: behind n apis it may be
 * n times as many. What was revoked counts until it would have ended. Thread-safe.
 */
#ifndef WEIR_API_TICKET_QUOTA_H
#define WEIR_API_TICKET_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/domain/id.h"

struct ticket_quota;

struct ticket_quota_config {
    int64_t viewer_max;
    int64_t tenant_max;
    int64_t life_ms; /* of a ticket, > 0 */
};

struct ticket_quota *ticket_quota_new(const struct ticket_quota_config *config);
void ticket_quota_free(struct ticket_quota *quota); /* NULL is fine */

enum ticket_quota_verdict { TICKET_QUOTA_OK, TICKET_QUOTA_VIEWER, TICKET_QUOTA_TENANT };

/* Counts one more; or says whose limit is reached, and in `ret_retry_ms` (> 0) when there will be
 * room. Places get free a 32nd of a life at a time, never early. */
enum ticket_quota_verdict ticket_quota_take(struct ticket_quota *quota,
                                            const struct weir_id *tenant_id,
                                            const struct weir_id *viewer_id, int64_t mono_ms,
                                            int64_t *ret_retry_ms);

#endif
