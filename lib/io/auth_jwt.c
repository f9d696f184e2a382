/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/auth_jwt.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "lib/domain/json.h"
#include "lib/io/auth_hs256.h"

#define HEADER_BYTES_MAX    1024
#define ES256_BYTES         64
#define SIGNATURE_BYTES_MAX 512 /* RSA of 4096 bits */
#define LEEWAY_S            30
#define LIFE_MAX_S          (24 * 3600) /* longer ones are keys in a token's clothes */

struct parts {
    const char *header;
    size_t header_len;
    const char *claims;
    size_t claims_len;
    size_t signed_len; /* from header on: header "." claims */
    size_t len;        /* of the whole token */
    uint8_t signature[SIGNATURE_BYTES_MAX];
    size_t signature_len;
};

static enum weir_code refuse(struct weir_err *err, const char *why)
{
    return weir_fail(err, WEIR_EUNAUTH, "%s", why);
}

static enum weir_code split(const char *jwt, size_t len, struct parts *ret, struct weir_err *err)
{
    const char *first = len <= WEIR_JWT_BYTES_MAX ? memchr(jwt, '.', len) : NULL;
    const char *second = first ? memchr(first + 1, '.', len - (size_t)(first + 1 - jwt)) : NULL;
    if (!second) {
        return refuse(err, "not a JWT of three parts and bounded size");
    }
    ret->header = jwt;
    ret->header_len = (size_t)(first - jwt);
    ret->claims = first + 1;
    ret->claims_len = (size_t)(second - first - 1);
    ret->signed_len = (size_t)(second - jwt);
    ret->len = len;
    if (!weir_base64url_decode(second + 1, len - ret->signed_len - 1, ret->signature,
                               sizeof(ret->signature), &ret->signature_len)) {
        return refuse(err, "the signature is not base64url");
    }
    return WEIR_OK;
}

static enum weir_code parse_part(const char *text, size_t len, size_t max, const char *what,
                                 struct weir_arena *arena, struct weir_json *ret,
                                 struct weir_err *err)
{
    char *bytes = weir_arena_alloc(arena, max + 1);
    size_t bytes_len = 0;
    if (!weir_base64url_decode(text, len, bytes, max, &bytes_len) ||
        weir_json_parse(bytes, bytes_len, arena, ret, NULL) != WEIR_OK ||
        ret->type != WEIR_JSON_OBJ) {
        return weir_fail(err, WEIR_EUNAUTH, "the %s is no base64url of a JSON object", what);
    }
    return WEIR_OK;
}

static enum weir_code check_header(const struct weir_json *header, bool has_hs256,
                                   const char **ret_alg, struct weir_err *err)
{
    const char *alg = weir_json_find_str(header, "alg");
    const char *type = weir_json_find_str(header, "typ");
    bool is_known = alg && (strcmp(alg, "ES256") == 0 || strcmp(alg, "RS256") == 0 ||
                            (has_hs256 && strcmp(alg, "HS256") == 0));
    if (!is_known) {
        return refuse(err, "alg is none that is taken here");
    }
    if (weir_json_find(header, "crit") || weir_json_find(header, "b64")) {
        return refuse(err, "the header asks for extensions");
    }
    if (weir_json_find(header, "typ") && (!type || strcasecmp(type, "JWT") != 0)) {
        return refuse(err, "typ is not JWT");
    }
    *ret_alg = alg;
    return WEIR_OK;
}

/* The key of the set that the header names, if it is one of the header's algorithm. */
static enum weir_code choose_key(const struct weir_jwks *set, const struct weir_json *header,
                                 const char *alg, const struct weir_jwk **ret,
                                 char ret_unknown_kid[static WEIR_JWK_ID_MAX + 1],
                                 struct weir_err *err)
{
    const char *id = weir_json_find_str(header, "kid");
    if (!id || strlen(id) > WEIR_JWK_ID_MAX) {
        return refuse(err, "the header names no key");
    }
    const struct weir_jwk *key = weir_jwks_find(set, id);
    if (!key) {
        weir_str_copy(ret_unknown_kid, WEIR_JWK_ID_MAX + 1, id);
        return refuse(err, "the key is not known");
    }
    if (key->alg != (alg[0] == 'E' ? WEIR_JWK_ES256 : WEIR_JWK_RS256)) {
        return refuse(err, "alg is not the key's");
    }
    *ret = key;
    return WEIR_OK;
}

/* RFC 7518 section 3.4: r || s, which OpenSSL wants in DER. */
static size_t der_of_es256(const uint8_t raw[static ES256_BYTES], uint8_t *der)
{
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, ES256_BYTES / 2, NULL);
    BIGNUM *s = BN_bin2bn(raw + ES256_BYTES / 2, ES256_BYTES / 2, NULL);
    int len = 0;
    if (signature && r && s && ECDSA_SIG_set0(signature, r, s) == 1) {
        len = i2d_ECDSA_SIG(signature, &der);
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(signature);
    return len > 0 ? (size_t)len : 0;
}

static bool is_signed(const struct weir_jwk *key, const struct parts *parts)
{
    uint8_t der[ES256_BYTES + 16];
    const uint8_t *signature = parts->signature;
    size_t len = parts->signature_len;
    if (key->alg == WEIR_JWK_ES256) {
        if (len != ES256_BYTES) {
            return false;
        }
        len = der_of_es256(parts->signature, der);
        signature = der;
    }
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool is_good =
        md && len > 0 && EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key->key) == 1 &&
        EVP_DigestVerify(md, signature, len, (const uint8_t *)parts->header, parts->signed_len) ==
            1;
    EVP_MD_CTX_free(md);
    return is_good;
}

/* Whether the token is signed by whom its header names: a key of the set, or the secret. */
static enum weir_code
check_signature(const struct weir_jwks *set, const struct weir_jwt_policy *policy,
                const struct weir_json *header, const struct parts *parts, struct weir_arena *arena,
                char ret_unknown_kid[static WEIR_JWK_ID_MAX + 1], struct weir_err *err)
{
    const char *alg = NULL;
    const struct weir_jwk *key = NULL;
    enum weir_code code = check_header(header, policy->hs256_secret != NULL, &alg, err);
    if (code != WEIR_OK) {
        return code;
    }
    bool is_good;
    if (strcmp(alg, "HS256") == 0) {
        const char *text = weir_arena_memdup(arena, parts->header, parts->len);
        is_good = weir_hs256_is_signed(policy->hs256_secret, text);
    } else {
        code = choose_key(set, header, alg, &key, ret_unknown_kid, err);
        if (code != WEIR_OK) {
            return code;
        }
        is_good = is_signed(key, parts);
    }
    return is_good ? WEIR_OK : refuse(err, "the signature is wrong");
}

static bool has_audience(const struct weir_json *claims, const char *wanted)
{
    const struct weir_json *aud = weir_json_find(claims, "aud");
    if (!aud || aud->type == WEIR_JSON_STR) {
        return aud && strcmp(aud->str, wanted) == 0;
    }
    for (size_t i = 0; aud->type == WEIR_JSON_ARR && i < aud->n; i++) {
        if (aud->items[i].type == WEIR_JSON_STR && strcmp(aud->items[i].str, wanted) == 0) {
            return true;
        }
    }
    return false;
}

/* A NumericDate (RFC 7519 section 2) in whole seconds. */
static bool read_date(const struct weir_json *claims, const char *name, int64_t *ret)
{
    const struct weir_json *value = weir_json_find(claims, name);
    if (!value || value->type != WEIR_JSON_INT || value->integer < 0 ||
        value->integer > INT64_MAX / 1000 - LIFE_MAX_S) {
        return false;
    }
    *ret = value->integer;
    return true;
}

static enum weir_code check_times(const struct weir_json *claims, int64_t now_ms,
                                  struct weir_principal *ret, struct weir_err *err)
{
    int64_t now_s = now_ms / 1000;
    int64_t exp;
    int64_t iat;
    int64_t nbf = 0;
    if (!read_date(claims, "exp", &exp) || !read_date(claims, "iat", &iat) ||
        (weir_json_find(claims, "nbf") && !read_date(claims, "nbf", &nbf))) {
        return refuse(err, "exp, iat or nbf is missing or no time");
    }
    if (now_s >= exp + LEEWAY_S) {
        return refuse(err, "the token is over");
    }
    if (now_s < iat - LEEWAY_S || now_s < nbf - LEEWAY_S) {
        return refuse(err, "the token is not valid yet");
    }
    if (exp - iat > LIFE_MAX_S) {
        return refuse(err, "the token is valid for more than a day");
    }
    ret->issued_at_ms = iat * 1000;
    ret->expires_at_ms = exp * 1000;
    return WEIR_OK;
}

static bool read_id(const struct weir_json *json, const char *name, struct weir_id *ret)
{
    const char *text = weir_json_find_str(json, name);
    return text && weir_id_parse(text, strlen(text), ret, NULL) == WEIR_OK;
}

/* Anything but a plain "no" is a yes. */
static bool is_anonymous(const struct weir_json *claims)
{
    const struct weir_json *told = weir_json_find(claims, "is_anonymous");
    return told && (told->type != WEIR_JSON_BOOL || told->boolean);
}

static enum weir_code read_rights(const struct weir_json *claims,
                                  const struct weir_jwt_policy *policy, struct weir_principal *ret,
                                  struct weir_err *err)
{
    const struct weir_json *app = weir_json_find(claims, "app_metadata");
    const char *aal = weir_json_find_str(claims, "aal");
    if (is_anonymous(claims) && !policy->allows_anonymous) {
        return weir_fail(err, WEIR_EFORBIDDEN, "anonymous users have no access");
    }
    ret->has_aal2 = aal && strcmp(aal, "aal2") == 0;
    const struct weir_json *platform = weir_json_find(app, "platform");
    ret->is_platform = platform && platform->type == WEIR_JSON_BOOL && platform->boolean;
    ret->has_tenant = read_id(app, "tenant_id", &ret->tenant_id);
    if (!ret->has_tenant && (!ret->is_platform || weir_json_find(app, "tenant_id"))) {
        return weir_fail(err, WEIR_EFORBIDDEN, "the token names no tenant");
    }
    const char *role = weir_json_find_str(app, "tenant_role");
    ret->role = WEIR_ROLE_VIEWER;
    for (enum weir_role known = WEIR_ROLE_GUEST; role; known++) {
        if (known > WEIR_ROLE_ADMIN) {
            return weir_fail(err, WEIR_EFORBIDDEN, "the token's tenant_role is not known");
        }
        if (strcmp(role, weir_role_name(known)) == 0) {
            ret->role = known;
            break;
        }
    }
    return WEIR_OK;
}

static enum weir_code check_claims(const struct weir_json *claims,
                                   const struct weir_jwt_policy *policy, int64_t now_ms,
                                   struct weir_principal *ret, struct weir_err *err)
{
    const char *issuer = weir_json_find_str(claims, "iss");
    const char *role = weir_json_find_str(claims, "role");
    if (!issuer || strcmp(issuer, policy->issuer) != 0) {
        return refuse(err, "iss is not the one expected");
    }
    if (!has_audience(claims, policy->audience)) {
        return refuse(err, "aud is not the one expected");
    }
    enum weir_code code = check_times(claims, now_ms, ret, err);
    if (code != WEIR_OK) {
        return code;
    }
    if (!role || strcmp(role, "authenticated") != 0) {
        return refuse(err, "role is not authenticated");
    }
    if (!read_id(claims, "sub", &ret->subject) ||
        !read_id(claims, "session_id", &ret->session_id)) {
        return refuse(err, "sub or session_id is no UUID");
    }
    return read_rights(claims, policy, ret, err);
}

enum weir_code weir_jwt_verify(const struct weir_jwks *set, const struct weir_jwt_policy *policy,
                               const char *jwt, size_t len, int64_t now_ms,
                               struct weir_principal *ret,
                               char ret_unknown_kid[static WEIR_JWK_ID_MAX + 1],
                               struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct parts parts;
    struct weir_json header;
    struct weir_json claims;
    struct weir_principal principal = {0};
    ret_unknown_kid[0] = '\0';
    enum weir_code code = split(jwt, len, &parts, err);
    if (code == WEIR_OK) {
        code = parse_part(parts.header, parts.header_len, HEADER_BYTES_MAX, "header", arena,
                          &header, err);
    }
    if (code == WEIR_OK) {
        code = check_signature(set, policy, &header, &parts, arena, ret_unknown_kid, err);
    }
    if (code == WEIR_OK) {
        code = parse_part(parts.claims, parts.claims_len, WEIR_JWT_BYTES_MAX, "payload", arena,
                          &claims, err);
    }
    if (code == WEIR_OK) {
        code = check_claims(&claims, policy, now_ms, &principal, err);
    }
    if (code == WEIR_OK) {
        *ret = principal;
    }
    return code;
}

const char *weir_role_name(enum weir_role role)
{
    static const char *const names[] = {"guest", "viewer", "operator", "admin"};
    return names[role];
}
