/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identifiers: UUIDs (RFC 9562). Version 7 for what is made here and now, version 5 for what must
 * come out the same each time (a stream of a tenant, camera and profile; a command of a key).
 */
#ifndef WEIR_DOMAIN_ID_H
#define WEIR_DOMAIN_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

#define WEIR_ID_TEXT_MAX 37 /* 36 characters and the NUL */

struct weir_id {
    uint8_t b[16];
};

/* Canonical form only (8-4-4-4-12 hex digits, either case, any version). */
WEIR_MUST_USE enum weir_code weir_id_parse(const char *text, size_t len, struct weir_id *ret,
                                           struct weir_err *err);

/* Writes the lower-case canonical form. Returns `text`. */
const char *weir_id_format(const struct weir_id *id, char text[static WEIR_ID_TEXT_MAX]);

/* For one log line or printf: text in the caller's scope. */
#define WEIR_ID_TEXT(id) weir_id_format((id), (char[WEIR_ID_TEXT_MAX]){0})

bool weir_id_equal(const struct weir_id *a, const struct weir_id *b);
int weir_id_compare(const struct weir_id *a, const struct weir_id *b);
bool weir_id_is_nil(const struct weir_id *id);

/* RFC 9562 section 5.7; `random` are 10 bytes of the caller's (see weir_id_random). */
struct weir_id weir_id_v7(int64_t wall_ms, const uint8_t random[static 10]);

/* A version 7 id of now with random bits from the kernel. Aborts if the kernel has none. */
struct weir_id weir_id_new(int64_t wall_ms);

/* RFC 9562 section 5.5 (SHA-1 of namespace and name). */
struct weir_id weir_id_v5(const struct weir_id *space, const void *name, size_t len);

/* Weir's namespaces: weir_id_v5 is called with one of these. */
extern const struct weir_id weir_space_stream;     /* "tenant|camera|quality|fps" */
extern const struct weir_id weir_space_command;    /* "tenant|Idempotency-Key" */
extern const struct weir_id weir_space_viewer;     /* "tenant|subject" */
extern const struct weir_id weir_space_login;      /* "tenant|session" */
extern const struct weir_id weir_space_membership; /* "group|camera" */
extern const struct weir_id
    weir_space_picture; /* "camera|frame", as api/snapshot_query.h names it */

#endif
