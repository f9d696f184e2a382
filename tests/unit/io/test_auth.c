/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/auth.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "lib/io/auth_jwt.h"
#include "tests/unit/check.h"

#define NOW_MS 1795000000000LL
#define NOW    "1795000000"

static const struct weir_jwt_policy policy = {.issuer = "https://i", .audience = "authenticated"};

struct fixture {
    struct weir_arena *arena;
    EVP_PKEY *ec;
    EVP_PKEY *rsa;
    struct weir_jwks *set;
    const char *set_text;
};

static const char *encode(struct weir_arena *arena, const void *bytes, size_t len)
{
    char *text = weir_arena_alloc(arena, WEIR_BASE64URL_LEN(len) + 1);
    weir_base64url_encode(bytes, len, text);
    return text;
}

static const char *number(struct weir_arena *arena, EVP_PKEY *key, const char *name)
{
    BIGNUM *n = NULL;
    uint8_t bytes[512];
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &n), 1);
    int len = BN_bn2bin(n, bytes);
    BN_free(n);
    return encode(arena, bytes, (size_t)len);
}

static int begin(void **state)
{
    struct fixture *f = weir_xalloc(sizeof(*f));
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
        encode(f->arena, point + 1, 32), encode(f->arena, point + 33, 32),
        number(f->arena, f->rsa, OSSL_PKEY_PARAM_RSA_N),
        number(f->arena, f->rsa, OSSL_PKEY_PARAM_RSA_E), encode(f->arena, point + 1, 32),
        encode(f->arena, point + 1, 32));
    struct weir_err err = {0};
    ASSERT_OK(weir_jwks_parse(f->set_text, strlen(f->set_text), &f->set, &err), &err);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
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

static const char *mint(struct fixture *f, const char *header, const char *claims, EVP_PKEY *key)
{
    const char *text =
        weir_arena_printf(f->arena, "%s.%s", encode(f->arena, header, strlen(header)),
                          encode(f->arena, claims, strlen(claims)));
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
                             encode(f->arena, is_ec ? raw : signature, len));
}

#define ES_HEADER   "{\"alg\":\"ES256\",\"kid\":\"e\",\"typ\":\"JWT\"}"
#define RS_HEADER   "{\"alg\":\"RS256\",\"kid\":\"r\"}"
#define TENANT      "11111111-2222-4333-8444-555555555555"
#define APP         "\"app_metadata\":{\"tenant_id\":\"" TENANT "\",\"tenant_role\":\"operator\"}"
#define WHO         "\"role\":\"authenticated\",\"sub\":\"99999999-2222-4333-8444-555555555555\""
#define TIMES       "\"iat\":" NOW ",\"exp\":1795003600"
#define ISS         "\"iss\":\"https://i\""
#define AUD         "\"aud\":\"authenticated\""
#define CLAIMS(...) "{" __VA_ARGS__ "}"
#define GOOD        CLAIMS(ISS "," AUD "," TIMES "," WHO "," APP)

static enum weir_code judge(struct fixture *f, const char *jwt, struct weir_principal *ret)
{
    bool is_key_unknown;
    return weir_jwt_verify(f->set, &policy, jwt, strlen(jwt), NOW_MS, ret, &is_key_unknown, NULL);
}

static enum weir_code judge_claims(struct fixture *f, const char *claims)
{
    struct weir_principal who;
    return judge(f, mint(f, ES_HEADER, claims, f->ec), &who);
}

static void a_good_token_names_tenant_subject_and_role(void **state)
{
    struct fixture *f = *state;
    struct weir_principal who;
    assert_int_equal(judge(f, mint(f, ES_HEADER, GOOD, f->ec), &who), WEIR_OK);
    assert_string_equal(WEIR_ID_TEXT(&who.tenant_id), TENANT);
    assert_int_equal(who.role, WEIR_ROLE_OPERATOR);
    assert_false(who.is_platform);
    assert_int_equal(who.issued_at_ms, 1795000000000LL);
    assert_int_equal(who.expires_at_ms, 1795003600000LL);
    assert_int_equal(judge(f, mint(f, RS_HEADER, GOOD, f->rsa), &who), WEIR_OK);
}

static void an_audience_may_be_a_list(void **state)
{
    assert_int_equal(judge_claims(*state, CLAIMS(ISS ",\"aud\":[\"x\",\"authenticated\"]," TIMES
                                                     "," WHO "," APP)),
                     WEIR_OK);
}

static void the_algorithm_must_be_the_keys_own(void **state)
{
    struct fixture *f = *state;
    struct weir_principal who;
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"kid\":\"e\"}",
        "{\"alg\":\"HS256\",\"kid\":\"e\"}",
        "{\"alg\":\"HS256\",\"kid\":\"o\"}",
        "{\"alg\":\"RS256\",\"kid\":\"e\"}",
        "{\"alg\":\"ES384\",\"kid\":\"e\"}",
        "{\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"kid\":\"unknown\"}",
        "{\"alg\":\"ES256\",\"kid\":\"off\"}",
        "{\"alg\":\"ES256\",\"kid\":\"e\",\"crit\":[\"x\"]}",
        "{\"alg\":\"ES256\",\"kid\":\"e\",\"b64\":false}",
        "{\"alg\":\"ES256\",\"kid\":\"e\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"e\"}",
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (judge(f, mint(f, headers[i], GOOD, f->ec), &who) != WEIR_EUNAUTH) {
            fail_msg("accepted: %s", headers[i]);
        }
    }
}

static void a_changed_token_is_refused(void **state)
{
    struct fixture *f = *state;
    struct weir_principal who;
    const char *good = mint(f, ES_HEADER, GOOD, f->ec);
    size_t len = strlen(good);
    for (size_t i = 0; i < len; i += 7) {
        char *bad = weir_arena_strdup(f->arena, good);
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        if (judge(f, bad, &who) == WEIR_OK) {
            fail_msg("accepted with byte %zu changed", i);
        }
    }
    assert_int_equal(judge(f, weir_arena_printf(f->arena, "%s=", good), &who), WEIR_EUNAUTH);
    assert_int_equal(judge(f, weir_arena_printf(f->arena, "%s.x", good), &who), WEIR_EUNAUTH);
    assert_int_equal(judge(f, weir_arena_printf(f->arena, "%.*s", (int)len - 86, good), &who),
                     WEIR_EUNAUTH);
    assert_int_equal(judge(f, "", &who), WEIR_EUNAUTH);
    assert_int_equal(judge(f, "..", &who), WEIR_EUNAUTH);
}

static void claims_that_prove_nothing_are_refused(void **state)
{
    static const char *const claims[] = {
        CLAIMS(AUD "," TIMES "," WHO "," APP),
        CLAIMS("\"iss\":\"https://j\"," AUD "," TIMES "," WHO "," APP),
        CLAIMS(ISS ",\"aud\":\"anon\"," TIMES "," WHO "," APP),
        CLAIMS(ISS "," TIMES "," WHO "," APP),
        CLAIMS(ISS "," AUD ",\"iat\":" NOW "," WHO "," APP),
        CLAIMS(ISS "," AUD ",\"iat\":" NOW ",\"exp\":\"1795003600\"," WHO "," APP),
        CLAIMS(ISS "," AUD ",\"iat\":1794990000,\"exp\":1794999969," WHO "," APP),
        CLAIMS(ISS "," AUD ",\"iat\":1795000031,\"exp\":1795003600," WHO "," APP),
        CLAIMS(ISS "," AUD "," TIMES ",\"nbf\":1795000031," WHO "," APP),
        CLAIMS(ISS "," AUD ",\"iat\":" NOW ",\"exp\":1795086401," WHO "," APP),
        CLAIMS(ISS "," AUD "," TIMES ",\"role\":\"anon\",\"sub\":\"" TENANT "\"," APP),
        CLAIMS(ISS "," AUD "," TIMES ",\"role\":\"authenticated\",\"sub\":\"me\"," APP),
        CLAIMS(ISS "," AUD "," TIMES ",\"role\":\"authenticated\"," APP),
        "[]",
    };
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        if (judge_claims(*state, claims[i]) != WEIR_EUNAUTH) {
            fail_msg("accepted: %s", claims[i]);
        }
    }
}

static void clocks_may_differ_by_half_a_minute(void **state)
{
    assert_int_equal(judge_claims(*state, CLAIMS(ISS "," AUD ",\"iat\":1795000030,\"exp\":"
                                                     "1795003600," WHO "," APP)),
                     WEIR_OK);
    assert_int_equal(judge_claims(*state, CLAIMS(ISS "," AUD ",\"iat\":1794990000,\"exp\":"
                                                     "1794999971," WHO "," APP)),
                     WEIR_OK);
}

static void users_without_a_tenant_are_forbidden(void **state)
{
    static const char *const claims[] = {
        CLAIMS(ISS "," AUD "," TIMES "," WHO),
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"app_metadata\":{}"),
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"app_metadata\":{\"tenant_id\":\"x\"}"),
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"user_metadata\":{\"tenant_id\":\"" TENANT "\"}"),
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"is_anonymous\":true," APP),
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"app_metadata\":{\"tenant_id\":\"" TENANT
                   "\",\"tenant_role\":\"root\"}"),
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"app_metadata\":{\"platform\":\"true\"}"),
    };
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        if (judge_claims(*state, claims[i]) != WEIR_EFORBIDDEN) {
            fail_msg("not forbidden: %s", claims[i]);
        }
    }
}

static void platform_operators_need_no_tenant(void **state)
{
    struct fixture *f = *state;
    struct weir_principal who;
    const char *claims =
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"app_metadata\":{\"platform\":true}");
    assert_int_equal(judge(f, mint(f, ES_HEADER, claims, f->ec), &who), WEIR_OK);
    assert_true(who.is_platform);
    assert_false(who.has_tenant);
    assert_int_equal(who.role, WEIR_ROLE_VIEWER);
}

static void a_key_set_holds_only_keys_we_trust(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->set->n, 2);
    assert_null(weir_jwks_find(f->set, "o"));
    struct weir_jwks *set = NULL;
    static const char *const bad[] = {
        "", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]}", "{\"keys\":[1,null,\"x\"]}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_not_equal(weir_jwks_parse(bad[i], strlen(bad[i]), &set, NULL), WEIR_OK);
    }
}

static void wait_loaded(struct weir_auth *auth)
{
    for (int i = 0; i < 200 && weir_auth_check(auth, NULL) != WEIR_OK; i++) {
        usleep(10000);
    }
}

static void a_key_file_is_loaded_and_a_missing_one_closes_the_door(void **state)
{
    struct fixture *f = *state;
    char path[] = "/tmp/weir-jwks-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, f->set_text, strlen(f->set_text)), strlen(f->set_text));
    close(fd);
    struct weir_auth_config config = {
        .jwks = path, .issuer = "https://i", .audience = "authenticated", .cache_max = 2};
    struct weir_auth *auth = NULL;
    struct weir_err err = {0};
    ASSERT_OK(weir_auth_open(&config, &auth, &err), &err);
    wait_loaded(auth);
    struct weir_principal who;
    bool is_loading;
    const char *jwt = mint(f, ES_HEADER, GOOD, f->ec);
    const char *header = weir_arena_printf(f->arena, "Bearer %s", jwt);
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(weir_auth_verify(auth, header, NOW_MS, &who, &is_loading, &err), &err);
    }
    assert_int_equal(weir_auth_verify(auth, header, 1795003631000LL, &who, &is_loading, NULL),
                     WEIR_EUNAUTH);
    assert_int_equal(weir_auth_verify(auth, jwt, NOW_MS, &who, &is_loading, NULL), WEIR_EUNAUTH);
    assert_int_equal(weir_auth_verify(auth, NULL, NOW_MS, &who, &is_loading, NULL), WEIR_EUNAUTH);
    weir_auth_close(&auth);
    unlink(path);

    ASSERT_OK(weir_auth_open(&config, &auth, &err), &err);
    usleep(50000);
    assert_int_equal(weir_auth_verify(auth, header, NOW_MS, &who, &is_loading, &err),
                     WEIR_EUNAVAILABLE);
    weir_auth_close(&auth);
    config.jwks = "http://example.com/jwks";
    assert_int_equal(weir_auth_open(&config, &auth, &err), WEIR_EINVAL);
}

#define KEYED(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYED(a_good_token_names_tenant_subject_and_role),
        KEYED(an_audience_may_be_a_list),
        KEYED(the_algorithm_must_be_the_keys_own),
        KEYED(a_changed_token_is_refused),
        KEYED(claims_that_prove_nothing_are_refused),
        KEYED(clocks_may_differ_by_half_a_minute),
        KEYED(users_without_a_tenant_are_forbidden),
        KEYED(platform_operators_need_no_tenant),
        KEYED(a_key_set_holds_only_keys_we_trust),
        KEYED(a_key_file_is_loaded_and_a_missing_one_closes_the_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
