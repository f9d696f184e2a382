/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges one JWT against a key set and a policy; inside of lib/io/auth. Pure: no cache, no clock.
 */
#ifndef WEIR_IO_AUTH_JWT_H
#define WEIR_IO_AUTH_JWT_H

#include <stddef.h>

#include "lib/io/auth.h"
#include "lib/io/auth_jwks.h"

#define WEIR_JWT_BYTES_MAX 4096

struct weir_jwt_policy {
    const char *issuer;
    const char *audience;
    const char *hs256_secret; /* NULL: HS256 is refused */
    bool allows_anonymous;
};

/*
 * WEIR_EUNAUTH or WEIR_EFORBIDDEN as weir_auth_verify. `ret_unknown_kid` is set when the only thing
 * wrong so far is a kid that is not in the set, so that loading it again may help; else "".
 */
WEIR_MUST_USE enum weir_code weir_jwt_verify(const struct weir_jwks *set,
                                             const struct weir_jwt_policy *policy, const char *jwt,
                                             size_t len, int64_t now_ms, struct weir_principal *ret,
                                             char ret_unknown_kid[static WEIR_JWK_ID_MAX + 1],
                                             struct weir_err *err);

#endif
