/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealed boxes (libsodium crypto_box_seal, X25519 with XSalsa20-Poly1305): who holds the public key
 * can write, only who holds the private key can read. The api seals cameras' addresses and
 * credentials; workers open them. The sealed text names its tenant, camera and version, so that a
 * reader can refuse one that was swapped.
 *
 *     9f86d081884c7d65.AbC...        id of the key, the box in base64url
 *
 * A key's id is made from its public half, so nobody gives ids out. A reader holds several keys at
 * once, a writer one: so keys are replaced without a moment in which something cannot be opened.
 * Texts from before there were ids have none; every key is tried on them.
 */
#ifndef WEIR_IO_SEAL_H
#define WEIR_IO_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

#define WEIR_SEAL_KEY_BYTES      32
#define WEIR_SEAL_OVERHEAD_BYTES 48
#define WEIR_SEAL_ID_MAX         17 /* 16 hex digits and the NUL */
#define WEIR_SEAL_KEYS_MAX       8

struct weir_seal_public {
    uint8_t key[WEIR_SEAL_KEY_BYTES];
    char id[WEIR_SEAL_ID_MAX];
};

struct weir_seal_private {
    uint8_t key[WEIR_SEAL_KEY_BYTES];
    uint8_t public_key[WEIR_SEAL_KEY_BYTES];
    char id[WEIR_SEAL_ID_MAX];
};

/* The keys of one reader. */
struct weir_seal_ring {
    struct weir_seal_private keys[WEIR_SEAL_KEYS_MAX];
    size_t n;
};

/* Keys are 64 hex digits. WEIR_EINVAL; the message never holds the text. */
WEIR_MUST_USE enum weir_code weir_seal_parse_public(const char *text, struct weir_seal_public *ret,
                                                    struct weir_err *err);
WEIR_MUST_USE enum weir_code
weir_seal_parse_private(const char *text, struct weir_seal_private *ret, struct weir_err *err);

/* 1 to WEIR_SEAL_KEYS_MAX private keys, white space or commas between them. WEIR_EINVAL, as above.
 */
WEIR_MUST_USE enum weir_code weir_seal_parse_ring(const char *text, struct weir_seal_ring *ret,
                                                  struct weir_err *err);

/* NULL when no key of the ring has this id. */
const struct weir_seal_private *weir_seal_ring_find(const struct weir_seal_ring *ring,
                                                    const char *id);

/* The private key's public half, for tests and tools. */
struct weir_seal_public weir_seal_public_of(const struct weir_seal_private *private_key);

/* Text in the arena. Each call gives another one for the same bytes. */
const char *weir_seal(const struct weir_seal_public *key, const void *bytes, size_t len,
                      struct weir_arena *arena);

/* The id of the key that a text was sealed for; "" when it names none. */
void weir_seal_id_of(const char *text, char ret[static WEIR_SEAL_ID_MAX]);

/* Opens what weir_seal gave; `ret` is NUL-terminated, in the arena. WEIR_EUNSUPPORTED when the ring
 * lacks the key that the text names, WEIR_EFORBIDDEN when it was sealed for another key or changed,
 * WEIR_EPARSE when it is no sealed text. */
WEIR_MUST_USE enum weir_code weir_unseal(const struct weir_seal_ring *ring, const char *text,
                                         struct weir_arena *arena, const char **ret,
                                         size_t *ret_len, struct weir_err *err);

#endif
