/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/ticket.h"

#include <string.h>

#include "tests/unit/check.h"

#define NOW_MS 1795000000000LL

/* Made for these tests by: openssl genpkey -algorithm ed25519 */
static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                          "MC4CAQAwBQYDK2VwBCIEIGNzblud4DRhQfA2ACsoerzorXmTkhfek8hI9yIILzlt\n"
                          "-----END PRIVATE KEY-----\n";
static const char other_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                "MC4CAQAwBQYDK2VwBCIEIDpXF4l36QiSMT/X7K1EVKRyX5x0+rngdIcibFcblMhV\n"
                                "-----END PRIVATE KEY-----\n";

static struct weir_ticket_keys *open_keys(const char *text)
{
    struct weir_ticket_keys *keys = NULL;
    struct weir_err err = {0};
    ASSERT_OK(weir_ticket_keys_open(text, &keys, &err), &err);
    return keys;
}

static struct weir_ticket sample(void)
{
    struct weir_ticket ticket = {.expires_at_ms = NOW_MS + 600000};
    memset(&ticket.tenant_id, 0x11, sizeof(ticket.tenant_id));
    memset(&ticket.stream_id, 0x22, sizeof(ticket.stream_id));
    memset(&ticket.viewer_id, 0x33, sizeof(ticket.viewer_id));
    memset(&ticket.ticket_id, 0x44, sizeof(ticket.ticket_id));
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
    assert_memory_equal(&back.stream_id, &ticket.stream_id, sizeof(ticket.stream_id));
    assert_memory_equal(&back.tenant_id, &ticket.tenant_id, sizeof(ticket.tenant_id));
    assert_memory_equal(&back.viewer_id, &ticket.viewer_id, sizeof(ticket.viewer_id));
    assert_memory_equal(&back.ticket_id, &ticket.ticket_id, sizeof(ticket.ticket_id));
    assert_int_equal(back.expires_at_ms, ticket.expires_at_ms);
    assert_string_equal(back.key_id, weir_ticket_key_id(keys));
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
    ticket.expires_at_ms = NOW_MS + 931000;
    weir_ticket_mint(keys, &ticket, text);
    assert_int_equal(weir_ticket_verify(keys, text, strlen(text), NOW_MS, &back, NULL),
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

static void only_an_ed25519_key_is_taken(void **state)
{
    (void)state;
    struct weir_ticket_keys *keys = NULL;
    assert_int_equal(weir_ticket_keys_open("", &keys, NULL), WEIR_EINVAL);
    assert_int_equal(weir_ticket_keys_open("-----BEGIN PRIVATE KEY-----\nAAAA\n", &keys, NULL),
                     WEIR_EINVAL);
    assert_null(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_minted_is_verified),
        cmocka_unit_test(a_ticket_ends_with_half_a_minute_of_leeway),
        cmocka_unit_test(a_changed_or_foreign_ticket_is_refused),
        cmocka_unit_test(only_an_ed25519_key_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
