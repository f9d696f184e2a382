/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JWK set (RFC 7517) as public keys ready to verify with; inside of lib/io/auth. Pure but for
 * OpenSSL's memory.
 */
#ifndef WEIR_IO_AUTH_JWKS_H
#define WEIR_IO_AUTH_JWKS_H

#include <stddef.h>

#include "lib/base/err.h"

#define WEIR_JWKS_BYTES_MAX 65536
#define WEIR_JWKS_KEYS_MAX  32
#define WEIR_JWK_ID_MAX     128

enum weir_jwk_alg { WEIR_JWK_ES256, WEIR_JWK_RS256 };

struct weir_jwk {
    char id[WEIR_JWK_ID_MAX + 1];
    enum weir_jwk_alg alg;
    void *key; /* EVP_PKEY */
};

struct weir_jwks {
    size_t n;
    struct weir_jwk keys[WEIR_JWKS_KEYS_MAX];
};

/*
 * Reads the public P-256 and RSA (2048 to 4096 bits) signing keys of a set; others, and keys
 * without an id, are left out: symmetric and private ones above all. WEIR_EPARSE when it is no set,
 * WEIR_ENOTFOUND when it holds no usable key.
 */
WEIR_MUST_USE enum weir_code weir_jwks_parse(const char *bytes, size_t len, struct weir_jwks **ret,
                                             struct weir_err *err);
void weir_jwks_free(struct weir_jwks *set); /* NULL is fine */

const struct weir_jwk *weir_jwks_find(const struct weir_jwks *set, const char *id);

#endif
