/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/tls_pin.h"

#include <string.h>

#include "lib/base/str.h"

#define DIGITS       (2 * WEIR_SHA256_BYTES)
#define TAG_INTEGER  0x02
#define TAG_SEQUENCE 0x30
#define TAG_VERSION  0xa0 /* [0], constructed */

bool weir_tls_pin_read(const char *text, struct weir_tls_pin *ret)
{
    char digits[DIGITS];
    size_t len = strlen(text);
    bool has_colons = len == DIGITS + WEIR_SHA256_BYTES - 1;
    if (!has_colons && len != DIGITS)
        return false;
    for (size_t i = 0, n = 0; i < len; i++) {
        if (!has_colons || i % 3 != 2)
            digits[n++] = text[i];
        else if (text[i] != ':')
            return false;
    }
    struct weir_tls_pin pin;
    if (!weir_hex_decode(digits, DIGITS, pin.sha256, sizeof(pin.sha256)))
        return false;
    *ret = pin;
    return true;
}

const char *weir_tls_pin_format(const struct weir_tls_pin *pin,
                                char ret[static WEIR_TLS_PIN_TEXT_MAX])
{
    weir_hex_encode(pin->sha256, sizeof(pin->sha256), ret);
    return ret;
}

/* ---- DER, as far as a certificate needs it (ITU-T X.690) ---- */

struct der {
    const uint8_t *at;
    size_t left;
};

struct der_value {
    uint8_t tag;
    const uint8_t *whole; /* header included */
    size_t whole_len;
    struct der inside;
};

/* Lengths of one to three bytes: no certificate that a handshake carries is larger. */
static bool read_length(struct der *der, size_t *ret)
{
    if (der->left == 0)
        return false;
    size_t first = *der->at++;
    der->left--;
    if (first < 0x80) {
        *ret = first;
        return true;
    }
    size_t n = first & 0x7f;
    if (n == 0 || n > 3 || n > der->left)
        return false;
    *ret = 0;
    for (size_t i = 0; i < n; i++)
        *ret = *ret << 8 | der->at[i];
    der->at += n;
    der->left -= n;
    return true;
}

static bool next(struct der *der, struct der_value *ret)
{
    struct der_value value = {.whole = der->at};
    size_t len;
    if (der->left == 0)
        return false;
    value.tag = *der->at++;
    der->left--;
    if (!read_length(der, &len) || len > der->left)
        return false;
    value.inside = (struct der){der->at, len};
    der->at += len;
    der->left -= len;
    value.whole_len = (size_t)(der->at - value.whole);
    *ret = value;
    return true;
}

static bool enter(struct der *der, struct der *ret)
{
    struct der_value value;
    if (!next(der, &value) || value.tag != TAG_SEQUENCE)
        return false;
    *ret = value.inside;
    return true;
}

bool weir_tls_pin_find_key(const uint8_t *der, size_t len, const uint8_t **ret, size_t *ret_len)
{
    struct der at = {der, len};
    struct der_value value;
    /* Certificate, TBSCertificate. */
    if (!enter(&at, &at) || !enter(&at, &at) || !next(&at, &value))
        return false;
    if (value.tag == TAG_VERSION && !next(&at, &value))
        return false;
    if (value.tag != TAG_INTEGER) /* serialNumber */
        return false;
    /* signature, issuer, validity, subject, and what is looked for: sequences all of them. */
    for (int i = 0; i < 5; i++) {
        if (!next(&at, &value) || value.tag != TAG_SEQUENCE)
            return false;
    }
    *ret = value.whole;
    *ret_len = value.whole_len;
    return true;
}

static bool is_hash_of(const struct weir_tls_pin *pin, const uint8_t *bytes, size_t len)
{
    struct weir_sha256 sha;
    uint8_t hash[WEIR_SHA256_BYTES];
    weir_sha256_init(&sha);
    weir_sha256_add(&sha, bytes, len);
    weir_sha256_done(&sha, hash);
    return memcmp(hash, pin->sha256, sizeof(hash)) == 0;
}

bool weir_tls_pin_matches(const struct weir_tls_pin *pin, const uint8_t *der, size_t len)
{
    const uint8_t *key;
    size_t key_len;
    return is_hash_of(pin, der, len) ||
           (weir_tls_pin_find_key(der, len, &key, &key_len) && is_hash_of(pin, key, key_len));
}
