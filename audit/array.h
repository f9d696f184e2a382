/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of Postgres arrays, so that one statement takes any number of rows as parameters:
 * {"a","b\"c",NULL} (PostgreSQL manual, section 8.15.6).
 */
#ifndef AUDIT_ARRAY_H
#define AUDIT_ARRAY_H

#include <stdint.h>

#include "lib/base/buf.h"

struct audit_array {
    struct weir_buf text;
};

/* `text` NULL is SQL NULL. */
void audit_array_add(struct audit_array *array, const char *text);
void audit_array_add_int(struct audit_array *array, int64_t value);
/* As bytea; `bytes` NULL is SQL NULL. */
void audit_array_add_bytes(struct audit_array *array, const void *bytes, size_t len);

/* Closes the array; nothing is added after. Valid until audit_array_done. */
const char *audit_array_text(struct audit_array *array);
void audit_array_done(struct audit_array *array);

#endif
