/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/ticket.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "tests/unit/check.h"

#define NOW_MS 1795000000000LL

/* Made for these tests by: openssl genpkey -algorithm ed25519 */
static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                          "MC4CAQAwBQYDK2VwBCIEIGNzblud4DRhQfA2ACsoerzorXmTkhfek8hI9yIILzlt\n"
                          "-----END PRIVATE KEY-----\n";
static const char other_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                "MC4CAQAwBQYDK2VwBCIEIDpXF4l36QiSMT/X7K1EVKRyX5x0+rngdIcibFcblMhV\n"
                                "-----END PRIVATE KEY-----\n";

/* Their public halves: openssl pkey -pubout */
#define PUBLIC                                                                                     \
    "-----BEGIN PUBLIC KEY-----\n"                                                                 \
    "MCowBQYDK2VwAyEAw3Z7jQ7ung8NVWxYJSSp2ckgiKB2u271JZtXnJMWt/E=\n"                               \
    "-----END PUBLIC KEY-----\n"
#define OTHER_PUBLIC                                                                               \
    "-----BEGIN PUBLIC KEY-----\n"                                                                 \
    "MCowBQYDK2VwAyEAG+xQ8VkdqoFx3VwJpCdZLXlFbUQs0y7b8e+X1L4C9M8=\n"                               \
    "-----END PUBLIC KEY-----\n"
#define THIRD_PUBLIC                                                                               \
    "-----BEGIN PUBLIC KEY-----\n"                                                                 \
    "MCowBQYDK2VwAyEA+g4hV2Rr+T2Ybm6/MtfMKdDtVovq2XLHoCXZnHuFafU=\n"                               \
    "-----END PUBLIC KEY-----\n"

static struct weir_ticket_keys *open_with(const char *text, const char *others)
{
    struct weir_ticket_keys *keys = NULL;
    struct weir_err err = {0};
    ASSERT_OK(weir_ticket_keys_open(text, others, &keys, &err), &err);
    return keys;
}

static struct weir_ticket_keys *open_keys(const char *text)
{
    return open_with(text, "");
}

static struct weir_ticket sample(void)
{
    struct weir_ticket ticket = {.issued_at_ms = NOW_MS, .expires_at_ms = NOW_MS + 600000};
    memset(&ticket.tenant_id, 0x11, sizeof(ticket.tenant_id));
    memset(&ticket.stream_id, 0x22, sizeof(ticket.stream_id));
    memset(&ticket.viewer_id, 0x33, sizeof(ticket.viewer_id));
    memset(&ticket.ticket_id, 0x44, sizeof(ticket.ticket_id));
    memset(&ticket.camera_id, 0x55, sizeof(ticket.camera_id));
    memset(&ticket.login_id, 0x66, sizeof(ticket.login_id));
    return ticket;
}

static void what_was_minted_is_verified(void **state)
{
    (void)state;
    struct weir_ticket_keys *keys = open_keys(pem);
    struct weir_ticket ticket = sample();
    struct weir_ticket back;
    char text[WEIR_TICKET_TEXT_MAX];
    struct weir_err err = {0};
    weir_ticket_mint(keys, &ticket, text);
    assert_true(strlen(text) < WEIR_TICKET_TEXT_MAX);
    assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "-_."),
                     strlen(text));
    ASSERT_OK(weir_ticket_verify(keys, text, strlen(text), NOW_MS, &back, &err), &err);
    struct weir_ticket_key key;
    size_t at = 0;
    assert_true(weir_ticket_keys_next(keys, &at, &key));
    assert_false(weir_ticket_keys_next(keys, &at, &key));
    WEIR_STR_SET(ticket.key_id, key.id);
    assert_memory_equal(&back, &ticket, sizeof(ticket));
    weir_ticket_keys_close(&keys);
}

static struct weir_ticket sample_by_grant(void)
{
    struct weir_ticket ticket = sample();
    memset(&ticket.grant_id, 0x77, sizeof(ticket.grant_id));
    memset(&ticket.membership_id, 0x88, sizeof(ticket.membership_id));
    return ticket;
}

/* Who does not know grants must refuse it: he could not tell when one is revoked. */
static void a_ticket_by_a_grant_names_it_and_is_of_another_version(void **state)
{
    (void)state;
    struct weir_ticket_keys *keys = open_keys(pem);
    struct weir_ticket ticket = sample_by_grant();
    struct weir_ticket back;
    char text[WEIR_TICKET_TEXT_MAX];
    char payload[WEIR_TICKET_TEXT_MAX];
    size_t len = 0;
    struct weir_err err = {0};
    ticket.issued_at_ms = ticket.expires_at_ms = (((int64_t)1 << 40) - 1) * 1000; /* 5 bytes */
    weir_ticket_mint(keys, &ticket, text);
    ASSERT_OK(weir_ticket_verify(keys, text, strlen(text), ticket.issued_at_ms, &back, &err), &err);
    WEIR_STR_SET(ticket.key_id, back.key_id);
    assert_memory_equal(&back, &ticket, sizeof(ticket));
    assert_true(
        weir_base64url_decode(text, strcspn(text, "."), payload, sizeof(payload) - 1, &len));
    assert_int_equal(len, 147);
    assert_int_equal(payload[0], 5);
    ticket = sample();
    weir_ticket_mint(keys, &ticket, text);
    assert_true(
        weir_base64url_decode(text, strcspn(text, "."), payload, sizeof(payload) - 1, &len));
    assert_int_equal(len, 115);
    assert_int_equal(payload[0], 4);
    weir_ticket_keys_close(&keys);
}

static void a_ticket_ends_with_half_a_minute_of_leeway(void **state)
{
    (void)state;
    struct weir_ticket_keys *keys = open_keys(pem);
    struct weir_ticket ticket = sample();
    struct weir_ticket back;
    char text[WEIR_TICKET_TEXT_MAX];
    weir_ticket_mint(keys, &ticket, text);
    assert_int_equal(weir_ticket_verify(keys, text, strlen(text), NOW_MS + 629999, &back, NULL),
                     WEIR_OK);
    assert_int_equal(weir_ticket_verify(keys, text, strlen(text), NOW_MS + 630000, &back, NULL),
                     WEIR_EGONE);
    weir_ticket_keys_close(&keys);
}

static void a_ticket_of_the_future_or_for_too_long_is_refused(void **state)
{
    (void)state;
    struct weir_ticket_keys *keys = open_keys(pem);
    struct weir_ticket ticket = sample();
    struct weir_ticket back;
    char text[WEIR_TICKET_TEXT_MAX];
    ticket.expires_at_ms = NOW_MS + 901000;
    weir_ticket_mint(keys, &ticket, text);
    assert_int_equal(weir_ticket_verify(keys, text, strlen(text), NOW_MS, &back, NULL),
                     WEIR_EUNAUTH);
    ticket = sample();
    weir_ticket_mint(keys, &ticket, text);
    assert_int_equal(weir_ticket_verify(keys, text, strlen(text), NOW_MS - 30000, &back, NULL),
                     WEIR_OK);
    assert_int_equal(weir_ticket_verify(keys, text, strlen(text), NOW_MS - 30001, &back, NULL),
                     WEIR_EUNAUTH);
    weir_ticket_keys_close(&keys);
}

static void a_changed_or_foreign_ticket_is_refused(void **state)
{
    (void)state;
    struct weir_ticket_keys *keys = open_keys(pem);
    struct weir_ticket_keys *others = open_keys(other_pem);
    struct weir_ticket ticket = sample();
    struct weir_ticket back;
    char text[WEIR_TICKET_TEXT_MAX];
    weir_ticket_mint(keys, &ticket, text);
    size_t len = strlen(text);
    /* Remembered, and no other is taken for it. */
    assert_int_equal(weir_ticket_verify(keys, text, len, NOW_MS, &back, NULL), WEIR_OK);
    assert_int_equal(weir_ticket_verify(keys, text, len, NOW_MS, &back, NULL), WEIR_OK);
    for (size_t i = 0; i < len; i++) {
        char kept = text[i];
        text[i] = kept == 'A' ? 'B' : 'A';
        assert_int_equal(weir_ticket_verify(keys, text, len, NOW_MS, &back, NULL), WEIR_EUNAUTH);
        text[i] = kept;
        assert_int_equal(weir_ticket_verify(keys, text, i, NOW_MS, &back, NULL), WEIR_EUNAUTH);
    }
    assert_int_equal(weir_ticket_verify(others, text, len, NOW_MS, &back, NULL), WEIR_EUNAUTH);
    weir_ticket_keys_close(&keys);
    weir_ticket_keys_close(&others);
}

/* Verifies with the clock of the sample. */
static enum weir_code judge(const struct weir_ticket_keys *keys, const char *text)
{
    struct weir_ticket back;
    return weir_ticket_verify(keys, text, strlen(text), NOW_MS, &back, NULL);
}

static void a_key_is_replaced_without_a_ticket_lost(void **state)
{
    (void)state;
    struct weir_ticket ticket = sample();
    char old[WEIR_TICKET_TEXT_MAX];
    char fresh[WEIR_TICKET_TEXT_MAX];
    struct weir_ticket_keys *before = open_keys(pem);
    struct weir_ticket_keys *published = open_with(pem, OTHER_PUBLIC);
    struct weir_ticket_keys *changed = open_with(other_pem, PUBLIC);
    struct weir_ticket_keys *after = open_keys(other_pem);
    weir_ticket_mint(published, &ticket, old);
    weir_ticket_mint(changed, &ticket, fresh);
    /* Somebody who was not told yet takes the old one; so nobody signs with the new one before. */
    assert_int_equal(judge(before, old), WEIR_OK);
    assert_int_equal(judge(before, fresh), WEIR_EUNAUTH);
    /* While each is restarted in its turn, both are good everywhere. */
    assert_int_equal(judge(published, old), WEIR_OK);
    assert_int_equal(judge(published, fresh), WEIR_OK);
    assert_int_equal(judge(changed, old), WEIR_OK);
    assert_int_equal(judge(changed, fresh), WEIR_OK);
    /* The old key is taken away. */
    assert_int_equal(judge(after, old), WEIR_EUNAUTH);
    assert_int_equal(judge(after, fresh), WEIR_OK);
    weir_ticket_keys_close(&before);
    weir_ticket_keys_close(&published);
    weir_ticket_keys_close(&changed);
    weir_ticket_keys_close(&after);
}

static void the_key_that_signs_comes_first_and_none_twice(void **state)
{
    (void)state;
    struct weir_ticket_keys *keys =
        open_with(other_pem, PUBLIC OTHER_PUBLIC "\n" PUBLIC THIRD_PUBLIC);
    struct weir_ticket_keys *alone = open_keys(other_pem);
    struct weir_ticket_key first;
    struct weir_ticket_key key;
    size_t n = 0;
    size_t at = 0;
    assert_true(weir_ticket_keys_next(alone, &(size_t){0}, &first));
    while (weir_ticket_keys_next(keys, &at, &key)) {
        assert_int_equal(strlen(key.id), WEIR_TICKET_KEY_ID_MAX);
        assert_int_equal(memcmp(&key, &first, sizeof(key)) == 0, n == 0);
        n++;
    }
    assert_int_equal(n, 3);
    weir_ticket_keys_close(&keys);
    weir_ticket_keys_close(&alone);
}

static void only_ed25519_keys_are_taken(void **state)
{
    (void)state;
    static const char p256[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMKBCTNIcKUSDii11ySs3526iDZ8A\n"
                               "iTo7Tu6KPAqv7D7gS2XpJFbZiItSs3m9+9Ue6GnvHw/GW2ZZaVtszggXIw==\n"
                               "-----END PUBLIC KEY-----\n";
    const char *const others[] = {p256, "x" PUBLIC, pem, PUBLIC "-----BEGIN"};
    struct weir_ticket_keys *keys = NULL;
    assert_int_equal(weir_ticket_keys_open("", "", &keys, NULL), WEIR_EINVAL);
    assert_int_equal(weir_ticket_keys_open(PUBLIC, "", &keys, NULL), WEIR_EINVAL);
    assert_int_equal(weir_ticket_keys_open("-----BEGIN PRIVATE KEY-----\nAAAA\n", "", &keys, NULL),
                     WEIR_EINVAL);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(weir_ticket_keys_open(pem, others[i], &keys, NULL), WEIR_EINVAL);
    }
    assert_null(keys);
}

/* Keys of one byte and zeros: DER of a public key is twelve fixed bytes and the key. */
static void more_keys_than_the_limit_are_refused(void **state)
{
    (void)state;
    char others[WEIR_TICKET_KEYS_MAX * 128] = "";
    struct weir_ticket_keys *keys = NULL;
    for (int i = 0; i < WEIR_TICKET_KEYS_MAX; i++) {
        uint8_t der[44] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0};
        der[12] = (uint8_t)(i + 1);
        char base64[64];
        size_t len = weir_base64url_encode(der, sizeof(der), base64);
        for (size_t j = 0; j < len; j++) {
            base64[j] = base64[j] == '-' ? '+' : (base64[j] == '_' ? '/' : base64[j]);
        }
        size_t used = strlen(others);
        snprintf(others + used, sizeof(others) - used,
                 "-----BEGIN PUBLIC KEY-----\n%s=\n-----END PUBLIC KEY-----\n", base64);
        enum weir_code code = weir_ticket_keys_open(pem, others, &keys, NULL);
        assert_int_equal(code, i < WEIR_TICKET_KEYS_MAX - 1 ? WEIR_OK : WEIR_ELIMIT);
        weir_ticket_keys_close(&keys);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_minted_is_verified),
        cmocka_unit_test(a_ticket_by_a_grant_names_it_and_is_of_another_version),
        cmocka_unit_test(a_ticket_ends_with_half_a_minute_of_leeway),
        cmocka_unit_test(a_changed_or_foreign_ticket_is_refused),
        cmocka_unit_test(a_ticket_of_the_future_or_for_too_long_is_refused),
        cmocka_unit_test(a_key_is_replaced_without_a_ticket_lost),
        cmocka_unit_test(the_key_that_signs_comes_first_and_none_twice),
        cmocka_unit_test(only_ed25519_keys_are_taken),
        cmocka_unit_test(more_keys_than_the_limit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
