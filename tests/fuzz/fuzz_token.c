/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tokens that hold anything but are signed rightly (HS256), so that the judge of header and
 * claims is reached. The first byte says what the rest is: 'c' claims to be put after good ones
 * (without the last brace), 'h' a header before good claims, anything else claims alone. Whoever
 * passes keeps the policy by his own claims, and nobody passes with one bit changed.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "lib/domain/json.h"
#include "lib/io/auth_jwt.h"

#define NOW_MS   1795000000000
#define NOW_S    (NOW_MS / 1000)
#define LEEWAY_S 30
#define PART_MAX 2048
#define TEXT_MAX (2 * WEIR_BASE64URL_LEN(PART_MAX) + 64)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char set_text[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e\","
    "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"}]}"; /* RFC 7517, appendix A.1 */

static const char secret[] = "a secret of at least thirty-two bytes";
static const char good_header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
static const char good_claims[] =
    "{\"iss\":\"https://i\",\"aud\":\"authenticated\",\"role\":\"authenticated\","
    "\"iat\":1794999990,\"exp\":1795003590,\"sub\":\"0b7e7d46-0b34-4e0c-9f2d-6a3f5d0c1a01\","
    "\"session_id\":\"0b7e7d46-0b34-4e0c-9f2d-6a3f5d0c1a02\",\"app_metadata\":"
    "{\"tenant_id\":\"0b7e7d46-0b34-4e0c-9f2d-6a3f5d0c1a03\",\"tenant_role\":\"admin\"}";

static const struct weir_jwt_policy policy = {
    .issuer = "https://i", .audience = "authenticated", .hs256_secret = secret};

static size_t sign(const char *header, size_t header_len, const char *claims, size_t claims_len,
                   char *text)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    size_t at = weir_base64url_encode((const uint8_t *)header, header_len, text);
    text[at++] = '.';
    at += weir_base64url_encode((const uint8_t *)claims, claims_len, text + at);
    if (!HMAC(EVP_sha256(), secret, (int)strlen(secret), (const uint8_t *)text, at, mac,
              &mac_len)) {
        abort();
    }
    text[at++] = '.';
    return at + weir_base64url_encode(mac, mac_len, text + at);
}

static int64_t date(const struct weir_json *claims, const char *name)
{
    const struct weir_json *value = weir_json_find(claims, name);
    return value && value->type == WEIR_JSON_INT ? value->integer : INT64_MIN;
}

static bool is_text(const struct weir_json *claims, const char *name, const char *wanted)
{
    const char *text = weir_json_find_str(claims, name);
    return text && strcmp(text, wanted) == 0;
}

static void judge(const char *bytes, size_t len, const struct weir_principal *who)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_json claims;
    if (weir_json_parse(bytes, len, arena, &claims, NULL) != WEIR_OK ||
        !is_text(&claims, "iss", "https://i") || !is_text(&claims, "role", "authenticated") ||
        !weir_json_find(&claims, "aud") || date(&claims, "exp") + LEEWAY_S <= NOW_S ||
        date(&claims, "iat") > NOW_S + LEEWAY_S ||
        (weir_json_find(&claims, "nbf") && date(&claims, "nbf") > NOW_S + LEEWAY_S) ||
        who->expires_at_ms != date(&claims, "exp") * 1000 ||
        who->expires_at_ms - who->issued_at_ms > 24 * 3600 * 1000) {
        abort();
    }
    const struct weir_json *app = weir_json_find(&claims, "app_metadata");
    struct weir_id tenant;
    const char *text = weir_json_find_str(app, "tenant_id");
    if (who->has_tenant && (!text || weir_id_parse(text, strlen(text), &tenant, NULL) != WEIR_OK ||
                            !weir_id_equal(&tenant, &who->tenant_id))) {
        abort();
    }
    if (!who->has_tenant && !who->is_platform) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct weir_jwks *set;
    char text[TEXT_MAX];
    char claims[PART_MAX];
    char unknown_kid[WEIR_JWK_ID_MAX + 1];
    struct weir_principal who;
    if (!set && weir_jwks_parse(set_text, strlen(set_text), &set, NULL) != WEIR_OK) {
        abort();
    }
    size_t good_len = strlen(good_claims);
    if (size == 0 || size > PART_MAX - good_len - 2) {
        return 0;
    }
    const char *rest = (const char *)data + 1;
    const char *header = good_header;
    size_t header_len = strlen(good_header);
    size_t rest_len = size - 1;
    size_t len = 0;
    if (data[0] == 'c' || data[0] == 'h') {
        memcpy(claims, good_claims, good_len);
        len = good_len;
    }
    if (data[0] == 'h') {
        header = rest;
        header_len = rest_len;
        claims[len++] = '}';
    } else {
        memcpy(claims + len, rest, rest_len);
        len += rest_len;
    }
    size_t text_len = sign(header, header_len, claims, len, text);
    if (weir_jwt_verify(set, &policy, text, text_len, NOW_MS, &who, unknown_kid, NULL) == WEIR_OK) {
        judge(claims, len, &who);
        size_t at = size % text_len;
        text[at] = text[at] == 'A' ? 'B' : 'A';
        if (weir_jwt_verify(set, &policy, text, text_len, NOW_MS, &who, unknown_kid, NULL) ==
            WEIR_OK) {
            abort();
        }
    }
    return 0;
}
