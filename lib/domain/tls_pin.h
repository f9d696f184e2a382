/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By which certificate a camera behind TLS is known. Cameras make theirs themselves, so no
 * authority proves anything: whoever adds a camera says the SHA-256 of its certificate, or of the
 * public key in it (SubjectPublicKeyInfo, RFC 7469 section 2.4), which outlives a renewal with the
 * same key. Nothing is trusted because it was seen first. Pure.
 */
#ifndef WEIR_DOMAIN_TLS_PIN_H
#define WEIR_DOMAIN_TLS_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/sha256.h"

#define WEIR_TLS_PIN_TEXT_MAX 65 /* 64 hex digits and the NUL */

struct weir_tls_pin {
    uint8_t sha256[WEIR_SHA256_BYTES];
};

/* 64 hex digits of either case, or 32 pairs of them with colons between, as openssl prints them.
 * False: it is no such text, and `ret` is as it was. */
bool weir_tls_pin_read(const char *text, struct weir_tls_pin *ret);

/* 64 lower-case hex digits. */
const char *weir_tls_pin_format(const struct weir_tls_pin *pin,
                                char ret[static WEIR_TLS_PIN_TEXT_MAX]);

/* Whether the certificate (X.509, DER) or its public key is the one that is pinned. The bytes come
 * from whoever answered, and may be anything. */
bool weir_tls_pin_matches(const struct weir_tls_pin *pin, const uint8_t *der, size_t len);

/* Finds the SubjectPublicKeyInfo in a certificate (RFC 5280 section 4.1), header included; false
 * where it is none. */
bool weir_tls_pin_find_key(const uint8_t *der, size_t len, const uint8_t **ret, size_t *ret_len);

#endif
