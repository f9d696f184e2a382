/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/revocations: what is taken back, and how every other change takes something back: one row
 * and its outbox row in the transaction of the change (docs/adr/0025).
 */
#ifndef WEIR_API_REVOKE_H
#define WEIR_API_REVOKE_H

#include "api/call.h"
#include "api/revocations.h"

struct api_revocation {
    enum weir_ev_config_revocation_kind kind;
    struct weir_id object_id;
    bool is_final;      /* nothing of it may be issued again: it is gone */
    const char *reason; /* for people; may be NULL */
};

/*
 * Puts it into the open transaction, which must be the tenant's or the platform's, as the last
 * thing before its commit: it waits for tickets that are being minted in the tenant, and makes
 * others wait. `ret` (may be NULL) gets the new row, see revoke.c.
 */
WEIR_MUST_USE enum weir_code api_revoke(struct api_call *call, struct weir_db_tx *tx,
                                        const struct weir_id *tenant_id,
                                        const struct api_revocation *what,
                                        struct weir_db_rows **ret);

/* Whoever mints a ticket in this transaction sees all revocations that were answered before, and
 * those to come see the ticket. */
WEIR_MUST_USE enum weir_code api_revoke_lock_out(struct api_call *call, struct weir_db_tx *tx,
                                                 const struct weir_id *tenant_id);

/* 429 when the tenant has more revocations that still count than it may. What is deleted is revoked
 * all the same; so whoever makes what will be deleted asks here first, or nothing would bound them.
 */
WEIR_MUST_USE enum weir_code api_revoke_check_quota(struct api_call *call, struct weir_db_tx *tx,
                                                    const struct weir_id *tenant_id);

weir_http_handler_fn api_revocations_list;
weir_http_handler_fn api_revocations_create;

#endif
