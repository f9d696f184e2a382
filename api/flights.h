/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cameras that somebody asks Postgres for right now, so that all who want the same one at that
 * moment wait for one answer. Thread-safe.
 *
 *     enum flights_verdict verdict = flights_board(flights, &tenant_id, &camera_id, until_ms);
 *     ...                                       FLIGHTS_FIRST and FLIGHTS_ALONE ask
 *     if (verdict == FLIGHTS_FIRST)
 *         flights_land(flights, &tenant_id, &camera_id);
 *
 * A flight is a tenant's: who asks for a camera of another tenant, which is a 404 for him, neither
 * waits for its owner nor has the owner wait for him.
 */
#ifndef WEIR_API_FLIGHTS_H
#define WEIR_API_FLIGHTS_H

#include <stdint.h>

#include "lib/domain/id.h"

#define FLIGHTS_MAX 64 /* at once; who comes then asks for himself */

struct flights;

enum flights_verdict {
    FLIGHTS_FIRST, /* the caller asks for all; flights_land() when he has the answer or none */
    FLIGHTS_ALONE, /* there are too many flights: the caller asks for himself */
    FLIGHTS_OVER,  /* another caller asked, and has his answer or took longer than `until` */
};

struct flights *flights_new(void);
void flights_free(struct flights *flights); /* NULL is fine; nobody may wait any more */

/* Waits for another caller's flight until `until_mono_ms` at most (CLOCK_MONOTONIC). */
enum flights_verdict flights_board(struct flights *flights, const struct weir_id *tenant_id,
                                   const struct weir_id *camera_id, int64_t until_mono_ms);
/* Once for each FLIGHTS_FIRST. */
void flights_land(struct flights *flights, const struct weir_id *tenant_id,
                  const struct weir_id *camera_id);

#endif
