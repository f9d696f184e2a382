/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small string helpers: bounded copies, hex, base64url (RFC 4648 section 5, without padding and
 * strict: no stray bits, no white space).
 */
#ifndef WEIR_BASE_STR_H
#define WEIR_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

/* Copies and always terminates; false when it was cut. `size` > 0. */
bool weir_str_copy(char *dst, size_t size, const char *src);
#define WEIR_STR_SET(array, src) weir_str_copy((array), sizeof(array), (src))

bool weir_str_starts_with(const char *s, const char *prefix);

/* Compares secrets in time that depends on `len` only. */
bool weir_str_equal_secret(const void *a, const void *b, size_t len);

/* Whole text must be a decimal in [min, max]; WEIR_EINVAL otherwise. */
WEIR_MUST_USE enum weir_code weir_str_to_int(const char *text, int64_t min, int64_t max,
                                             int64_t *ret, struct weir_err *err);

/* `out` gets 2 * n + 1 bytes, lower case. */
void weir_hex_encode(const void *bytes, size_t n, char *out);
/* Exactly 2 * n digits of either case; false otherwise. */
bool weir_hex_decode(const char *text, size_t len, void *out, size_t n);

#define WEIR_BASE64URL_LEN(n) (((n)*4 + 2) / 3)
/* `out` gets WEIR_BASE64URL_LEN(n) + 1 bytes; returns the length without the NUL. */
size_t weir_base64url_encode(const void *bytes, size_t n, char *out);
/* False when `text` is not canonical base64url or needs more than `max` bytes. */
bool weir_base64url_decode(const char *text, size_t len, void *out, size_t max, size_t *ret_len);

#endif
