/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the api tells of the requests it answered: how many of each class of status, and how long
 * each route took. Looked up once at the start, since it is counted at every request.
 */
#ifndef WEIR_API_METERS_H
#define WEIR_API_METERS_H

#include <stdint.h>

#include "lib/service/metrics.h"

struct api_meters;

/* `metrics` is not owned. */
struct api_meters *api_meters_new(struct weir_metrics *metrics);
void api_meters_free(struct api_meters *meters); /* NULL is fine */

/* `route`: the pattern as weir_http_route gives it, "" for none. `status` 200..599. Any thread. */
void api_meters_answered(const struct api_meters *meters, const char *route, int status,
                         int64_t duration_us);

#endif
