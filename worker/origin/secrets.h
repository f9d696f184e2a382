/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may ask: gateways that show one of at most two secrets, so that a secret can be changed
 * without a moment at which nobody is let in. The file has one a line and is read again when it
 * changed. Thread-safe.
 */
#ifndef WEIR_WORKER_ORIGIN_SECRETS_H
#define WEIR_WORKER_ORIGIN_SECRETS_H

#include <stdbool.h>

#include "lib/base/err.h"

#define SECRETS_N         2
#define SECRET_MIN        16 /* bytes */
#define SECRET_MAX        256
#define SECRETS_BYTES_MAX (SECRETS_N * (SECRET_MAX + 2))

struct secrets;

/* The file as weir_settings_read_secret demands it; `path` is kept. */
WEIR_MUST_USE enum weir_code secrets_open(const char *path, struct secrets **ret,
                                          struct weir_err *err);
void secrets_close(struct secrets **secrets);

/* Reads the file again if it changed; what cannot be read leaves the old secrets in force. */
WEIR_MUST_USE enum weir_code secrets_refresh(struct secrets *secrets, struct weir_err *err);

/* Judges the value of an Authorization header (NULL: none) in time that tells nothing. */
bool secrets_allow(struct secrets *secrets, const char *authorization);

#endif
