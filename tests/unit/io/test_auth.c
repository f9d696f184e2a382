/* SPDX-License-Identifier: Apache-2.0 */
/* One token at a time: each step of judging it has a token here that only this step refuses. */
#include "lib/io/auth.h"

#include <openssl/bio.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/io/auth_hs256.h"
#include "lib/io/auth_jwt.h"
#include "tests/unit/check.h"
#include "tests/unit/io/tokens.h"

static const struct weir_jwt_policy policy = {.issuer = "https://i", .audience = "authenticated"};

static enum weir_code judge(struct tokens *f, const char *jwt, struct weir_principal *ret)
{
    char unknown_kid[WEIR_JWK_ID_MAX + 1];
    return weir_jwt_verify(f->set, &policy, jwt, strlen(jwt), NOW_MS, ret, unknown_kid, NULL);
}

static enum weir_code judge_claims(struct tokens *f, const char *claims)
{
    struct weir_principal who;
    return judge(f, tokens_mint(f, ES_HEADER, claims, f->ec), &who);
}

static void a_good_token_names_tenant_subject_and_role(void **state)
{
    struct tokens *f = *state;
    struct weir_principal who;
    assert_int_equal(judge(f, tokens_mint(f, ES_HEADER, GOOD, f->ec), &who), WEIR_OK);
    assert_string_equal(WEIR_ID_TEXT(&who.tenant_id), TENANT);
    assert_string_equal(WEIR_ID_TEXT(&who.session_id), "88888888-2222-4333-8444-555555555555");
    assert_false(who.has_aal2);
    assert_int_equal(who.role, WEIR_ROLE_OPERATOR);
    assert_false(who.is_platform);
    assert_int_equal(who.issued_at_ms, 1795000000000LL);
    assert_int_equal(who.expires_at_ms, 1795003600000LL);
    assert_int_equal(judge(f, tokens_mint(f, RS_HEADER, GOOD, f->rsa), &who), WEIR_OK);
}

static void an_audience_may_be_a_list(void **state)
{
    assert_int_equal(judge_claims(*state, CLAIMS(ISS ",\"aud\":[\"x\",\"authenticated\"]," TIMES
                                                     "," WHO "," APP)),
                     WEIR_OK);
}

/* One thing wrong with each, all else good and truly signed by the key `e`. */
static void a_header_that_asks_for_anything_else_is_refused(void **state)
{
    struct tokens *f = *state;
    struct weir_principal who;
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"kid\":\"e\"}",
        "{\"alg\":\"HS256\",\"kid\":\"e\"}",
        "{\"alg\":\"HS256\",\"kid\":\"o\"}",
        "{\"alg\":\"RS256\",\"kid\":\"e\"}",
        "{\"alg\":\"ES384\",\"kid\":\"e\"}",
        "{\"alg\":\"es256\",\"kid\":\"e\"}",
        "{\"alg\":[\"ES256\"],\"kid\":\"e\"}",
        "{\"kid\":\"e\"}",
        "{\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"kid\":\"\"}",
        "{\"alg\":\"ES256\",\"kid\":1}",
        "{\"alg\":\"ES256\",\"kid\":\"unknown\"}",
        "{\"alg\":\"ES256\",\"kid\":\"off\"}",
        "{\"alg\":\"ES256\",\"kid\":\"e\",\"crit\":[\"x\"]}",
        "{\"alg\":\"ES256\",\"kid\":\"e\",\"crit\":null}",
        "{\"alg\":\"ES256\",\"kid\":\"e\",\"b64\":false}",
        "{\"alg\":\"ES256\",\"kid\":\"e\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"ES256\",\"kid\":\"e\",\"typ\":7}",
        "{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"e\"}",
        "{\"alg\":\"ES256\",\"kid\":\"r\",\"kid\":\"e\"}",
        "[\"ES256\"]",
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (judge(f, tokens_mint(f, headers[i], GOOD, f->ec), &who) != WEIR_EUNAUTH) {
            fail_msg("accepted: %s", headers[i]);
        }
    }
}

static void keys_that_a_token_brings_along_are_not_looked_at(void **state)
{
    struct tokens *f = *state;
    struct weir_principal who;
    EVP_PKEY *own = EVP_EC_gen("P-256");
    static const char *const headers[] = {
        "{\"alg\":\"ES256\",\"kid\":\"e\",\"jku\":\"https://evil.example/jwks\"}",
        "{\"alg\":\"ES256\",\"kid\":\"e\",\"x5u\":\"https://evil.example/x\",\"x5c\":[\"AA==\"]}",
        "{\"alg\":\"ES256\",\"kid\":\"e\",\"jwk\":{\"kty\":\"EC\",\"kid\":\"e\"}}",
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_int_equal(judge(f, tokens_mint(f, headers[i], GOOD, own), &who), WEIR_EUNAUTH);
        assert_int_equal(judge(f, tokens_mint(f, headers[i], GOOD, f->ec), &who), WEIR_OK);
    }
    EVP_PKEY_free(own);
}

/* The other key's algorithm with its kid is as wrong as one's own algorithm with the other's kid.
 */
static void the_algorithm_must_be_the_keys_own(void **state)
{
    struct tokens *f = *state;
    struct weir_principal who;
    const char *as_rsa = "{\"alg\":\"RS256\",\"kid\":\"e\"}";
    const char *as_ec = "{\"alg\":\"ES256\",\"kid\":\"r\"}";
    struct weir_err err = {0};
    char kid[WEIR_JWK_ID_MAX + 1];
    const char *jwts[] = {tokens_mint(f, as_rsa, GOOD, f->ec), tokens_mint(f, as_rsa, GOOD, f->rsa),
                          tokens_mint(f, as_ec, GOOD, f->ec), tokens_mint(f, as_ec, GOOD, f->rsa)};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            weir_jwt_verify(f->set, &policy, jwts[i], strlen(jwts[i]), NOW_MS, &who, kid, &err),
            WEIR_EUNAUTH);
        assert_string_equal(err.msg, "alg is not the key's");
    }
}

static void only_a_kid_that_is_missing_is_worth_a_fetch(void **state)
{
    struct tokens *f = *state;
    struct weir_principal who;
    char kid[WEIR_JWK_ID_MAX + 1];
    const char *jwt = tokens_mint(f, "{\"alg\":\"ES256\",\"kid\":\"new\"}", GOOD, f->ec);
    assert_int_equal(weir_jwt_verify(f->set, &policy, jwt, strlen(jwt), NOW_MS, &who, kid, NULL),
                     WEIR_EUNAUTH);
    assert_string_equal(kid, "new");
    char long_kid[WEIR_JWK_ID_MAX + 2] = {0};
    memset(long_kid, 'k', sizeof(long_kid) - 1);
    const char *others[] = {
        tokens_mint(f, "{\"alg\":\"none\",\"kid\":\"new\"}", GOOD, f->ec),
        tokens_mint(f, "{\"alg\":\"HS256\",\"kid\":\"new\"}", GOOD, f->ec),
        tokens_mint(f, "{\"alg\":\"ES256\",\"kid\":\"new\",\"crit\":[]}", GOOD, f->ec),
        tokens_mint(f, weir_arena_printf(f->arena, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", long_kid),
                    GOOD, f->ec),
        tokens_mint(f, ES_HEADER, CLAIMS(ISS), f->ec),
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(
            weir_jwt_verify(f->set, &policy, others[i], strlen(others[i]), NOW_MS, &who, kid, NULL),
            WEIR_EUNAUTH);
        assert_string_equal(kid, "");
    }
}

static void a_header_has_a_kibibyte_at_most(void **state)
{
    struct tokens *f = *state;
    struct weir_principal who;
    for (int fill = 900; fill <= 1100; fill += 200) {
        const char *header = weir_arena_printf(
            f->arena, "{\"alg\":\"ES256\",\"kid\":\"e\",\"x\":\"%0*d\"}", fill, 0);
        assert_int_equal(judge(f, tokens_mint(f, header, GOOD, f->ec), &who),
                         fill < 1000 ? WEIR_OK : WEIR_EUNAUTH);
    }
}

static void a_token_has_four_kibibytes_at_most(void **state)
{
    struct tokens *f = *state;
    struct weir_principal who;
    size_t len = 0;
    for (int fill = 2500; len <= WEIR_JWT_BYTES_MAX; fill++) {
        const char *claims = weir_arena_printf(f->arena, "{\"x\":\"%0*d\",%s", fill, 0, GOOD + 1);
        const char *jwt = tokens_mint(f, ES_HEADER, claims, f->ec);
        len = strlen(jwt);
        assert_int_equal(judge(f, jwt, &who), len <= WEIR_JWT_BYTES_MAX ? WEIR_OK : WEIR_EUNAUTH);
    }
}

static void a_changed_token_is_refused(void **state)
{
    struct tokens *f = *state;
    struct weir_principal who;
    const char *good = tokens_mint(f, ES_HEADER, GOOD, f->ec);
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

/* 64 bytes end in a digit of which four bits are no data: 1111 there is another text of the same.
 */
static void a_token_has_one_spelling(void **state)
{
    struct tokens *f = *state;
    struct weir_principal who;
    char *jwt = weir_arena_strdup(f->arena, tokens_mint(f, ES_HEADER, GOOD, f->ec));
    char *last = jwt + strlen(jwt) - 1;
    assert_non_null(strchr("AQgw", *last));
    assert_int_equal(judge(f, jwt, &who), WEIR_OK);
    (*last)++;
    assert_int_equal(judge(f, jwt, &who), WEIR_EUNAUTH);
    static const char *const odd[] = {"%s ", " %s", "%s\n", "%s.", ".%s", "%s==", "%s+/"};
    (*last)--;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        char text[WEIR_JWT_BYTES_MAX];
        const char *mark = strchr(odd[i], '%');
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(mark - odd[i]), odd[i], jwt, mark + 2);
        assert_int_equal(judge(f, text, &who), WEIR_EUNAUTH);
    }
}

static const char *with_signature(struct tokens *f, const char *jwt, const void *bytes, size_t len)
{
    return weir_arena_printf(f->arena, "%.*s%s", (int)(strrchr(jwt, '.') + 1 - jwt), jwt,
                             tokens_encode(f->arena, bytes, len));
}

/* The same signature in DER, or with zeros before or after, is another text for one token. */
static void an_es256_signature_has_64_bytes(void **state)
{
    struct tokens *f = *state;
    struct weir_principal who;
    struct weir_err err = {0};
    char kid[WEIR_JWK_ID_MAX + 1];
    const char *jwt = tokens_mint(f, ES_HEADER, GOOD, f->ec);
    uint8_t raw[66] = {0};
    size_t len;
    assert_true(weir_base64url_decode(strrchr(jwt, '.') + 1, 86, raw, 64, &len));
    assert_int_equal(judge(f, with_signature(f, jwt, raw, 64), &who), WEIR_OK);
    static const size_t lens[] = {0, 1, 32, 63, 65, 66};
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        const char *bad = with_signature(f, jwt, raw, lens[i]);
        assert_int_equal(
            weir_jwt_verify(f->set, &policy, bad, strlen(bad), NOW_MS, &who, kid, &err),
            WEIR_EUNAUTH);
    }
    static const uint8_t zeros[64] = {0}; /* CVE-2022-21449 */
    assert_int_equal(judge(f, with_signature(f, jwt, zeros, 64), &who), WEIR_EUNAUTH);
}

/* One thing wrong with each. */
static void claims_that_prove_nothing_are_refused(void **state)
{
    static const char *const claims[] = {
        /* iss */
        CLAIMS(AUD "," TIMES "," WHO "," APP),
        CLAIMS("\"iss\":\"https://j\"," AUD "," TIMES "," WHO "," APP),
        CLAIMS("\"iss\":\"https://i/\"," AUD "," TIMES "," WHO "," APP),
        CLAIMS("\"iss\":[\"https://i\"]," AUD "," TIMES "," WHO "," APP),
        /* aud */
        CLAIMS(ISS "," TIMES "," WHO "," APP),
        CLAIMS(ISS ",\"aud\":\"anon\"," TIMES "," WHO "," APP),
        CLAIMS(ISS ",\"aud\":[]," TIMES "," WHO "," APP),
        CLAIMS(ISS ",\"aud\":[\"anon\",[\"authenticated\"]]," TIMES "," WHO "," APP),
        CLAIMS(ISS ",\"aud\":{\"authenticated\":1}," TIMES "," WHO "," APP),
        /* exp, iat, nbf */
        CLAIMS(ISS "," AUD ",\"iat\":" NOW "," WHO "," APP),
        CLAIMS(ISS "," AUD ",\"exp\":1795003600," WHO "," APP),
        CLAIMS(ISS "," AUD ",\"iat\":" NOW ",\"exp\":\"1795003600\"," WHO "," APP),
        CLAIMS(ISS "," AUD ",\"iat\":" NOW ",\"exp\":1795003600.5," WHO "," APP),
        CLAIMS(ISS "," AUD ",\"iat\":-9223372036854775808,\"exp\":1795003600," WHO "," APP),
        CLAIMS(ISS "," AUD ",\"iat\":" NOW ",\"exp\":9223372036854775807," WHO "," APP),
        CLAIMS(ISS "," AUD ",\"iat\":1794990000,\"exp\":1794999969," WHO "," APP),
        CLAIMS(ISS "," AUD ",\"iat\":1795000031,\"exp\":1795003600," WHO "," APP),
        CLAIMS(ISS "," AUD "," TIMES ",\"nbf\":1795000031," WHO "," APP),
        CLAIMS(ISS "," AUD "," TIMES ",\"nbf\":\"0\"," WHO "," APP),
        CLAIMS(ISS "," AUD ",\"iat\":" NOW ",\"exp\":1795086401," WHO "," APP),
        /* a service key: ten years */
        CLAIMS(ISS "," AUD ",\"iat\":1790000000,\"exp\":2105360000," WHO "," APP),
        /* role, sub, session_id */
        CLAIMS(ISS "," AUD "," TIMES ",\"role\":\"anon\"," SUB "," SESSION "," APP),
        CLAIMS(ISS "," AUD "," TIMES ",\"role\":\"service_role\"," SUB "," SESSION "," APP),
        CLAIMS(ISS "," AUD "," TIMES "," SUB "," SESSION "," APP),
        CLAIMS(ISS "," AUD "," TIMES ",\"role\":\"authenticated\",\"sub\":\"me\"," SESSION "," APP),
        CLAIMS(ISS "," AUD "," TIMES ",\"role\":\"authenticated\"," SESSION "," APP),
        CLAIMS(ISS "," AUD "," TIMES ",\"role\":\"authenticated\"," SUB "," APP),
        CLAIMS(ISS "," AUD "," TIMES ",\"role\":\"authenticated\"," SUB
                   ",\"session_id\":\"mine\"," APP),
        /* names twice: which one counts is a matter of the reader */
        CLAIMS(ISS "," ISS "," AUD "," TIMES "," WHO "," APP),
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"app_metadata\":{\"tenant_id\":\"" TENANT
                   "\",\"tenant_id\":\"" TENANT "\"}"),
        "[]",
        "",
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
    assert_int_equal(
        judge_claims(*state, CLAIMS(ISS "," AUD "," TIMES ",\"nbf\":1795000030," WHO "," APP)),
        WEIR_OK);
    assert_int_equal(judge_claims(*state, CLAIMS(ISS "," AUD ",\"iat\":" NOW
                                                     ",\"exp\":1795086400," WHO "," APP)),
                     WEIR_OK);
}

static void users_without_a_tenant_are_forbidden(void **state)
{
    static const char *const claims[] = {
        CLAIMS(ISS "," AUD "," TIMES "," WHO),
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"app_metadata\":{}"),
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"app_metadata\":{\"tenant_id\":\"x\"}"),
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"user_metadata\":{\"tenant_id\":\"" TENANT "\"}"),
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"tenant_id\":\"" TENANT "\""),
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"is_anonymous\":true," APP),
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"is_anonymous\":\"true\"," APP),
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"is_anonymous\":1," APP),
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
    struct tokens *f = *state;
    struct weir_principal who;
    const char *claims =
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"app_metadata\":{\"platform\":true}");
    assert_int_equal(judge(f, tokens_mint(f, ES_HEADER, claims, f->ec), &who), WEIR_OK);
    assert_true(who.is_platform);
    assert_false(who.has_tenant);
    assert_int_equal(who.role, WEIR_ROLE_VIEWER);
}

static void a_guest_has_less_than_who_names_no_role(void **state)
{
    struct tokens *f = *state;
    struct weir_principal who;
    const char *guest =
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"app_metadata\":{\"tenant_id\":\"" TENANT
                   "\",\"tenant_role\":\"guest\"}");
    const char *nothing =
        CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"app_metadata\":{\"tenant_id\":\"" TENANT "\"}");
    assert_int_equal(judge(f, tokens_mint(f, ES_HEADER, guest, f->ec), &who), WEIR_OK);
    assert_int_equal(who.role, WEIR_ROLE_GUEST);
    assert_int_equal(judge(f, tokens_mint(f, ES_HEADER, nothing, f->ec), &who), WEIR_OK);
    assert_int_equal(who.role, WEIR_ROLE_VIEWER);
    assert_true(WEIR_ROLE_GUEST < WEIR_ROLE_VIEWER && WEIR_ROLE_VIEWER < WEIR_ROLE_OPERATOR);
}

/* What a user can write himself must not matter where an administrator wrote something else. */
static void the_tenant_is_the_one_in_app_metadata(void **state)
{
    struct tokens *f = *state;
    struct weir_principal who;
    const char *claims = CLAIMS(
        ISS "," AUD "," TIMES "," WHO ",\"tenant_id\":\"99999999-2222-4333-8444-555555555555\","
            "\"user_metadata\":{\"tenant_id\":\"99999999-2222-4333-8444-555555555555\","
            "\"tenant_role\":\"admin\",\"platform\":true}," APP);
    assert_int_equal(judge(f, tokens_mint(f, ES_HEADER, claims, f->ec), &who), WEIR_OK);
    assert_string_equal(WEIR_ID_TEXT(&who.tenant_id), TENANT);
    assert_int_equal(who.role, WEIR_ROLE_OPERATOR);
    assert_false(who.is_platform);
}

static void anonymous_users_pass_by_a_switch_alone(void **state)
{
    struct tokens *f = *state;
    struct weir_principal who;
    char kid[WEIR_JWK_ID_MAX + 1];
    struct weir_jwt_policy open = policy;
    open.allows_anonymous = true;
    const char *jwt = tokens_mint(
        f, ES_HEADER, CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"is_anonymous\":true," APP), f->ec);
    assert_int_equal(weir_jwt_verify(f->set, &open, jwt, strlen(jwt), NOW_MS, &who, kid, NULL),
                     WEIR_OK);
    assert_int_equal(
        judge_claims(f, CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"is_anonymous\":false," APP)),
        WEIR_OK);
}

static void a_second_factor_is_told(void **state)
{
    struct tokens *f = *state;
    struct weir_principal who;
    const char *strong = CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"aal\":\"aal2\"," APP);
    const char *weak = CLAIMS(ISS "," AUD "," TIMES "," WHO ",\"aal\":[\"aal2\"]," APP);
    assert_int_equal(judge(f, tokens_mint(f, ES_HEADER, strong, f->ec), &who), WEIR_OK);
    assert_true(who.has_aal2);
    assert_int_equal(judge(f, tokens_mint(f, ES_HEADER, weak, f->ec), &who), WEIR_OK);
    assert_false(who.has_aal2);
}

/* ---- HS256 ---- */

static const char secret[] = "super-secret-jwt-token-with-at-least-32-characters-long";

static const char *mint_mac(struct tokens *f, const char *header, const char *claims,
                            const char *key, const EVP_MD *digest)
{
    const char *text =
        weir_arena_printf(f->arena, "%s.%s", tokens_encode(f->arena, header, strlen(header)),
                          tokens_encode(f->arena, claims, strlen(claims)));
    uint8_t mac[64];
    unsigned len = sizeof(mac);
    assert_non_null(
        HMAC(digest, key, (int)strlen(key), (const uint8_t *)text, strlen(text), mac, &len));
    return weir_arena_printf(f->arena, "%s.%s", text, tokens_encode(f->arena, mac, len));
}

static const char *mint_hs256(struct tokens *f, const char *header, const char *claims,
                              const char *key)
{
    return mint_mac(f, header, claims, key, EVP_sha256());
}

static enum weir_code judge_hs256(struct tokens *f, const char *header, const char *claims,
                                  const char *key)
{
    struct weir_jwt_policy open = policy;
    open.hs256_secret = secret;
    struct weir_principal who;
    char kid[WEIR_JWK_ID_MAX + 1];
    const char *jwt = mint_hs256(f, header, claims, key);
    return weir_jwt_verify(f->set, &open, jwt, strlen(jwt), NOW_MS, &who, kid, NULL);
}

#define HS_HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

static void hs256_passes_by_the_configured_secret_alone(void **state)
{
    struct tokens *f = *state;
    struct weir_principal who;
    assert_int_equal(judge_hs256(f, HS_HEADER, GOOD, secret), WEIR_OK);
    /* Supabase names the key of newer ones, and the set may even hold it; it is not looked for. */
    assert_int_equal(judge_hs256(f, "{\"alg\":\"HS256\",\"kid\":\"o\"}", GOOD, secret), WEIR_OK);
    assert_int_equal(judge_hs256(f, "{\"alg\":\"HS256\",\"kid\":\"e\"}", GOOD, secret), WEIR_OK);
    /* `o` is in the set with this one as its key. */
    assert_int_equal(judge_hs256(f, "{\"alg\":\"HS256\",\"kid\":\"o\"}", GOOD, "secret"),
                     WEIR_EUNAUTH);
    assert_int_equal(judge_hs256(f, HS_HEADER, GOOD, "super-secret"), WEIR_EUNAUTH);
    assert_int_equal(judge_hs256(f, HS_HEADER, GOOD, ""), WEIR_EUNAUTH);
    assert_int_equal(judge_hs256(f, "{\"alg\":\"HS384\"}", GOOD, secret), WEIR_EUNAUTH);
    assert_int_equal(judge_hs256(f, "{\"alg\":\"none\"}", GOOD, secret), WEIR_EUNAUTH);
    assert_int_equal(judge_hs256(f, "{\"alg\":\"HS256\",\"crit\":[\"x\"]}", GOOD, secret),
                     WEIR_EUNAUTH);
    assert_int_equal(judge_hs256(f, HS_HEADER, CLAIMS(ISS), secret), WEIR_EUNAUTH);
    /* Without the switch */
    assert_int_equal(judge(f, mint_hs256(f, HS_HEADER, GOOD, secret), &who), WEIR_EUNAUTH);
}

/* libjwt knows more algorithms than we want of it. */
static void libjwt_is_asked_for_hs256_only(void **state)
{
    struct tokens *f = *state;
    assert_true(weir_hs256_is_signed(secret, mint_hs256(f, HS_HEADER, GOOD, secret)));
    const char *longer =
        mint_mac(f, "{\"alg\":\"HS512\",\"typ\":\"JWT\"}", GOOD, secret, EVP_sha512());
    assert_false(weir_hs256_is_signed(secret, longer));
    assert_false(weir_hs256_is_signed("", mint_hs256(f, HS_HEADER, GOOD, "")));
    assert_false(weir_hs256_is_signed(secret, "x"));
}

/* The keys that anon and service_role have in projects with a secret. */
static void the_keys_of_a_project_are_no_users(void **state)
{
    static const char *const keys[] = {
        CLAIMS("\"iss\":\"supabase\",\"ref\":\"p\",\"role\":\"service_role\","
               "\"iat\":1790000000,\"exp\":2105360000"),
        CLAIMS("\"iss\":\"supabase\",\"ref\":\"p\",\"role\":\"anon\","
               "\"iat\":1790000000,\"exp\":2105360000"),
        CLAIMS(ISS "," AUD ",\"iat\":1790000000,\"exp\":2105360000," WHO "," APP),
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_int_equal(judge_hs256(*state, HS_HEADER, keys[i], secret), WEIR_EUNAUTH);
    }
}

static const char *public_pem(struct tokens *f, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    char *text;
    long len = BIO_get_mem_data(bio, &text);
    const char *copy = weir_arena_memdup(f->arena, text, (size_t)len);
    BIO_free(bio);
    return copy;
}

/* Algorithm confusion: what everybody may read is used as the secret. */
static void a_public_keys_text_signs_nothing(void **state)
{
    struct tokens *f = *state;
    struct weir_principal who;
    const char *const texts[] = {public_pem(f, f->ec), public_pem(f, f->rsa), f->set_text};
    const char *const headers[] = {HS_HEADER, "{\"alg\":\"HS256\",\"kid\":\"e\"}",
                                   "{\"alg\":\"HS256\",\"kid\":\"r\"}"};
    for (size_t i = 0; i < 9; i++) {
        const char *jwt = mint_hs256(f, headers[i % 3], GOOD, texts[i / 3]);
        assert_int_equal(judge(f, jwt, &who), WEIR_EUNAUTH);
        assert_int_equal(judge_hs256(f, headers[i % 3], GOOD, texts[i / 3]), WEIR_EUNAUTH);
    }
    struct weir_auth_config config = {
        .jwks = "/nonexistent", .issuer = "https://i", .audience = "authenticated"};
    struct weir_auth *auth = NULL;
    const char *const bad[] = {texts[0], texts[1], "short",
                               "{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAA\"}"};
    for (size_t i = 0; i < 4; i++) {
        config.hs256_secret = bad[i];
        struct weir_err err = {0};
        assert_int_equal(weir_auth_open(&config, &auth, &err), WEIR_EINVAL);
        assert_null(strstr(err.msg, bad[i]));
    }
}

static void wait_loaded(struct weir_auth *auth)
{
    for (int i = 0; i < 3000 && weir_auth_check(auth, NULL) != WEIR_OK; i++) {
        usleep(10000);
    }
}

/* Such projects publish a set without keys. */
static void a_project_with_a_secret_needs_no_keys(void **state)
{
    struct tokens *f = *state;
    char path[] = "/tmp/weir-jwks-XXXXXX";
    close(mkstemp(path));
    tokens_write(path, "{\"keys\":[]}");
    struct weir_auth_config config = {.jwks = path,
                                      .issuer = "https://i",
                                      .audience = "authenticated",
                                      .hs256_secret = secret,
                                      .retry_ms = 20};
    struct weir_auth *auth = NULL;
    struct weir_err err = {0};
    ASSERT_OK(weir_auth_open(&config, &auth, &err), &err);
    wait_loaded(auth);
    struct weir_principal who;
    bool is_loading;
    const char *header =
        weir_arena_printf(f->arena, "Bearer %s", mint_hs256(f, HS_HEADER, GOOD, secret));
    ASSERT_OK(weir_auth_verify(auth, header, NOW_MS, &who, &is_loading, &err), &err);
    weir_auth_close(&auth);

    config.hs256_secret = "";
    ASSERT_OK(weir_auth_open(&config, &auth, &err), &err);
    struct weir_auth_stats stats = {0};
    while (stats.key_fetches < 2) {
        usleep(10000);
        weir_auth_stats(auth, &stats);
    }
    assert_int_equal(weir_auth_check(auth, NULL), WEIR_EUNAVAILABLE);
    weir_auth_close(&auth);
    unlink(path);
}

#define KEYED(test) cmocka_unit_test_setup_teardown(test, tokens_begin, tokens_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYED(a_good_token_names_tenant_subject_and_role),
        KEYED(an_audience_may_be_a_list),
        KEYED(a_header_that_asks_for_anything_else_is_refused),
        KEYED(keys_that_a_token_brings_along_are_not_looked_at),
        KEYED(the_algorithm_must_be_the_keys_own),
        KEYED(only_a_kid_that_is_missing_is_worth_a_fetch),
        KEYED(a_header_has_a_kibibyte_at_most),
        KEYED(a_token_has_four_kibibytes_at_most),
        KEYED(a_changed_token_is_refused),
        KEYED(a_token_has_one_spelling),
        KEYED(an_es256_signature_has_64_bytes),
        KEYED(claims_that_prove_nothing_are_refused),
        KEYED(clocks_may_differ_by_half_a_minute),
        KEYED(users_without_a_tenant_are_forbidden),
        KEYED(platform_operators_need_no_tenant),
        KEYED(a_guest_has_less_than_who_names_no_role),
        KEYED(the_tenant_is_the_one_in_app_metadata),
        KEYED(anonymous_users_pass_by_a_switch_alone),
        KEYED(a_second_factor_is_told),
        KEYED(hs256_passes_by_the_configured_secret_alone),
        KEYED(libjwt_is_asked_for_hs256_only),
        KEYED(the_keys_of_a_project_are_no_users),
        KEYED(a_public_keys_text_signs_nothing),
        KEYED(a_project_with_a_secret_needs_no_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
