/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/sign.h"

#include <string.h>

#include "lib/base/str.h"
#include "tests/unit/check.h"

#define SEED       "3131313131313131313131313131313131313131313131313131313131313131"
#define OTHER_SEED "4141414141414141414141414141414141414141414141414141414141414141"

static struct weir_sign_key key_of(const char *seed)
{
    struct weir_sign_key key;
    struct weir_err err = {0};
    ASSERT_OK(weir_sign_parse_key(seed, &key, &err), &err);
    return key;
}

static void what_was_signed_is_read_by_who_knows_the_key_and_the_use(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_sign_key mine = key_of(SEED);
    struct weir_sign_key others = key_of(OTHER_SEED);
    struct weir_sign_ring ring = weir_sign_ring_of(&mine);
    struct weir_sign_ring wrong = weir_sign_ring_of(&others);
    struct weir_sign_ring both = {.n = 2};
    memcpy(both.keys[0], wrong.keys[0], sizeof(both.keys[0]));
    memcpy(both.keys[1], ring.keys[0], sizeof(both.keys[1]));
    const char *text = weir_sign(&mine, "use", "{\"a\":1}", arena);
    const char *read = NULL;
    struct weir_err err = {0};
    ASSERT_OK(weir_sign_check(&ring, "use", text, arena, &read, &err), &err);
    assert_string_equal(read, "{\"a\":1}");
    ASSERT_OK(weir_sign_check(&both, "use", text, arena, &read, &err), &err);
    assert_int_equal(weir_sign_check(&wrong, "use", text, arena, &read, NULL), WEIR_EFORBIDDEN);
    assert_int_equal(weir_sign_check(&ring, "other use", text, arena, &read, NULL),
                     WEIR_EFORBIDDEN);
    assert_int_equal(weir_sign_check(&ring, "us", text, arena, &read, NULL), WEIR_EFORBIDDEN);
}

static void a_changed_text_is_refused(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_sign_key mine = key_of(SEED);
    struct weir_sign_ring ring = weir_sign_ring_of(&mine);
    char *text = weir_arena_strdup(arena, weir_sign(&mine, "use", "some text", arena));
    const char *read = NULL;
    for (size_t i = 0; i < strlen(text); i++) {
        char kept = text[i];
        text[i] = kept == 'B' ? 'C' : 'B';
        assert_int_not_equal(weir_sign_check(&ring, "use", text, arena, &read, NULL), WEIR_OK);
        text[i] = kept;
    }
    const char *const none[] = {"", ".", "some text", "AAAA.some text", strchr(text, '.')};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(weir_sign_check(&ring, "use", none[i], arena, &read, NULL), WEIR_EPARSE);
    }
}

static void public_keys_are_hex(void **state)
{
    (void)state;
    struct weir_sign_ring ring;
    struct weir_sign_key mine = key_of(SEED);
    struct weir_sign_ring told = weir_sign_ring_of(&mine);
    char hex[2 * sizeof(told.keys[0]) + 1];
    weir_hex_encode(told.keys[0], sizeof(told.keys[0]), hex);
    assert_int_equal(weir_sign_parse_ring(hex, &ring, NULL), WEIR_OK);
    assert_memory_equal(ring.keys[0], told.keys[0], sizeof(told.keys[0]));
    assert_int_equal(weir_sign_parse_ring("", &ring, NULL), WEIR_EINVAL);
    assert_int_equal(weir_sign_parse_ring(SEED "\n" SEED, &ring, NULL), WEIR_OK);
    assert_int_equal(ring.n, 2);
    assert_int_equal(weir_sign_parse_ring(SEED "\nxx", &ring, NULL), WEIR_EINVAL);
    struct weir_sign_key key;
    assert_int_equal(weir_sign_parse_key("", &key, NULL), WEIR_EINVAL);
    assert_int_equal(weir_sign_parse_key(SEED SEED, &key, NULL), WEIR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_signed_is_read_by_who_knows_the_key_and_the_use),
        cmocka_unit_test(a_changed_text_is_refused),
        cmocka_unit_test(public_keys_are_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
