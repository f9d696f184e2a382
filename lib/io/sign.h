/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed texts (libsodium crypto_sign_detached, Ed25519): the text stands behind its signature,
 * for all to read; who holds the public key knows that nobody changed it.
 *
 *     3q2-7w....{"camera_id":...}       signature in base64url, a dot, the text
 *
 * The signature is over a context and the text, so that what was signed for one use proves nothing
 * in another.
 */
#ifndef WEIR_IO_SIGN_H
#define WEIR_IO_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

#define WEIR_SIGN_KEYS_MAX 8

struct weir_sign_key {
    uint8_t secret[64]; /* seed and public half, as libsodium keeps them */
};

/* The keys whose signatures count. */
struct weir_sign_ring {
    uint8_t keys[WEIR_SIGN_KEYS_MAX][32];
    size_t n;
};

/* A seed of 64 hex digits. WEIR_EINVAL; the message never holds the text. */
WEIR_MUST_USE enum weir_code weir_sign_parse_key(const char *text, struct weir_sign_key *ret,
                                                 struct weir_err *err);

/* 1 to WEIR_SIGN_KEYS_MAX public keys of 64 hex digits, white space or commas between them. */
WEIR_MUST_USE enum weir_code weir_sign_parse_ring(const char *text, struct weir_sign_ring *ret,
                                                  struct weir_err *err);

/* A ring of the key's public half alone. */
struct weir_sign_ring weir_sign_ring_of(const struct weir_sign_key *key);

/* The signed text, in the arena. */
const char *weir_sign(const struct weir_sign_key *key, const char *context, const char *text,
                      struct weir_arena *arena);

/* `ret` is the text within `text`. WEIR_EPARSE: not a signed text; WEIR_EFORBIDDEN: by none of
 * these keys, for another use, or changed. */
WEIR_MUST_USE enum weir_code weir_sign_check(const struct weir_sign_ring *ring, const char *context,
                                             const char *text, struct weir_arena *arena,
                                             const char **ret, struct weir_err *err);

#endif
