/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was revoked lately: which tickets are void, and which access tokens are refused though they
 * are signed and not over. Rules and memory only; api/config.h brings the entries. Thread-safe.
 *
 * A ticket is void when one of its claims is revoked and it was issued at `before_s` or before. An
 * entry is kept for as long as something that it concerns can still be valid, by the monotonic
 * clock from when it came here: no wall clock that leaps makes it forget one. The list is bounded:
 * what no longer fits revokes all of its tenant instead, for refusing too much is the lesser evil.
 *
 * docs/adr/0025-tickets-can-be-taken-back.md
 */
#ifndef WEIR_API_REVOCATIONS_H
#define WEIR_API_REVOCATIONS_H

#include "lib/domain/events.h"
#include "lib/domain/json.h"
#include "lib/io/auth.h"
#include "lib/io/ticket.h"

/* From a revocation on, until the last thing that it concerns is over: a life and two clocks. */
#define REVOCATIONS_TICKETS_S (WEIR_TICKET_LIFE_MAX_S + 60)
#define REVOCATIONS_TOKENS_S  (86400 + 120)
/* An api that has not heard for longer whether there are more vouches for none. */
#define REVOCATIONS_CURRENT_MS 10000

struct revocations;

/* "camera" and so on: names in requests, rows and events are the same. */
const char *revocations_kind_name(enum weir_ev_config_revocation_kind kind);
bool revocations_kind_get(const char *name, enum weir_ev_config_revocation_kind *ret);

struct revocations *revocations_new(size_t max);
void revocations_free(struct revocations *list); /* NULL is fine */

/* Twice is as good as once. */
void revocations_put(struct revocations *list, const struct weir_ev_config_revocation *entry,
                     int64_t mono_ms);

/* A tenant that was stopped or removed, or goes on. */
void revocations_stop(struct revocations *list, const struct weir_id *tenant_id, bool is_stopped);
bool revocations_is_stopped(struct revocations *list, const struct weir_id *tenant_id);

/* All that had been made at `mono_ms` is here. `revision` never falls while the topic lives. */
void revocations_reached(struct revocations *list, int64_t revision, int64_t mono_ms);

/* False until all that had been made at some time was here: then nothing may be allowed. */
bool revocations_is_known(struct revocations *list);
/* Whether that time is less than REVOCATIONS_CURRENT_MS ago. */
bool revocations_is_current(struct revocations *list, int64_t mono_ms);

bool revocations_is_void(struct revocations *list, const struct weir_ticket *ticket);

/* Whether a token that is good otherwise is refused. One without a tenant never is. */
bool revocations_is_refused(struct revocations *list, const struct weir_principal *who);

/* Writes an array of what tickets can still be void by, {"claim","value","before_s"} each, for
 * those who verify by themselves. Returns the revision. */
int64_t revocations_write(struct revocations *list, struct weir_json_out *out, const char *name,
                          int64_t mono_ms);

/* Forgets what is over. Now and then. */
void revocations_sweep(struct revocations *list, int64_t mono_ms);

size_t revocations_count(struct revocations *list);

#endif
