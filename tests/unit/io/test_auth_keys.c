/* SPDX-License-Identifier: Apache-2.0 */
/* Key sets: which keys are taken, how a set is kept fresh, and what is remembered by it. */
#include "lib/io/auth_keys.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/io/auth.h"
#include "tests/unit/check.h"
#include "tests/unit/io/tokens.h"

/* ---- key sets ---- */

static size_t keys_in(struct tokens *f, const char *jwk, const char *more)
{
    const char *text = weir_arena_printf(f->arena, "{\"keys\":[%s%s]}", jwk, more);
    struct weir_jwks *set = NULL;
    if (weir_jwks_parse(text, strlen(text), &set, NULL) != WEIR_OK) {
        return 0;
    }
    size_t n = set->n;
    weir_jwks_free(set);
    return n;
}

static const char *ec_jwk(struct tokens *f, const char *curve, const char *more)
{
    uint8_t point[133];
    size_t len;
    EVP_PKEY *key = EVP_EC_gen(curve);
    assert_int_equal(
        EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &len),
        1);
    EVP_PKEY_free(key);
    size_t half = len / 2;
    return weir_arena_printf(f->arena, "{\"kty\":\"EC\",\"kid\":\"k\",\"x\":\"%s\",\"y\":\"%s\"%s}",
                             tokens_encode(f->arena, point + 1, half),
                             tokens_encode(f->arena, point + 1 + half, half), more);
}

static const char *rsa_jwk(struct tokens *f, unsigned bits, const char *more)
{
    EVP_PKEY *key = EVP_RSA_gen(bits);
    const char *text = weir_arena_printf(f->arena, "{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":\"%s\"%s}",
                                         tokens_number(f->arena, key, OSSL_PKEY_PARAM_RSA_N), more);
    EVP_PKEY_free(key);
    return text;
}

static void a_key_set_holds_only_keys_we_trust(void **state)
{
    struct tokens *f = *state;
    assert_int_equal(f->set->n, 2);
    assert_null(weir_jwks_find(f->set, "o"));
    struct weir_jwks *set = NULL;
    static const char *const bad[] = {
        "", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]}", "{\"keys\":[1,null,\"x\"]}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_not_equal(weir_jwks_parse(bad[i], strlen(bad[i]), &set, NULL), WEIR_OK);
    }
    const char *p256 = ",\"crv\":\"P-256\"";
    assert_int_equal(keys_in(f, ec_jwk(f, "P-256", p256), ""), 1);
    assert_int_equal(keys_in(f, ec_jwk(f, "P-384", ",\"crv\":\"P-384\""), ""), 0);
    assert_int_equal(keys_in(f, ec_jwk(f, "P-384", p256), ""), 0);
    assert_int_equal(keys_in(f, ec_jwk(f, "secp256k1", ",\"crv\":\"secp256k1\""), ""), 0);
    assert_int_equal(keys_in(f, ec_jwk(f, "secp256k1", p256), ""), 0);
    static const char *const ec_more[] = {
        "",
        ",\"crv\":\"P-256\",\"use\":\"enc\"",
        ",\"crv\":\"P-256\",\"alg\":\"ES384\"",
        ",\"crv\":\"P-256\",\"alg\":\"HS256\"",
        ",\"crv\":\"P-256\",\"key_ops\":[\"sign\"]",
        ",\"crv\":\"P-256\",\"key_ops\":\"verify\"",
        ",\"crv\":\"P-256\",\"d\":\"AAAA\"",
    };
    for (size_t i = 0; i < sizeof(ec_more) / sizeof(ec_more[0]); i++) {
        if (keys_in(f, ec_jwk(f, "P-256", ec_more[i]), "") != 0) {
            fail_msg("taken: %s", ec_more[i]);
        }
    }
    assert_int_equal(
        keys_in(f, ec_jwk(f, "P-256", ",\"crv\":\"P-256\",\"key_ops\":[\"verify\"]"), ""), 1);
}

static void an_rsa_key_has_2048_to_4096_bits(void **state)
{
    struct tokens *f = *state;
    const char *e = ",\"e\":\"AQAB\"";
    assert_int_equal(keys_in(f, rsa_jwk(f, 2048, e), ""), 1);
    assert_int_equal(keys_in(f, rsa_jwk(f, 1024, e), ""), 0);
    assert_int_equal(keys_in(f, rsa_jwk(f, 2048, ",\"e\":\"AQ\""), ""), 0);
    assert_int_equal(keys_in(f, rsa_jwk(f, 2048, ",\"e\":\"AQAA\""), ""), 0);
    assert_int_equal(keys_in(f, rsa_jwk(f, 2048, ""), ""), 0);
    uint8_t large[520];
    memset(large, 0xff, sizeof(large));
    const char *n = tokens_encode(f->arena, large, sizeof(large));
    assert_int_equal(
        keys_in(f,
                weir_arena_printf(f->arena, "{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":\"%s\"%s}", n, e),
                ""),
        0);
}

static void a_key_set_is_bounded_and_gives_a_kid_once(void **state)
{
    struct tokens *f = *state;
    const char *key = ec_jwk(f, "P-256", ",\"crv\":\"P-256\"");
    assert_int_equal(keys_in(f, key, weir_arena_printf(f->arena, ",%s", key)), 0);
    char others[WEIR_JWKS_KEYS_MAX * 3 + 1] = "";
    for (int i = 1; i < WEIR_JWKS_KEYS_MAX; i++) {
        memcpy(others + strlen(others), ",{}", 4);
    }
    assert_int_equal(keys_in(f, key, others), 1);
    memcpy(others + strlen(others), ",{}", 4);
    assert_int_equal(keys_in(f, key, others), 0);
    const char *fill = weir_arena_printf(f->arena, ",{\"x\":\"%065000d\"}", 0);
    assert_int_equal(keys_in(f, key, fill), 1);
    fill = weir_arena_printf(f->arena, ",{\"x\":\"%066000d\"}", 0);
    assert_int_equal(keys_in(f, key, fill), 0);
}

/* ---- the whole ---- */

static void wait_loaded(struct weir_auth *auth)
{
    for (int i = 0; i < 3000 && weir_auth_check(auth, NULL) != WEIR_OK; i++) {
        usleep(10000);
    }
}

static void a_key_file_is_loaded_and_a_missing_one_closes_the_door(void **state)
{
    struct tokens *f = *state;
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
    const char *jwt = tokens_mint(f, ES_HEADER, GOOD, f->ec);
    const char *header = weir_arena_printf(f->arena, "Bearer %s", jwt);
    for (int i = 0; i < 3; i++) {
        ASSERT_OK(weir_auth_verify(auth, header, NOW_MS, &who, &is_loading, &err), &err);
    }
    assert_int_equal(weir_auth_verify(auth, header, 1795003631000LL, &who, &is_loading, NULL),
                     WEIR_EUNAUTH);
    assert_int_equal(weir_auth_verify(auth, jwt, NOW_MS, &who, &is_loading, NULL), WEIR_EUNAUTH);
    assert_int_equal(weir_auth_verify(auth, NULL, NOW_MS, &who, &is_loading, NULL), WEIR_EUNAUTH);
    const char *digest = weir_arena_printf(f->arena, "Digest %s", jwt);
    assert_int_equal(weir_auth_verify(auth, digest, NOW_MS, &who, &is_loading, NULL), WEIR_EUNAUTH);
    weir_auth_close(&auth);
    unlink(path);

    ASSERT_OK(weir_auth_open(&config, &auth, &err), &err);
    usleep(50000);
    assert_int_equal(weir_auth_verify(auth, header, NOW_MS, &who, &is_loading, &err),
                     WEIR_EUNAVAILABLE);
    weir_auth_close(&auth);
}

static struct weir_auth_stats stats_of(struct weir_auth *auth)
{
    struct weir_auth_stats stats;
    weir_auth_stats(auth, &stats);
    return stats;
}

static void wait_fetches(struct weir_auth *auth, uint64_t n)
{
    for (int i = 0; i < 3000 && stats_of(auth).key_fetches < n; i++) {
        usleep(10000);
    }
    assert_true(stats_of(auth).key_fetches >= n);
}

/* Tokens that were found good are remembered, so many, and no longer than the keys stay. */
static void verified_tokens_are_remembered_until_the_keys_change(void **state)
{
    struct tokens *f = *state;
    char path[] = "/tmp/weir-jwks-XXXXXX";
    close(mkstemp(path));
    tokens_write(path, f->set_text);
    struct weir_auth_config config = {.jwks = path,
                                      .issuer = "https://i",
                                      .audience = "authenticated",
                                      .cache_max = 2,
                                      .refresh_ms = 20};
    struct weir_auth *auth = NULL;
    struct weir_err err = {0};
    ASSERT_OK(weir_auth_open(&config, &auth, &err), &err);
    wait_loaded(auth);
    struct weir_principal who;
    bool is_loading;
    const char *headers[3];
    for (int i = 0; i < 3; i++) {
        headers[i] =
            weir_arena_printf(f->arena, "Bearer %s", tokens_mint(f, ES_HEADER, GOOD, f->ec));
        assert_false(weir_auth_recall(auth, headers[i], NOW_MS, &who));
        ASSERT_OK(weir_auth_verify(auth, headers[i], NOW_MS, &who, &is_loading, &err), &err);
        assert_true(weir_auth_recall(auth, headers[i], NOW_MS, &who));
    }
    assert_string_equal(WEIR_ID_TEXT(&who.tenant_id), TENANT);
    assert_int_equal(stats_of(auth).tokens_cached, 2);
    assert_false(weir_auth_recall(auth, headers[0], NOW_MS, &who));
    /* Five minutes, or its end; the leeway is judged each time. */
    assert_true(weir_auth_recall(auth, headers[1], NOW_MS + 299999, &who));
    assert_false(weir_auth_recall(auth, headers[1], NOW_MS + 300000, &who));
    const char *late = weir_arena_printf(
        f->arena, "Bearer %s",
        tokens_mint(f, ES_HEADER,
                    CLAIMS(ISS "," AUD ",\"iat\":1794990000,\"exp\":1795000001," WHO "," APP),
                    f->ec));
    ASSERT_OK(weir_auth_verify(auth, late, NOW_MS, &who, &is_loading, &err), &err);
    assert_true(weir_auth_recall(auth, late, NOW_MS + 999, &who));
    assert_false(weir_auth_recall(auth, late, NOW_MS + 1000, &who));
    ASSERT_OK(weir_auth_verify(auth, late, NOW_MS + 1000, &who, &is_loading, &err), &err);
    assert_false(weir_auth_recall(auth, late, NOW_MS + 1000, &who));

    /* The same set again and again changes nothing, another one everything. */
    wait_fetches(auth, stats_of(auth).key_fetches + 3);
    assert_int_equal(stats_of(auth).key_changes, 1);
    assert_true(weir_auth_recall(auth, headers[2], NOW_MS, &who));
    tokens_write(path, weir_arena_printf(f->arena, "{\"keys\":[%s]}",
                                         ec_jwk(f, "P-256", ",\"crv\":\"P-256\"")));
    for (int i = 0; i < 3000 && stats_of(auth).key_changes < 2; i++) {
        usleep(10000);
    }
    assert_false(weir_auth_recall(auth, headers[2], NOW_MS, &who));
    assert_int_equal(stats_of(auth).tokens_cached, 0);
    assert_int_equal(weir_auth_verify(auth, headers[2], NOW_MS, &who, &is_loading, NULL),
                     WEIR_EUNAUTH);
    weir_auth_close(&auth);
    unlink(path);
}

/* ---- keeping it fresh ---- */

static char path[64];

static struct weir_auth_keys *open_keys(struct weir_auth_keys_config config, const char *text)
{
    strcpy(path, "/tmp/weir-jwks-XXXXXX");
    close(mkstemp(path));
    tokens_write(path, text);
    config.jwks = path;
    struct weir_auth_keys *keys = NULL;
    struct weir_err err = {0};
    ASSERT_OK(weir_auth_keys_open(&config, &keys, &err), &err);
    return keys;
}

static void close_keys(struct weir_auth_keys *keys)
{
    weir_auth_keys_close(&keys);
    unlink(path);
}

static uint64_t fetches_of(struct weir_auth_keys *keys)
{
    struct weir_auth_keys_stats stats;
    weir_auth_keys_stats(keys, &stats);
    return stats.fetches;
}

static void wait_for_fetch(struct weir_auth_keys *keys, uint64_t n)
{
    for (int i = 0; i < 3000 && fetches_of(keys) < n; i++) {
        usleep(10000);
    }
    assert_true(fetches_of(keys) >= n);
}

static bool has_key(struct weir_auth_keys *keys, const char *kid)
{
    const struct weir_jwks *set;
    uint64_t generation;
    if (weir_auth_keys_borrow(keys, &set, &generation, NULL) != WEIR_OK) {
        return false;
    }
    bool has = weir_jwks_find(set, kid) != NULL;
    weir_auth_keys_return(keys);
    return has;
}

static const char *set_of(struct tokens *f, const char *kid)
{
    const char *jwk = ec_jwk(f, "P-256", ",\"crv\":\"P-256\"");
    const char *at = strstr(jwk, "\"kid\":\"k\"");
    return weir_arena_printf(f->arena, "{\"keys\":[%.*s\"kid\":\"%s\"%s]}", (int)(at - jwk), jwk,
                             kid, at + strlen("\"kid\":\"k\""));
}

static void a_set_is_fetched_again_by_the_clock(void **state)
{
    struct weir_auth_keys *keys =
        open_keys((struct weir_auth_keys_config){.refresh_ms = 10}, set_of(*state, "old"));
    wait_for_fetch(keys, 1);
    assert_true(has_key(keys, "old"));
    tokens_write(path, set_of(*state, "new"));
    for (int i = 0; i < 3000 && !has_key(keys, "new"); i++) {
        usleep(10000);
    }
    assert_true(has_key(keys, "new"));
    assert_false(has_key(keys, "old"));
    assert_int_equal(weir_auth_keys_generation(keys), 2);
    close_keys(keys);
}

/* A flood of kids that nobody has costs nothing before the cool-down is over. */
static void unknown_kids_cause_no_fetch_within_the_cool_down(void **state)
{
    struct weir_auth_keys *keys =
        open_keys((struct weir_auth_keys_config){0}, set_of(*state, "old"));
    wait_for_fetch(keys, 1);
    char kid[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(kid, sizeof(kid), "random-%d", i);
        assert_false(weir_auth_keys_ask(keys, kid));
    }
    usleep(50000);
    assert_int_equal(fetches_of(keys), 1);
    close_keys(keys);
}

static void an_unknown_kid_is_fetched_once_and_then_known_to_be_missing(void **state)
{
    struct weir_auth_keys *keys =
        open_keys((struct weir_auth_keys_config){.cool_down_ms = 1}, set_of(*state, "old"));
    wait_for_fetch(keys, 1);
    usleep(5000);
    assert_true(weir_auth_keys_ask(keys, "nobody"));
    wait_for_fetch(keys, 2);
    for (int i = 0; i < 20; i++) {
        usleep(2000);
        assert_false(weir_auth_keys_ask(keys, "nobody"));
    }
    assert_int_equal(fetches_of(keys), 2);
    tokens_write(path, set_of(*state, "new"));
    assert_true(weir_auth_keys_ask(keys, "new"));
    wait_for_fetch(keys, 3);
    assert_true(has_key(keys, "new"));
    close_keys(keys);
}

static void only_so_many_missing_kids_are_remembered(void **state)
{
    struct weir_auth_keys *keys =
        open_keys((struct weir_auth_keys_config){.cool_down_ms = 1}, set_of(*state, "old"));
    wait_for_fetch(keys, 1);
    char kid[32];
    for (unsigned i = 0; i <= WEIR_AUTH_MISSED_MAX; i++) {
        usleep(5000);
        snprintf(kid, sizeof(kid), "random-%u", i);
        assert_true(weir_auth_keys_ask(keys, kid));
        wait_for_fetch(keys, i + 2);
    }
    usleep(5000);
    assert_false(weir_auth_keys_ask(keys, "random-1"));
    assert_true(weir_auth_keys_ask(keys, "random-0"));
    close_keys(keys);
}

/* A broken set, or none, is not taken for the last good one. */
static void the_last_good_set_serves_while_fetching_fails(void **state)
{
    struct weir_auth_keys *keys = open_keys(
        (struct weir_auth_keys_config){.refresh_ms = 10, .retry_ms = 10}, set_of(*state, "old"));
    wait_for_fetch(keys, 1);
    const char *const broken[] = {"{\"keys\":[", "{\"keys\":[]}", "<html>", ""};
    struct weir_auth_keys_stats before, after;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        weir_auth_keys_stats(keys, &before);
        tokens_write(path, broken[i]);
        wait_for_fetch(keys, before.fetches + 3);
        weir_auth_keys_stats(keys, &after);
        assert_true(after.failures > before.failures);
        assert_true(has_key(keys, "old"));
    }
    unlink(path);
    wait_for_fetch(keys, after.fetches + 3);
    assert_true(has_key(keys, "old"));
    tokens_write(path, set_of(*state, "new"));
    for (int i = 0; i < 3000 && !has_key(keys, "new"); i++) {
        usleep(10000);
    }
    assert_true(has_key(keys, "new"));
    close_keys(keys);
}

static void an_old_set_ends_in_the_end(void **state)
{
    struct weir_auth_keys *keys = open_keys(
        (struct weir_auth_keys_config){.refresh_ms = 10, .retry_ms = 10, .stale_max_ms = 2000},
        set_of(*state, "old"));
    wait_for_fetch(keys, 1);
    unlink(path);
    struct weir_err err = {0};
    enum weir_code code = WEIR_OK;
    for (int i = 0; i < 3000 && code == WEIR_OK; i++) {
        usleep(10000);
        code = weir_auth_keys_check(keys, &err);
    }
    assert_int_equal(code, WEIR_EUNAVAILABLE);
    assert_non_null(strstr(err.msg, path));
    assert_false(has_key(keys, "old"));
    tokens_write(path, set_of(*state, "old"));
    for (int i = 0; i < 3000 && !has_key(keys, "old"); i++) {
        usleep(10000);
    }
    assert_true(has_key(keys, "old"));
    close_keys(keys);
}

static void keys_come_by_https_or_from_a_file(void **state)
{
    (void)state;
    static const char *const bad[] = {"http://example.com/jwks", "HTTP://example.com/jwks",
                                      "ftp://example.com/jwks", "file:///etc/passwd"};
    struct weir_auth_keys *keys = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct weir_auth_keys_config config = {.jwks = bad[i]};
        assert_int_equal(weir_auth_keys_open(&config, &keys, NULL), WEIR_EINVAL);
    }
}

#define KEYED(test) cmocka_unit_test_setup_teardown(test, tokens_begin, tokens_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYED(a_key_set_holds_only_keys_we_trust),
        KEYED(an_rsa_key_has_2048_to_4096_bits),
        KEYED(a_key_set_is_bounded_and_gives_a_kid_once),
        KEYED(a_key_file_is_loaded_and_a_missing_one_closes_the_door),
        KEYED(verified_tokens_are_remembered_until_the_keys_change),
        KEYED(a_set_is_fetched_again_by_the_clock),
        KEYED(unknown_kids_cause_no_fetch_within_the_cool_down),
        KEYED(an_unknown_kid_is_fetched_once_and_then_known_to_be_missing),
        KEYED(only_so_many_missing_kids_are_remembered),
        KEYED(the_last_good_set_serves_while_fetching_fails),
        KEYED(an_old_set_ends_in_the_end),
        KEYED(keys_come_by_https_or_from_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
