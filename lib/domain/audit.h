/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the audit makes of a record: the link of the hash chain, whether the record counted, and
 * the rows that tenants may read. Pure, and a function of the records' bytes alone, so that the
 * daemon which stores and the tool which verifies come to the same.
 *
 * The chain of a (topic, partition) is
 *     hash(n) = SHA-256(hash(n - 1) || "topic:partition:offset:" || raw value)
 * from 32 zero bytes on; from the hash of the last one that went where its oldest were pruned
 * (audit/prune.h). Raw bytes are hashed: no form of JSON has to be agreed on.
 *
 * Of the facts only what tells of a camera's picture is kept: fact.health, fact.clock and
 * fact.remedy, of which no decision comes. The chain passes over the others: they count as read,
 * and are neither hashed nor stored.
 */
#ifndef WEIR_DOMAIN_AUDIT_H
#define WEIR_DOMAIN_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/sha256.h"
#include "lib/domain/id.h"

struct weir_event;

enum weir_audit_column {
#define WEIR_AUDIT_COLUMN(name, kind) WEIR_AUDIT_##name,
#include "lib/domain/audit_columns.def"
#undef WEIR_AUDIT_COLUMN
    WEIR_AUDIT_N_COLUMNS,
};

/* One row of a tenant; texts in the arena, NULL where there is nothing. Ids in lower case, numbers
 * in decimal. */
struct weir_audit_row {
    const char *text[WEIR_AUDIT_N_COLUMNS];
};

enum weir_audit_verdict {
    WEIR_AUDIT_VALID,
    WEIR_AUDIT_VOID,       /* a decision that nobody follows: older epoch, other instance */
    WEIR_AUDIT_UNREADABLE, /* kept all the same */
};

/* "valid", "void", "unreadable". */
const char *weir_audit_verdict_name(enum weir_audit_verdict verdict);

/* Where a chain stands: all that is needed to go on with the next record. */
struct weir_audit_chain {
    const char *topic; /* not owned */
    int32_t partition;
    int64_t first; /* offset of its first record */
    int64_t next;  /* offset that comes next */
    uint8_t head[WEIR_SHA256_BYTES];
    struct weir_id instance; /* decisions: of the log; nil until one was read */
    int64_t epoch;           /* decisions: of the leader; -1 until one was read */
};

/* An empty chain that begins at `first` >= 0. */
void weir_audit_chain_init(struct weir_audit_chain *chain, const char *topic, int32_t partition,
                           int64_t first);

struct weir_audit_entry {
    int64_t offset;
    enum weir_audit_verdict verdict;
    bool is_passed_over;     /* not part of the chain; the rest but the offset says nothing */
    const char *parse_error; /* NULL unless unreadable */
    uint8_t hash[WEIR_SHA256_BYTES];
    struct weir_audit_row *rows; /* one for each tenant's object that the record touches */
    size_t n_rows;
    const struct weir_event *event; /* as it was read; NULL when unreadable */
};

/*
 * Takes the next record into the chain.
 *
 * `raw`    the record's value; NULL (with len 0) for none.
 * `arena`  owns what `ret` points to.
 *
 * WEIR_ECORRUPT when `offset` is not chain->next: records are missing, or come twice. The chain is
 * unchanged then. Everything else is an entry: a record that cannot be read too, but for facts.
 */
WEIR_MUST_USE enum weir_code weir_audit_take(struct weir_audit_chain *chain, int64_t offset,
                                             const void *raw, size_t len, struct weir_arena *arena,
                                             struct weir_audit_entry *ret, struct weir_err *err);

/*
 * Goes on at `offset`, as after the records before it were taken: by a reader of what is stored,
 * where those that were passed over are not. WEIR_ECORRUPT where this chain passes over none, or
 * `offset` lies behind.
 */
WEIR_MUST_USE enum weir_code weir_audit_skip(struct weir_audit_chain *chain, int64_t offset,
                                             struct weir_err *err);

#endif
