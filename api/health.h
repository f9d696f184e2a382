/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions of /readyz that must be asked for: a thread of its own pings key set, Postgres and
 * Kafka, so that none of them can hold a request. Being caught up with the log is told by the view.
 */
#ifndef WEIR_API_HEALTH_H
#define WEIR_API_HEALTH_H

#include "lib/io/auth.h"
#include "lib/io/db.h"
#include "lib/service/service.h"

struct api_health;

/* All arguments are kept and must outlive it. */
struct api_health *api_health_new(struct weir_service *service, struct weir_auth *auth,
                                  struct weir_db *db, const char *brokers);
void api_health_free(struct api_health *health); /* NULL is fine */

#endif
