/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of grants: how long one may last, what it leaves of a ticket's life, and when a change
 * takes tickets back. Pure; all times are Unix milliseconds.
 *
 * docs/adr/0029-rights-by-grant.md
 */
#ifndef WEIR_API_GRANT_RULES_H
#define WEIR_API_GRANT_RULES_H

#include <stdbool.h>
#include <stdint.h>

#define GRANT_ENDLESS     INT64_MAX
#define GRANT_END_MOST_MS (3660LL * 86400 * 1000) /* ahead; what is to last has no end */

enum grant_end { GRANT_END_OK, GRANT_END_PAST, GRANT_END_FAR };

/* Whether somebody may set a grant's end, GRANT_ENDLESS included, to `end_ms`. */
enum grant_end grant_end_judge(int64_t end_ms, int64_t now_ms);

/*
 * The end that a ticket of `issued_ms` is signed with, in whole seconds: after `life_ms`, and in
 * any case so that no door plays it after the grant's end. Doors give each ticket
 * WEIR_TICKET_LEEWAY_MS, which is taken off here; so it may lie before `issued_ms`.
 */
int64_t grant_ticket_end_ms(int64_t issued_ms, int64_t life_ms, int64_t grant_end_ms);

/* Whether tickets given by the grant may outlive its new end, and must be revoked. */
bool grant_takes_back(int64_t old_end_ms, int64_t new_end_ms, int64_t now_ms);

#endif
