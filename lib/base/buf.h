/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer with a ceiling.
 *
 *     struct weir_buf buf = {.max = 65536};
 *     if (!weir_buf_add(&buf, bytes, n)) ... the ceiling is reached, nothing was added
 *     weir_buf_done(&buf);
 *
 * `bytes` is always NUL-terminated once something was added (the NUL is not counted in `len`).
 */
#ifndef WEIR_BASE_BUF_H
#define WEIR_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

struct weir_buf {
    char *bytes; /* owned; NULL while empty */
    size_t len;
    size_t cap;
    size_t max; /* ceiling of len in bytes, 0 for none (own data only) */
};

/* False (and unchanged) when the ceiling would be passed. */
bool weir_buf_add(struct weir_buf *buf, const void *bytes, size_t n);
bool weir_buf_printf(struct weir_buf *buf, const char *fmt, ...) WEIR_PRINTF(2, 3);

/* Drops the first `n` bytes, 0 <= n <= len. */
void weir_buf_consume(struct weir_buf *buf, size_t n);

/* Empties, keeps the memory. */
void weir_buf_clear(struct weir_buf *buf);

/* Frees; the buffer may be used again. */
void weir_buf_done(struct weir_buf *buf);

#endif
