/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HS256 by libjwt; inside of lib/io/auth. libjwt takes any key for any algorithm, so the caller has
 * read the header and chosen this secret before (RFC 8725 section 3.1).
 */
#ifndef WEIR_IO_AUTH_HS256_H
#define WEIR_IO_AUTH_HS256_H

#include <stdbool.h>

/* Whether `jwt` is an HS256 token signed with `secret`; both NUL-terminated. Reads no claims. */
bool weir_hs256_is_signed(const char *secret, const char *jwt);

#endif
