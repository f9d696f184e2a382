/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes because it is older than it is kept (migrations/20261130520000_ages_of_audit.sql). In
 * rounds, a batch at a time, so that records are stored in between: the chains one after the other,
 * each from its start on, then viewings, then what is left of deleted tenants. Any number of
 * instances may do it at once.
 *
 *     if (audit_pruner_is_due(&pruner, now_mono_ms))
 *         code = audit_prune(&pruner, db, settings, now_mono_ms, &n, &err);
 */
#ifndef AUDIT_PRUNE_H
#define AUDIT_PRUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/settings.h"
#include "lib/io/db.h"

#define AUDIT_PRUNE_ROUND_MS 600000 /* from the end of a round to the next */
#define AUDIT_PRUNE_PAUSE_MS 200    /* between two batches: storing comes first */
#define AUDIT_PRUNE_BATCH    1000   /* rows of a kind */

/* All zero: a round begins at once. */
struct audit_pruner {
    size_t job;
    int64_t due_mono_ms;
};

bool audit_pruner_is_due(const struct audit_pruner *pruner, int64_t now_mono_ms);

/*
 * The next batch.
 *
 * `settings`  how long what is kept.
 * `ret_n`     rows that went, of the kind of which most went; set on success only.
 *
 * WEIR_ECORRUPT where a chain's oldest records are not those that were hashed: they stay. Whatever
 * went wrong, the next call goes on with what comes after it.
 */
WEIR_MUST_USE enum weir_code audit_prune(struct audit_pruner *pruner, struct weir_db *db,
                                         const struct audit_settings *settings, int64_t now_mono_ms,
                                         int64_t *ret_n, struct weir_err *err);

#endif
