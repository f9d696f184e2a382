/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealed boxes (libsodium crypto_box_seal, X25519 with XSalsa20-Poly1305): who holds the public key
 * can write, only who holds the private key can read. The api seals cameras' addresses and
 * credentials; workers open them. The sealed text names its tenant, camera and version, so that a
 * reader can refuse one that was swapped.
 */
#ifndef WEIR_IO_SEAL_H
#define WEIR_IO_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

#define WEIR_SEAL_KEY_BYTES      32
#define WEIR_SEAL_OVERHEAD_BYTES 48

struct weir_seal_public {
    uint8_t key[WEIR_SEAL_KEY_BYTES];
};

struct weir_seal_private {
    uint8_t key[WEIR_SEAL_KEY_BYTES];
    uint8_t public_key[WEIR_SEAL_KEY_BYTES];
};

/* Keys are 64 hex digits. WEIR_EINVAL; the message never holds the text. */
WEIR_MUST_USE enum weir_code weir_seal_parse_public(const char *text, struct weir_seal_public *ret,
                                                    struct weir_err *err);
WEIR_MUST_USE enum weir_code
weir_seal_parse_private(const char *text, struct weir_seal_private *ret, struct weir_err *err);

/* The private key's public half, for tests and tools. */
struct weir_seal_public weir_seal_public_of(const struct weir_seal_private *private_key);

/* Base64url text in the arena. Each call gives another text for the same bytes. */
const char *weir_seal(const struct weir_seal_public *key, const void *bytes, size_t len,
                      struct weir_arena *arena);

/* Opens what weir_seal gave; `ret` is NUL-terminated, in the arena. WEIR_EFORBIDDEN when it was
 * sealed for another key or changed. */
WEIR_MUST_USE enum weir_code weir_unseal(const struct weir_seal_private *key, const char *text,
                                         struct weir_arena *arena, const char **ret,
                                         size_t *ret_len, struct weir_err *err);

#endif
