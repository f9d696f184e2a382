/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/auth_hs256.h"

#include <jwt.h>
#include <string.h>

bool weir_hs256_is_signed(const char *secret, const char *jwt)
{
    jwt_t *decoded = NULL;
    bool is_good =
        secret[0] != '\0' &&
        jwt_decode(&decoded, jwt, (const unsigned char *)secret, (int)strlen(secret)) == 0 &&
        jwt_get_alg(decoded) == JWT_ALG_HS256;
    jwt_free(decoded);
    return is_good;
}
