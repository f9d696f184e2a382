/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who should lead the cell: the member of the group `weir-scheduler-<cell>` that owns the cell's
 * partition of the commands. Only a hint, for speed; what keeps two leaders from doing harm is the
 * decision log (DESIGN section 2). Messages that the group delivers are not used.
 *
 * Among the members the one that was opened first wins, so that a scheduler that starts, or starts
 * again, takes the lead from nobody. Each rebalance revokes it for a moment all the same: to lose
 * the election is no reason to stop leading, only another one's takeover is. Who lost the lead to
 * another, or slept, stands again as the youngest and does not take it back.
 */
#ifndef SCHEDULER_ELECTION_H
#define SCHEDULER_ELECTION_H

#include "lib/io/bus.h"

struct election;

WEIR_MUST_USE enum weir_code election_open(const char *brokers, int32_t cell,
                                           int64_t session_timeout_ms, weir_bus_wake_fn *wake,
                                           void *wake_ctx, struct election **ret,
                                           struct weir_err *err);
void election_close(struct election **election);

/* Leaves the group and joins it as the youngest; not won until the next election. May wait for a
 * broker that is silent. */
void election_stand_again(struct election *election);

/* Does not block; to be called several times a second. */
void election_poll(struct election *election);
bool election_is_won(const struct election *election);

#endif
