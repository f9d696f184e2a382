/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who watched what (migrations/20261129000200_viewing_audit.sql): sessions out of the doors'
 * counts, whose the pseudonyms are, out of the tickets that were made, and which tenants were
 * deleted. Part of the transaction
 * that stores the records, so each is folded once.
 */
#ifndef AUDIT_VIEWINGS_H
#define AUDIT_VIEWINGS_H

#include "audit/batch.h"
#include "lib/io/db.h"

WEIR_MUST_USE enum weir_code
audit_viewings_store(struct weir_db_tx *tx, const struct audit_batch *batch, struct weir_err *err);

#endif
