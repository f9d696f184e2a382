/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/sign.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"

#define BETWEEN        " \t\r\n,"
#define SIGNATURE_TEXT WEIR_BASE64URL_LEN(crypto_sign_BYTES)

_Static_assert(sizeof(struct weir_sign_key) == crypto_sign_SECRETKEYBYTES, "libsodium's keys");
_Static_assert(sizeof(((struct weir_sign_ring *)0)->keys[0]) == crypto_sign_PUBLICKEYBYTES,
               "libsodium's keys");

enum weir_code weir_sign_parse_key(const char *text, struct weir_sign_key *ret,
                                   struct weir_err *err)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
    if (!weir_hex_decode(text, strlen(text), seed, sizeof(seed))) {
        return weir_fail(err, WEIR_EINVAL, "the signing key is not 64 hex digits");
    }
    crypto_sign_seed_keypair(public_key, ret->secret, seed);
    sodium_memzero(seed, sizeof(seed));
    return WEIR_OK;
}

enum weir_code weir_sign_parse_ring(const char *text, struct weir_sign_ring *ret,
                                    struct weir_err *err)
{
    struct weir_sign_ring ring = {.n = 0};
    for (const char *at = text + strspn(text, BETWEEN); *at;) {
        size_t len = strcspn(at, BETWEEN);
        if (ring.n == WEIR_SIGN_KEYS_MAX) {
            return weir_fail(err, WEIR_EINVAL, "there are more than %d signing keys",
                             WEIR_SIGN_KEYS_MAX);
        }
        if (!weir_hex_decode(at, len, ring.keys[ring.n], sizeof(ring.keys[0]))) {
            break;
        }
        ring.n++;
        at += len;
        at += strspn(at, BETWEEN);
        if (!*at) {
            *ret = ring;
            return WEIR_OK;
        }
    }
    return weir_fail(err, WEIR_EINVAL, "a signing key is not 64 hex digits");
}

struct weir_sign_ring weir_sign_ring_of(const struct weir_sign_key *key)
{
    struct weir_sign_ring ring = {.n = 1};
    crypto_sign_ed25519_sk_to_pk(ring.keys[0], key->secret);
    return ring;
}

/* What is signed: the context ends with its NUL, which no text holds. */
static uint8_t *message_of(const char *context, const char *text, struct weir_arena *arena,
                           size_t *ret_len)
{
    size_t context_len = strlen(context) + 1;
    size_t len = strlen(text);
    uint8_t *message = weir_arena_alloc(arena, context_len + len + 1);
    memcpy(message, context, context_len);
    memcpy(message + context_len, text, len + 1);
    *ret_len = context_len + len;
    return message;
}

const char *weir_sign(const struct weir_sign_key *key, const char *context, const char *text,
                      struct weir_arena *arena)
{
    size_t len;
    uint8_t signature[crypto_sign_BYTES];
    const uint8_t *message = message_of(context, text, arena, &len);
    if (sodium_init() < 0 ||
        crypto_sign_detached(signature, NULL, message, len, key->secret) != 0) {
        abort();
    }
    char *out = weir_arena_alloc(arena, SIGNATURE_TEXT + 1 + strlen(text) + 1);
    weir_base64url_encode(signature, sizeof(signature), out);
    out[SIGNATURE_TEXT] = '.';
    memcpy(out + SIGNATURE_TEXT + 1, text, strlen(text) + 1);
    return out;
}

enum weir_code weir_sign_check(const struct weir_sign_ring *ring, const char *context,
                               const char *text, struct weir_arena *arena, const char **ret,
                               struct weir_err *err)
{
    uint8_t signature[crypto_sign_BYTES];
    size_t signature_len = 0;
    size_t len;
    if (strcspn(text, ".") != SIGNATURE_TEXT || text[SIGNATURE_TEXT] != '.' ||
        !weir_base64url_decode(text, SIGNATURE_TEXT, signature, sizeof(signature),
                               &signature_len) ||
        signature_len != sizeof(signature)) {
        return weir_fail(err, WEIR_EPARSE, "not a signed text");
    }
    const char *inner = text + SIGNATURE_TEXT + 1;
    const uint8_t *message = message_of(context, inner, arena, &len);
    for (size_t i = 0; i < ring->n; i++) {
        if (crypto_sign_verify_detached(signature, message, len, ring->keys[i]) == 0) {
            *ret = inner;
            return WEIR_OK;
        }
    }
    return weir_fail(err, WEIR_EFORBIDDEN, "not signed by a key that counts, or changed");
}
