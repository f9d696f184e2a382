/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 (FIPS 180-4), for chains and fingerprints that pure code computes. What needs a key, a
 * signature or speed belongs to the adapters that use a crypto library.
 *
 *     struct weir_sha256 sha;
 *     weir_sha256_init(&sha);
 *     weir_sha256_add(&sha, bytes, n);
 *     weir_sha256_done(&sha, hash);
 */
#ifndef WEIR_BASE_SHA256_H
#define WEIR_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define WEIR_SHA256_BYTES 32

struct weir_sha256 {
    uint32_t state[8];
    uint64_t n_bytes; /* added so far */
    uint8_t block[64];
};

void weir_sha256_init(struct weir_sha256 *sha);
void weir_sha256_add(struct weir_sha256 *sha, const void *bytes, size_t n);
/* Writes the hash; `sha` must be initialised again before another use. */
void weir_sha256_done(struct weir_sha256 *sha, uint8_t ret[static WEIR_SHA256_BYTES]);

#endif
