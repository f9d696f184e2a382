/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One term of leading a cell (DESIGN section 2): takeover, folding up to it, reading the
 * configuration, then inputs -> core -> log until something is not as it should be. Then the term
 * is over, and whoever leads next starts from the log: nothing is repaired here.
 *
 *     leader_new()      appends the takeover; its offset will be the epoch
 *     leader_followed() for each valid decision read back
 *     leader_pump()     often; false: the term is over, leader_why() says why
 *     leader_free()     what was not acknowledged has an unknown outcome; the log tells
 *
 * Decisions are applied to the leader's own ledger at once and appended without waiting; the ledger
 * that others fold may be behind it, never different.
 */
#ifndef SCHEDULER_LEADER_H
#define SCHEDULER_LEADER_H

#include "lib/io/bus.h"
#include "lib/service/follower.h"
#include "scheduler/dead_letters.h"
#include "scheduler/meters.h"
#include "scheduler/settings.h"

struct leader;

struct leader_env {
    const struct scheduler_settings *settings;
    const struct meters *meters;
    struct dead_letters *dead_letters;
    weir_bus_wake_fn *wake; /* pump soon; from any thread */
    void *wake_ctx;
};

/* `follower` is caught up; its ledger is what the takeover builds on. */
WEIR_MUST_USE enum weir_code leader_new(const struct leader_env *env,
                                        const struct weir_follower *follower, struct leader **ret,
                                        struct weir_err *err);
void leader_free(struct leader **leader);

void leader_followed(struct leader *leader, const struct weir_follower_decision *read);
bool leader_pump(struct leader *leader);

/* Ends the term for a reason seen from outside; the next pump is false. */
void leader_end(struct leader *leader, const char *why);
const char *leader_why(const struct leader *leader);
/* Whether it ended because another scheduler took over. */
bool leader_is_replaced(const struct leader *leader);

/* Whether it decides now. */
bool leader_is_leading(const struct leader *leader);
int64_t leader_epoch(const struct leader *leader); /* -1: not known yet */

/* Placement score of a worker, see core_score; -1 while it does not decide. */
int64_t leader_score(struct leader *leader, const struct weir_id *worker_id);

/* As core_encoders; "" while not leading. */
const char *leader_encoders(const struct leader *leader, const struct weir_id *worker_id,
                            char *text);

#endif
