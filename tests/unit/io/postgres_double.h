/* SPDX-License-Identifier: Apache-2.0 */
/* A Postgres of the test's own: a new cluster in a temporary folder on a free loopback port. */
#ifndef WEIR_TESTS_POSTGRES_DOUBLE_H
#define WEIR_TESTS_POSTGRES_DOUBLE_H

struct postgres_double;

/* About two seconds; fails the test program when Postgres is not installed. */
struct postgres_double *postgres_double_open(void);
void postgres_double_close(struct postgres_double **postgres);

/* URL of a role; "postgres" may do anything. All roles may log in without a password. */
const char *postgres_double_url(struct postgres_double *postgres, const char *role);

/* Freezes the server's main process and all its children, or lets them go on. */
void postgres_double_freeze(struct postgres_double *postgres, int is_frozen);

/* Ends it as a crash would, and starts it again. */
void postgres_double_crash(struct postgres_double *postgres);

#endif
