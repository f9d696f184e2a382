/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit's tables (migrations/20261122000100_audit.sql). A batch is stored whole or not at all,
 * and only on top of the chain it was made for: exactly once follows from the compare-and-set of
 * the row in audit_offset, whoever else writes. Its oldest records may go: audit/prune.h.
 */
#ifndef AUDIT_TABLE_H
#define AUDIT_TABLE_H

#include "audit/batch.h"
#include "lib/io/db.h"

/* Reads where the chain of `chain->topic`, `chain->partition` stands. WEIR_ENOTFOUND: not begun. */
WEIR_MUST_USE enum weir_code audit_table_load(struct weir_db *db, struct weir_audit_chain *chain,
                                              struct weir_err *err);

/* Begins a chain; does nothing where another instance has just done it. */
WEIR_MUST_USE enum weir_code
audit_table_begin(struct weir_db *db, const struct weir_audit_chain *chain, struct weir_err *err);

/* WEIR_ESTALE: the chain stands elsewhere, another instance writes. WEIR_EUNKNOWN: load again. */
WEIR_MUST_USE enum weir_code audit_table_store(struct weir_db *db, const struct audit_batch *batch,
                                               struct weir_err *err);

#endif
