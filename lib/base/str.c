/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool weir_str_copy(char *dst, size_t size, const char *src)
{
    size_t n = strnlen(src, size);
    bool whole = n < size;
    if (!whole) {
        n = size - 1;
    }
    memmove(dst, src, n);
    dst[n] = '\0';
    return whole;
}

bool weir_str_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool weir_str_equal_secret(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *x = a;
    const volatile uint8_t *y = b;
    uint8_t diff = 0;
    for (size_t i = 0; i < len; i++) {
        diff = (uint8_t)(diff | (x[i] ^ y[i]));
    }
    return diff == 0;
}

enum weir_code weir_str_to_int(const char *text, int64_t min, int64_t max, int64_t *ret,
                               struct weir_err *err)
{
    const char *p = text;
    bool minus = *p == '-';
    p += minus;
    int64_t value = 0;
    bool ok = *p != '\0';
    for (; *p && ok; p++) {
        ok = *p >= '0' && *p <= '9' && !__builtin_mul_overflow(value, 10, &value) &&
             !__builtin_sub_overflow(value, *p - '0', &value);
    }
    /* Gathered as a negative number, so that INT64_MIN can be read too. */
    if (ok && !minus) {
        ok = !__builtin_sub_overflow((int64_t)0, value, &value);
    }
    if (!ok || value < min || value > max) {
        return weir_fail(err, WEIR_EINVAL,
                         "'%.32s' is not a whole number from %" PRId64 " to %" PRId64, text, min,
                         max);
    }
    *ret = value;
    return WEIR_OK;
}

void weir_hex_encode(const void *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool weir_hex_decode(const char *text, size_t len, void *out, size_t n)
{
    uint8_t *p = out;
    if (len != 2 * n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        int hi = hex_digit(text[2 * i]);
        int lo = hex_digit(text[2 * i + 1]);
        if (hi < 0 || lo < 0) {
            return false;
        }
        p[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t weir_base64url_encode(const void *bytes, size_t n, char *out)
{
    const uint8_t *p = bytes;
    size_t len = 0;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16;
        size_t left = n - i;
        v |= left > 1 ? (uint32_t)p[i + 1] << 8 : 0;
        v |= left > 2 ? (uint32_t)p[i + 2] : 0;
        size_t chars = left > 2 ? 4 : left + 1;
        for (size_t k = 0; k < chars; k++) {
            out[len++] = base64url[v >> (18 - 6 * k) & 63];
        }
    }
    out[len] = '\0';
    return len;
}

static int base64url_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool weir_base64url_decode(const char *text, size_t len, void *out, size_t max, size_t *ret_len)
{
    uint8_t *p = out;
    size_t n = 0;
    uint32_t bits = 0;
    unsigned held = 0;
    if (len % 4 == 1) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        int d = base64url_digit(text[i]);
        if (d < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)d;
        held += 6;
        if (held >= 8) {
            held -= 8;
            if (n == max) {
                return false;
            }
            p[n++] = (uint8_t)(bits >> held);
            bits &= (1U << held) - 1;
        }
    }
    if (bits != 0) {
        return false;
    }
    *ret_len = n;
    return true;
}
