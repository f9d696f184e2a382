/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/io/tokens.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "tests/unit/check.h"

const char *tokens_encode(struct weir_arena *arena, const void *bytes, size_t len)
{
    char *text = weir_arena_alloc(arena, WEIR_BASE64URL_LEN(len) + 1);
    weir_base64url_encode(bytes, len, text);
    return text;
}

const char *tokens_number(struct weir_arena *arena, EVP_PKEY *key, const char *name)
{
    BIGNUM *n = NULL;
    uint8_t bytes[512];
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &n), 1);
    int len = BN_bn2bin(n, bytes);
    BN_free(n);
    return tokens_encode(arena, bytes, (size_t)len);
}

int tokens_begin(void **state)
{
    struct tokens *f = weir_xalloc(sizeof(*f));
    f->arena = weir_arena_new(0);
    f->ec = EVP_EC_gen("P-256");
    f->rsa = EVP_RSA_gen(2048);
    uint8_t point[65];
    size_t len;
    assert_int_equal(
        EVP_PKEY_get_octet_string_param(f->ec, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &len),
        1);
    f->set_text = weir_arena_printf(
        f->arena,
        "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"o\",\"k\":\"c2VjcmV0\"},"
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e\",\"alg\":\"ES256\",\"use\":\"sig\","
        "\"x\":\"%s\",\"y\":\"%s\"},"
        "{\"kty\":\"RSA\",\"kid\":\"r\",\"n\":\"%s\",\"e\":\"%s\"},"
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"off\",\"x\":\"%s\",\"y\":\"%s\"}]}",
        tokens_encode(f->arena, point + 1, 32), tokens_encode(f->arena, point + 33, 32),
        tokens_number(f->arena, f->rsa, OSSL_PKEY_PARAM_RSA_N),
        tokens_number(f->arena, f->rsa, OSSL_PKEY_PARAM_RSA_E),
        tokens_encode(f->arena, point + 1, 32), tokens_encode(f->arena, point + 1, 32));
    struct weir_err err = {0};
    ASSERT_OK(weir_jwks_parse(f->set_text, strlen(f->set_text), &f->set, &err), &err);
    *state = f;
    return 0;
}

int tokens_end(void **state)
{
    struct tokens *f = *state;
    weir_jwks_free(f->set);
    EVP_PKEY_free(f->ec);
    EVP_PKEY_free(f->rsa);
    weir_arena_free(f->arena);
    free(f);
    return 0;
}

/* r || s of a DER signature. */
static size_t raw_of(const uint8_t *der, size_t len, uint8_t raw[static 64])
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)len);
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + 32, 32);
    ECDSA_SIG_free(signature);
    return 64;
}

const char *tokens_mint(struct tokens *f, const char *header, const char *claims, EVP_PKEY *key)
{
    const char *text =
        weir_arena_printf(f->arena, "%s.%s", tokens_encode(f->arena, header, strlen(header)),
                          tokens_encode(f->arena, claims, strlen(claims)));
    uint8_t signature[512];
    uint8_t raw[64];
    size_t len = sizeof(signature);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(md, signature, &len, (const uint8_t *)text, strlen(text)), 1);
    EVP_MD_CTX_free(md);
    bool is_ec = EVP_PKEY_get_base_id(key) == EVP_PKEY_EC;
    len = is_ec ? raw_of(signature, len, raw) : len;
    return weir_arena_printf(f->arena, "%s.%s", text,
                             tokens_encode(f->arena, is_ec ? raw : signature, len));
}

void tokens_write(const char *path, const char *text)
{
    char next[64];
    snprintf(next, sizeof(next), "%s.next", path);
    FILE *file = fopen(next, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
    assert_int_equal(rename(next, path), 0);
}
