/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What answers a TLS connection as its certificate, and what is given as a pin. The key that is
 * found lies inside of the certificate; both are matched by their own hashes and by no other; a pin
 * that is read is written as the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/domain/tls_pin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static struct weir_tls_pin pin_of(const uint8_t *bytes, size_t len)
{
    struct weir_tls_pin pin;
    struct weir_sha256 sha;
    weir_sha256_init(&sha);
    weir_sha256_add(&sha, bytes, len);
    weir_sha256_done(&sha, pin.sha256);
    return pin;
}

static void check_text(const uint8_t *data, size_t size)
{
    char text[128];
    char back[WEIR_TLS_PIN_TEXT_MAX];
    struct weir_tls_pin pin;
    struct weir_tls_pin again;
    if (size >= sizeof(text))
        return;
    memcpy(text, data, size);
    text[size] = '\0';
    if (!weir_tls_pin_read(text, &pin))
        return;
    must(weir_tls_pin_read(weir_tls_pin_format(&pin, back), &again));
    must(memcmp(&pin, &again, sizeof(pin)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *key;
    size_t key_len;
    if (size == 0)
        return 0;
    check_text(data, size);
    struct weir_tls_pin whole = pin_of(data, size);
    must(weir_tls_pin_matches(&whole, data, size));
    if (weir_tls_pin_find_key(data, size, &key, &key_len)) {
        must(key > data && key_len <= size && key + key_len <= data + size);
        struct weir_tls_pin of_key = pin_of(key, key_len);
        must(weir_tls_pin_matches(&of_key, data, size));
        of_key.sha256[size % sizeof(of_key.sha256)] ^= 1;
        must(!weir_tls_pin_matches(&of_key, data, size));
    }
    return 0;
}
