/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/auth_jwks.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "lib/domain/json.h"

#define P256_BYTES         32
#define RSA_BITS_MIN       2048
#define RSA_BITS_MAX       4096
#define RSA_EXPONENT_BYTES 8

static EVP_PKEY *key_from(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static bool decode_member(const struct weir_json *jwk, const char *name, uint8_t *out, size_t max,
                          size_t *ret_len)
{
    const char *text = weir_json_find_str(jwk, name);
    return text && weir_base64url_decode(text, strlen(text), out, max, ret_len) && *ret_len > 0;
}

/* RFC 7518 section 6.2; OpenSSL refuses a point that is not on the curve. */
static EVP_PKEY *read_p256(const struct weir_json *jwk)
{
    uint8_t point[1 + 2 * P256_BYTES] = {4};
    size_t x_len = 0;
    size_t y_len = 0;
    const char *curve = weir_json_find_str(jwk, "crv");
    if (!curve || strcmp(curve, "P-256") != 0 ||
        !decode_member(jwk, "x", point + 1, P256_BYTES, &x_len) || x_len != P256_BYTES ||
        !decode_member(jwk, "y", point + 1 + P256_BYTES, P256_BYTES, &y_len) ||
        y_len != P256_BYTES) {
        return NULL;
    }
    char group[] = "prime256v1";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
        OSSL_PARAM_construct_end(),
    };
    return key_from("EC", params);
}

static EVP_PKEY *key_of_numbers(BIGNUM *n, BIGNUM *e)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder && n && e && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
        key = params ? key_from("RSA", params) : NULL;
        OSSL_PARAM_free(params);
    }
    OSSL_PARAM_BLD_free(builder);
    return key;
}

/* RFC 7518 section 6.3. */
static EVP_PKEY *read_rsa(const struct weir_json *jwk)
{
    uint8_t modulus[RSA_BITS_MAX / 8];
    uint8_t exponent[RSA_EXPONENT_BYTES];
    size_t modulus_len = 0;
    size_t exponent_len = 0;
    if (!decode_member(jwk, "n", modulus, sizeof(modulus), &modulus_len) ||
        !decode_member(jwk, "e", exponent, sizeof(exponent), &exponent_len)) {
        return NULL;
    }
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_len, NULL);
    BIGNUM *e = BN_bin2bn(exponent, (int)exponent_len, NULL);
    bool is_sound =
        n && e && BN_num_bits(n) >= RSA_BITS_MIN && BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e);
    EVP_PKEY *key = is_sound ? key_of_numbers(n, e) : NULL;
    BN_free(n);
    BN_free(e);
    return key;
}

static bool is_absent_or(const struct weir_json *jwk, const char *name, const char *wanted)
{
    const char *text = weir_json_find_str(jwk, name);
    return weir_json_find(jwk, name) == NULL || (text && strcmp(text, wanted) == 0);
}

/* RFC 7517 section 4.3. */
static bool may_verify(const struct weir_json *jwk)
{
    const struct weir_json *ops = weir_json_find(jwk, "key_ops");
    for (size_t i = 0; ops && ops->type == WEIR_JSON_ARR && i < ops->n; i++) {
        if (ops->items[i].type == WEIR_JSON_STR && strcmp(ops->items[i].str, "verify") == 0) {
            return true;
        }
    }
    return ops == NULL;
}

/* False when this is no key for us. A private one that was published is everybody's. */
static bool read_key(const struct weir_json *jwk, struct weir_jwk *ret)
{
    const char *type = weir_json_find_str(jwk, "kty");
    const char *id = weir_json_find_str(jwk, "kid");
    if (!type || !id || !id[0] || strlen(id) > WEIR_JWK_ID_MAX ||
        !is_absent_or(jwk, "use", "sig") || !may_verify(jwk) || weir_json_find(jwk, "d")) {
        return false;
    }
    struct weir_jwk key = {0};
    WEIR_STR_SET(key.id, id);
    if (strcmp(type, "EC") == 0 && is_absent_or(jwk, "alg", "ES256")) {
        key.alg = WEIR_JWK_ES256;
        key.key = read_p256(jwk);
    } else if (strcmp(type, "RSA") == 0 && is_absent_or(jwk, "alg", "RS256")) {
        key.alg = WEIR_JWK_RS256;
        key.key = read_rsa(jwk);
    }
    *ret = key;
    return key.key != NULL;
}

enum weir_code weir_jwks_parse(const char *bytes, size_t len, struct weir_jwks **ret,
                               struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    if (len > WEIR_JWKS_BYTES_MAX) {
        return weir_fail(err, WEIR_ELIMIT, "the key set has more than %d bytes",
                         WEIR_JWKS_BYTES_MAX);
    }
    struct weir_json json;
    enum weir_code code = weir_json_parse(bytes, len, arena, &json, err);
    if (code != WEIR_OK) {
        return weir_fail_in(err, code, "key set");
    }
    const struct weir_json *list = weir_json_find(&json, "keys");
    if (!list || list->type != WEIR_JSON_ARR || list->n > WEIR_JWKS_KEYS_MAX) {
        return weir_fail(err, WEIR_EPARSE, "the key set has no 'keys' with at most %d of them",
                         WEIR_JWKS_KEYS_MAX);
    }
    struct weir_jwks *set = weir_xalloc(sizeof(*set));
    for (size_t i = 0; i < list->n; i++) {
        struct weir_jwk key;
        if (!read_key(&list->items[i], &key)) {
            continue;
        }
        if (weir_jwks_find(set, key.id)) {
            EVP_PKEY_free(key.key);
            weir_jwks_free(set);
            return weir_fail(err, WEIR_EPARSE, "the key set gives one kid to two keys");
        }
        set->keys[set->n++] = key;
    }
    if (set->n == 0) {
        weir_jwks_free(set);
        return weir_fail(err, WEIR_ENOTFOUND, "the key set holds no ES256 or RS256 key");
    }
    *ret = set;
    return WEIR_OK;
}

void weir_jwks_free(struct weir_jwks *set)
{
    for (size_t i = 0; set && i < set->n; i++) {
        EVP_PKEY_free(set->keys[i].key);
    }
    free(set);
}

const struct weir_jwk *weir_jwks_find(const struct weir_jwks *set, const char *id)
{
    for (size_t i = 0; i < set->n; i++) {
        if (strcmp(set->keys[i].id, id) == 0) {
            return &set->keys[i];
        }
    }
    return NULL;
}
