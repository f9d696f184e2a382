/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Postgres by libpq: a small pool of connections, transactions as one tenant, parameters always
 * apart from the text.
 *
 *     struct weir_db_tx *tx = NULL;
 *     WEIR_TRY(weir_db_begin(db, &tenant_id, &tx, err));       SET LOCAL app.tenant_id = ...
 *     WEIR_TRY(weir_db_exec(tx, "SELECT name FROM camera WHERE id = $1", params, 1, &rows, err));
 *     ... weir_db_text(rows, 0, 0) ...
 *     return weir_db_commit(&tx, err);
 *
 * weir_db_end in a cleanup rolls back what was not committed. Thread-safe: each transaction takes a
 * connection of the pool and gives it back.
 */
#ifndef WEIR_IO_DB_H
#define WEIR_IO_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/domain/id.h"

struct weir_db;
struct weir_db_tx;
struct weir_db_rows;

struct weir_db_config {
    const char *url;         /* postgres://...; never logged */
    unsigned connections;    /* 1..64 */
    int64_t connect_ms;      /* 0: 2000 */
    int64_t statement_ms;    /* 0: 5000 */
    int64_t acquire_ms;      /* 0: 2000; wait for a free connection, then WEIR_EUNAVAILABLE */
    const char *application; /* application_name */
    /*
     * 0: callers wait as long as the other times say. Else Postgres may hang without holding many
     * of them: once a taken connection has had no answer for this long, nobody waits for a free
     * one; and after connecting failed or an answer did not come, a transaction begins
     * WEIR_EUNAVAILABLE at once, except that one caller after the other tries, this long after the
     * last failure.
     */
    int64_t stall_ms;
    /* A commit is not waited for to reach the disk. For what can be written again from elsewhere: a
     * crash of Postgres takes the newest transactions back, in their order and each as a whole. */
    bool is_relaxed;
};

/* Opens no connection yet: a database that is away is an error of the first transaction. */
WEIR_MUST_USE enum weir_code weir_db_open(const struct weir_db_config *config, struct weir_db **ret,
                                          struct weir_err *err);
void weir_db_close(struct weir_db **db);

/* For /readyz. */
WEIR_MUST_USE enum weir_code weir_db_ping(struct weir_db *db, struct weir_err *err);

/* `tenant` NULL: no tenant is set, so row-level security shows nothing of any. */
WEIR_MUST_USE enum weir_code weir_db_begin(struct weir_db *db, const struct weir_id *tenant,
                                           struct weir_db_tx **ret, struct weir_err *err);
/*
 * Runs one statement. `params`: texts, NULL is SQL NULL. Rows (may be NULL) live in `arena`.
 * Errors: WEIR_ECONFLICT (unique), WEIR_ESEMANTIC (check, foreign key), WEIR_ESTALE (serialization,
 * deadlock), WEIR_EFORBIDDEN (a policy or a missing right), WEIR_EUNAVAILABLE (connection),
 * WEIR_ETIMEOUT, WEIR_EINTERNAL. Messages name the constraint, never values.
 * After an error the transaction can only be ended.
 */
WEIR_MUST_USE enum weir_code weir_db_exec(struct weir_db_tx *tx, const char *sql,
                                          const char *const *params, size_t n_params,
                                          struct weir_arena *arena, struct weir_db_rows **ret,
                                          struct weir_err *err);
/* Runs a text of several statements without parameters or rows: migrations. Errors carry the
 * server's own sentence, so nothing secret may be in `sql`. */
WEIR_MUST_USE enum weir_code weir_db_script(struct weir_db_tx *tx, const char *sql,
                                            struct weir_err *err);
/* Sets *tx NULL. WEIR_EUNKNOWN when the connection broke during COMMIT. */
WEIR_MUST_USE enum weir_code weir_db_commit(struct weir_db_tx **tx, struct weir_err *err);
/* Rolls back when still open. For WEIR_CLEANUP. */
void weir_db_end(struct weir_db_tx **tx);

size_t weir_db_count(const struct weir_db_rows *rows);    /* rows returned */
size_t weir_db_affected(const struct weir_db_rows *rows); /* rows changed */
/* Text of a column, NULL for SQL NULL. Indexes are asserted. */
const char *weir_db_text(const struct weir_db_rows *rows, size_t row, size_t column);
int64_t weir_db_int(const struct weir_db_rows *rows, size_t row, size_t column); /* 0 for NULL */
bool weir_db_bool(const struct weir_db_rows *rows, size_t row, size_t column);

/* LISTEN on a connection of its own: waits up to `timeout_ms` for a NOTIFY on `channel`. */
struct weir_db_listener;
WEIR_MUST_USE enum weir_code weir_db_listen(struct weir_db *db, const char *channel,
                                            struct weir_db_listener **ret, struct weir_err *err);
WEIR_MUST_USE enum weir_code weir_db_listener_wait(struct weir_db_listener *listener,
                                                   int64_t timeout_ms, bool *ret_notified,
                                                   struct weir_err *err);
void weir_db_unlisten(struct weir_db_listener **listener);

/* Applies `folder`/<digits>_<name>.sql files (dbmate format, part `migrate:up`) that are missing,
 * one transaction a file, under an advisory lock; refuses edited or out-of-order files. */
WEIR_MUST_USE enum weir_code weir_db_migrate(const char *url, const char *folder,
                                             size_t *ret_applied, struct weir_err *err);

#endif
