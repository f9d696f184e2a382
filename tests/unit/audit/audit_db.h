/* SPDX-License-Identifier: Apache-2.0 */
/* The audit's tables in a Postgres of the test's own, and the verifier to look at them with. */
#ifndef WEIR_TESTS_AUDIT_DB_H
#define WEIR_TESTS_AUDIT_DB_H

#include "lib/io/db.h"
#include "tests/unit/io/postgres_double.h"

/* Makes the roles and applies the migration. Fails the program when it cannot. */
struct postgres_double *audit_db_open(void);

/* Runs a script as the superuser. */
void audit_db_script(struct postgres_double *postgres, const char *sql);

/* The first column of the first row, as the superuser. */
int64_t audit_db_number(struct postgres_double *postgres, const char *sql);

/* `weirctl audit verify`. */
enum weir_code audit_db_verify(struct postgres_double *postgres, struct weir_err *err);

#endif
