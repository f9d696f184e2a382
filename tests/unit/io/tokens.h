/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens for the tests of lib/io/auth: keys, a set of them, and claims to put together by macros.
 */
#ifndef WEIR_TESTS_UNIT_IO_TOKENS_H
#define WEIR_TESTS_UNIT_IO_TOKENS_H

#include <openssl/evp.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/io/auth_jwks.h"

#define NOW_MS 1795000000000LL
#define NOW    "1795000000"

/*
 * The set holds `ec` as `e` and `rsa` as `r`, and two that must not be taken: `o` is symmetric
 * with the key "secret", `off` is not on its curve.
 */
struct tokens {
    struct weir_arena *arena;
    EVP_PKEY *ec;
    EVP_PKEY *rsa;
    struct weir_jwks *set;
    const char *set_text;
};

/* cmocka's setup and teardown: *state becomes a struct tokens. */
int tokens_begin(void **state);
int tokens_end(void **state);

const char *tokens_encode(struct weir_arena *arena, const void *bytes, size_t len);
/* A number of an RSA key as a JWK has it. */
const char *tokens_number(struct weir_arena *arena, EVP_PKEY *key, const char *name);
/* Signed by `key` with SHA-256, whatever the header says. */
const char *tokens_mint(struct tokens *f, const char *header, const char *claims, EVP_PKEY *key);
/* Puts a file in place in one step. */
void tokens_write(const char *path, const char *text);

#define ES_HEADER   "{\"alg\":\"ES256\",\"kid\":\"e\",\"typ\":\"JWT\"}"
#define RS_HEADER   "{\"alg\":\"RS256\",\"kid\":\"r\"}"
#define TENANT      "11111111-2222-4333-8444-555555555555"
#define APP         "\"app_metadata\":{\"tenant_id\":\"" TENANT "\",\"tenant_role\":\"operator\"}"
#define SESSION     "\"session_id\":\"88888888-2222-4333-8444-555555555555\""
#define SUB         "\"sub\":\"99999999-2222-4333-8444-555555555555\""
#define WHO         "\"role\":\"authenticated\"," SUB "," SESSION
#define TIMES       "\"iat\":" NOW ",\"exp\":1795003600"
#define ISS         "\"iss\":\"https://i\""
#define AUD         "\"aud\":\"authenticated\""
#define CLAIMS(...) "{" __VA_ARGS__ "}"
#define GOOD        CLAIMS(ISS "," AUD "," TIMES "," WHO "," APP)

#endif
