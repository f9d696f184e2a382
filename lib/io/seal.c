/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/seal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"

_Static_assert(WEIR_SEAL_KEY_BYTES == crypto_box_PUBLICKEYBYTES, "libsodium's X25519 keys");
_Static_assert(WEIR_SEAL_OVERHEAD_BYTES == crypto_box_SEALBYTES, "libsodium's sealed boxes");

enum weir_code weir_seal_parse_public(const char *text, struct weir_seal_public *ret,
                                      struct weir_err *err)
{
    struct weir_seal_public key;
    if (!weir_hex_decode(text, strlen(text), key.key, sizeof(key.key))) {
        return weir_fail(err, WEIR_EINVAL, "the sealing key is not 64 hex digits");
    }
    *ret = key;
    return WEIR_OK;
}

enum weir_code weir_seal_parse_private(const char *text, struct weir_seal_private *ret,
                                       struct weir_err *err)
{
    struct weir_seal_private key;
    if (!weir_hex_decode(text, strlen(text), key.key, sizeof(key.key))) {
        return weir_fail(err, WEIR_EINVAL, "the sealing key is not 64 hex digits");
    }
    crypto_scalarmult_base(key.public_key, key.key);
    *ret = key;
    sodium_memzero(&key, sizeof(key));
    return WEIR_OK;
}

struct weir_seal_public weir_seal_public_of(const struct weir_seal_private *private_key)
{
    struct weir_seal_public key;
    memcpy(key.key, private_key->public_key, sizeof(key.key));
    return key;
}

const char *weir_seal(const struct weir_seal_public *key, const void *bytes, size_t len,
                      struct weir_arena *arena)
{
    size_t sealed_len = len + crypto_box_SEALBYTES;
    uint8_t *sealed = weir_arena_alloc(arena, sealed_len);
    if (sodium_init() < 0 || crypto_box_seal(sealed, bytes, len, key->key) != 0) {
        abort(); /* no randomness, or the key is a point of small order */
    }
    char *text = weir_arena_alloc(arena, WEIR_BASE64URL_LEN(sealed_len) + 1);
    weir_base64url_encode(sealed, sealed_len, text);
    return text;
}

enum weir_code weir_unseal(const struct weir_seal_private *key, const char *text,
                           struct weir_arena *arena, const char **ret, size_t *ret_len,
                           struct weir_err *err)
{
    size_t text_len = strlen(text);
    uint8_t *sealed = weir_arena_alloc(arena, text_len);
    size_t sealed_len = 0;
    if (!weir_base64url_decode(text, text_len, sealed, text_len, &sealed_len) ||
        sealed_len < crypto_box_SEALBYTES) {
        return weir_fail(err, WEIR_EPARSE, "not a sealed text");
    }
    size_t len = sealed_len - crypto_box_SEALBYTES;
    char *opened = weir_arena_alloc(arena, len + 1);
    if (sodium_init() < 0 || crypto_box_seal_open((uint8_t *)opened, sealed, sealed_len,
                                                  key->public_key, key->key) != 0) {
        return weir_fail(err, WEIR_EFORBIDDEN, "sealed for another key, or changed");
    }
    *ret = opened;
    *ret_len = len;
    return WEIR_OK;
}
