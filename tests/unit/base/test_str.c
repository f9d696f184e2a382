/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/str.h"

#include <string.h>

#include "tests/unit/check.h"

static void copies_are_always_terminated_and_tell_when_cut(void **state)
{
    (void)state;
    char small[4];
    assert_true(WEIR_STR_SET(small, "abc"));
    assert_string_equal(small, "abc");
    assert_false(WEIR_STR_SET(small, "abcd"));
    assert_string_equal(small, "abc");
}

static void whole_numbers_in_range_are_read(void **state)
{
    (void)state;
    struct weir_err err = {0};
    int64_t value = 0;
    ASSERT_OK(weir_str_to_int("-9223372036854775808", INT64_MIN, INT64_MAX, &value, &err), &err);
    assert_true(value == INT64_MIN);
    ASSERT_OK(weir_str_to_int("9223372036854775807", INT64_MIN, INT64_MAX, &value, &err), &err);
    assert_true(value == INT64_MAX);
    static const char *const bad[] = {
        "", "-", "1x", " 1", "+1", "61", "0", "9223372036854775808", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(weir_str_to_int(bad[i], 1, 60, &value, &err), WEIR_EINVAL);
    }
    assert_string_equal(err.msg, "'99999999999999999999' is not a whole number from 1 to 60");
}

static void hex_goes_both_ways_and_refuses_other_text(void **state)
{
    (void)state;
    char text[9];
    uint8_t bytes[4];
    weir_hex_encode("\x00\x7f\xa5\xff", 4, text);
    assert_string_equal(text, "007fa5ff");
    assert_true(weir_hex_decode("007FA5ff", 8, bytes, 4));
    assert_memory_equal(bytes, "\x00\x7f\xa5\xff", 4);
    assert_false(weir_hex_decode("007FA5f", 7, bytes, 4));
    assert_false(weir_hex_decode("007FA5fg", 8, bytes, 4));
}

static void base64url_round_trips_every_length(void **state)
{
    (void)state;
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 37 + 250);
    }
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        char text[WEIR_BASE64URL_LEN(64) + 1];
        uint8_t back[64];
        size_t len = 0;
        assert_int_equal(weir_base64url_encode(bytes, n, text), WEIR_BASE64URL_LEN(n));
        assert_true(weir_base64url_decode(text, strlen(text), back, sizeof(back), &len));
        assert_int_equal(len, n);
        assert_memory_equal(back, bytes, n);
    }
}

static void base64url_that_is_not_canonical_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"A", "AB=", "AB==", "A+", "A/", "AB\n", "AR", "AAB", "A A="};
    uint8_t out[16];
    size_t len;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(weir_base64url_decode(bad[i], strlen(bad[i]), out, sizeof(out), &len));
    }
    assert_false(weir_base64url_decode("AAAAAAAA", 8, out, 5, &len));
}

static void secrets_are_compared_by_all_their_bytes(void **state)
{
    (void)state;
    assert_true(weir_str_equal_secret("abcd", "abcd", 4));
    assert_false(weir_str_equal_secret("abcd", "abce", 4));
    assert_true(weir_str_equal_secret("", "", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_always_terminated_and_tell_when_cut),
        cmocka_unit_test(whole_numbers_in_range_are_read),
        cmocka_unit_test(hex_goes_both_ways_and_refuses_other_text),
        cmocka_unit_test(base64url_round_trips_every_length),
        cmocka_unit_test(base64url_that_is_not_canonical_is_refused),
        cmocka_unit_test(secrets_are_compared_by_all_their_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
