/* SPDX-License-Identifier: Apache-2.0 */
/* Outside bytes that decide who comes in: key sets, tokens, tickets. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/io/auth_jwt.h"
#include "lib/io/ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char set_text[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e\","
    "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"}]}"; /* RFC 7517, appendix A.1 */

static const char ticket_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIGGkwxZat/uGIya7ec18mADYWDkb5KArOqQH4tO+pD5S\n"
    "-----END PRIVATE KEY-----\n";

static struct weir_jwks *set;
static struct weir_ticket_keys *keys;

static void prepare(void)
{
    if (!set && (weir_jwks_parse(set_text, strlen(set_text), &set, NULL) != WEIR_OK ||
                 weir_ticket_keys_open(ticket_pem, "", &keys, NULL) != WEIR_OK)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct weir_jwt_policy policy = {"https://i", "authenticated"};
    prepare();
    struct weir_principal who;
    struct weir_ticket ticket;
    struct weir_jwks *other = NULL;
    bool is_key_unknown;
    const char *text = (const char *)data;
    /* Nobody but the keys' owner can make one that passes. */
    if (weir_jwt_verify(set, &policy, text, size, 1795000000000, &who, &is_key_unknown, NULL) ==
            WEIR_OK ||
        weir_ticket_verify(keys, text, size, 1795000000000, &ticket, NULL) == WEIR_OK) {
        abort();
    }
    if (weir_jwks_parse(text, size, &other, NULL) == WEIR_OK) {
        weir_jwks_free(other);
    }
    return 0;
}
