/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/seal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/sha256.h"
#include "lib/base/str.h"

#define ID_LEN  (WEIR_SEAL_ID_MAX - 1)
#define HEX_LEN (2 * (size_t)WEIR_SEAL_KEY_BYTES)
#define BETWEEN " \t\r\n,"

_Static_assert(WEIR_SEAL_KEY_BYTES == crypto_box_PUBLICKEYBYTES, "libsodium's X25519 keys");
_Static_assert(WEIR_SEAL_OVERHEAD_BYTES == crypto_box_SEALBYTES, "libsodium's sealed boxes");

/* ---- keys ---- */

static void name_key(const uint8_t public_key[static WEIR_SEAL_KEY_BYTES],
                     char ret[static WEIR_SEAL_ID_MAX])
{
    struct weir_sha256 sha;
    uint8_t hash[WEIR_SHA256_BYTES];
    weir_sha256_init(&sha);
    weir_sha256_add(&sha, public_key, WEIR_SEAL_KEY_BYTES);
    weir_sha256_done(&sha, hash);
    weir_hex_encode(hash, ID_LEN / 2, ret);
}

static enum weir_code refuse_key(struct weir_err *err)
{
    return weir_fail(err, WEIR_EINVAL, "the sealing key is not 64 hex digits");
}

enum weir_code weir_seal_parse_public(const char *text, struct weir_seal_public *ret,
                                      struct weir_err *err)
{
    struct weir_seal_public key;
    if (!weir_hex_decode(text, strlen(text), key.key, sizeof(key.key))) {
        return refuse_key(err);
    }
    name_key(key.key, key.id);
    *ret = key;
    return WEIR_OK;
}

static enum weir_code parse_private(const char *text, size_t len, struct weir_seal_private *ret,
                                    struct weir_err *err)
{
    struct weir_seal_private key;
    if (!weir_hex_decode(text, len, key.key, sizeof(key.key))) {
        return refuse_key(err);
    }
    crypto_scalarmult_base(key.public_key, key.key);
    name_key(key.public_key, key.id);
    *ret = key;
    sodium_memzero(&key, sizeof(key));
    return WEIR_OK;
}

enum weir_code weir_seal_parse_private(const char *text, struct weir_seal_private *ret,
                                       struct weir_err *err)
{
    return parse_private(text, strlen(text), ret, err);
}

enum weir_code weir_seal_parse_ring(const char *text, struct weir_seal_ring *ret,
                                    struct weir_err *err)
{
    struct weir_seal_ring ring = {.n = 0};
    enum weir_code code = WEIR_OK;
    for (const char *at = text + strspn(text, BETWEEN); code == WEIR_OK && *at;) {
        size_t len = strcspn(at, BETWEEN);
        if (ring.n == WEIR_SEAL_KEYS_MAX) {
            code = weir_fail(err, WEIR_EINVAL, "there are more than %d sealing keys",
                             WEIR_SEAL_KEYS_MAX);
        } else {
            code = parse_private(at, len, &ring.keys[ring.n++], err);
        }
        at += len;
        at += strspn(at, BETWEEN);
    }
    if (code == WEIR_OK && ring.n == 0) {
        code = refuse_key(err);
    }
    if (code == WEIR_OK) {
        *ret = ring;
    }
    sodium_memzero(&ring, sizeof(ring));
    return code;
}

const struct weir_seal_private *weir_seal_ring_find(const struct weir_seal_ring *ring,
                                                    const char *id)
{
    for (size_t i = 0; i < ring->n; i++) {
        if (strcmp(ring->keys[i].id, id) == 0) {
            return &ring->keys[i];
        }
    }
    return NULL;
}

struct weir_seal_public weir_seal_public_of(const struct weir_seal_private *private_key)
{
    struct weir_seal_public key;
    memcpy(key.key, private_key->public_key, sizeof(key.key));
    memcpy(key.id, private_key->id, sizeof(key.id));
    return key;
}

/* ---- boxes ---- */

const char *weir_seal(const struct weir_seal_public *key, const void *bytes, size_t len,
                      struct weir_arena *arena)
{
    size_t sealed_len = len + crypto_box_SEALBYTES;
    uint8_t *sealed = weir_arena_alloc(arena, sealed_len);
    if (sodium_init() < 0 || crypto_box_seal(sealed, bytes, len, key->key) != 0) {
        abort(); /* no randomness, or the key is a point of small order */
    }
    char *text = weir_arena_alloc(arena, ID_LEN + 1 + WEIR_BASE64URL_LEN(sealed_len) + 1);
    memcpy(text, key->id, ID_LEN);
    text[ID_LEN] = '.';
    weir_base64url_encode(sealed, sealed_len, text + ID_LEN + 1);
    return text;
}

void weir_seal_id_of(const char *text, char ret[static WEIR_SEAL_ID_MAX])
{
    size_t len = strcspn(text, ".");
    bool has_id = len == ID_LEN && text[len] == '.';
    memcpy(ret, text, has_id ? ID_LEN : 0);
    ret[has_id ? ID_LEN : 0] = '\0';
}

/* `id` "": any key may be the one. */
static bool open_box(const struct weir_seal_ring *ring, const char *id, const uint8_t *sealed,
                     size_t len, uint8_t *ret)
{
    for (size_t i = 0; i < ring->n; i++) {
        const struct weir_seal_private *key = &ring->keys[i];
        if ((!*id || strcmp(id, key->id) == 0) &&
            crypto_box_seal_open(ret, sealed, len, key->public_key, key->key) == 0) {
            return true;
        }
    }
    return false;
}

enum weir_code weir_unseal(const struct weir_seal_ring *ring, const char *text,
                           struct weir_arena *arena, const char **ret, size_t *ret_len,
                           struct weir_err *err)
{
    char id[WEIR_SEAL_ID_MAX];
    weir_seal_id_of(text, id);
    text += *id ? ID_LEN + 1 : 0;
    size_t text_len = strlen(text);
    uint8_t *sealed = weir_arena_alloc(arena, text_len);
    size_t sealed_len = 0;
    if (!weir_base64url_decode(text, text_len, sealed, text_len, &sealed_len) ||
        sealed_len < crypto_box_SEALBYTES) {
        return weir_fail(err, WEIR_EPARSE, "not a sealed text");
    }
    if (*id && !weir_seal_ring_find(ring, id)) {
        return weir_fail(err, WEIR_EUNSUPPORTED, "sealed for key %s, which is not known here", id);
    }
    size_t len = sealed_len - crypto_box_SEALBYTES;
    char *opened = weir_arena_alloc(arena, len + 1);
    if (sodium_init() < 0 || !open_box(ring, id, sealed, sealed_len, (uint8_t *)opened)) {
        return weir_fail(err, WEIR_EFORBIDDEN, "sealed for another key, or changed");
    }
    *ret = opened;
    *ret_len = len;
    return WEIR_OK;
}
