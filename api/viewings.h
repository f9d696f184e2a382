/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who watches, on its way from the doors' reports into the audit: of what doors say every few
 * seconds, a record a part goes on at once when it is new, then every VIEWINGS_PERIOD_MS, and at
 * its end. A record says all that was counted so far, so one that gets lost costs nothing but the
 * time until the next, and several apis may hear of one part. Thread-safe.
 */
#ifndef WEIR_API_VIEWINGS_H
#define WEIR_API_VIEWINGS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/domain/events.h"

#define VIEWINGS_PERIOD_MS 30000
#define VIEWINGS_END_MS    12000 /* nothing heard for so long */

struct viewings;

/* With a lock held: must not block nor call back. */
typedef void viewings_send_fn(void *ctx, const struct weir_ev_audit_viewing *record);

/* Remembers `max` parts; of more, every report is sent. */
struct viewings *viewings_new(size_t max, viewings_send_fn *send, void *ctx);
/* Sends what is due. NULL is fine. */
void viewings_free(struct viewings *viewings);

void viewings_note(struct viewings *viewings, const struct weir_ev_audit_viewing *record,
                   int64_t mono_ms);

/* Call it every second. */
void viewings_tick(struct viewings *viewings, int64_t mono_ms);

size_t viewings_count(struct viewings *viewings);

#endif
