/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/seal.h"

#include <string.h>

#include "tests/unit/check.h"

#define KEY       "3131313131313131313131313131313131313131313131313131313131313131"
#define OTHER_KEY "4141414141414141414141414141414141414141414141414141414141414141"

struct keys {
    struct weir_seal_ring mine;
    struct weir_seal_ring others;
    struct weir_seal_ring both;
};

static struct keys read_keys(void)
{
    struct keys keys;
    struct weir_err err = {0};
    ASSERT_OK(weir_seal_parse_ring(KEY, &keys.mine, &err), &err);
    ASSERT_OK(weir_seal_parse_ring("\n" OTHER_KEY "\n", &keys.others, &err), &err);
    ASSERT_OK(weir_seal_parse_ring(OTHER_KEY "\n" KEY, &keys.both, &err), &err);
    return keys;
}

static void what_is_sealed_opens_with_the_private_key_alone(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct keys keys = read_keys();
    struct weir_seal_public to = weir_seal_public_of(&keys.mine.keys[0]);
    const char secret[] = "p@ss:w/\xc3\xb6 rd";
    const char *sealed = weir_seal(&to, secret, strlen(secret), arena);
    assert_null(strstr(sealed, "p@ss"));
    assert_string_not_equal(sealed, weir_seal(&to, secret, strlen(secret), arena));
    const char *opened = NULL;
    size_t len = 0;
    struct weir_err err = {0};
    ASSERT_OK(weir_unseal(&keys.mine, sealed, arena, &opened, &len, &err), &err);
    assert_string_equal(opened, secret);
    assert_int_equal(len, strlen(secret));
    ASSERT_OK(weir_unseal(&keys.both, sealed, arena, &opened, &len, &err), &err);
    assert_string_equal(opened, secret);
    assert_int_equal(weir_unseal(&keys.others, sealed, arena, &opened, &len, &err),
                     WEIR_EUNSUPPORTED);
    assert_non_null(strstr(err.msg, to.id));
}

static void a_text_names_its_key_and_one_without_a_name_is_tried_with_all(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct keys keys = read_keys();
    struct weir_seal_public to = weir_seal_public_of(&keys.mine.keys[0]);
    const char *sealed = weir_seal(&to, "secret", 6, arena);
    const char *opened = NULL;
    size_t len = 0;
    char id[WEIR_SEAL_ID_MAX];
    struct weir_err err = {0};
    weir_seal_id_of(sealed, id);
    assert_string_equal(id, to.id);
    assert_ptr_equal(weir_seal_ring_find(&keys.both, id), &keys.both.keys[1]);
    assert_null(weir_seal_ring_find(&keys.others, id));
    const char *nameless = strchr(sealed, '.') + 1;
    weir_seal_id_of(nameless, id);
    assert_string_equal(id, "");
    ASSERT_OK(weir_unseal(&keys.both, nameless, arena, &opened, &len, &err), &err);
    assert_string_equal(opened, "secret");
    assert_int_equal(weir_unseal(&keys.others, nameless, arena, &opened, &len, NULL),
                     WEIR_EFORBIDDEN);
    /* Another key's name makes it nobody's. */
    const char *renamed = weir_arena_printf(arena, "%s.%s", keys.others.keys[0].id, nameless);
    assert_int_equal(weir_unseal(&keys.both, renamed, arena, &opened, &len, NULL), WEIR_EFORBIDDEN);
}

static void a_ring_has_one_to_eight_keys(void **state)
{
    (void)state;
    struct weir_seal_ring ring;
    assert_int_equal(weir_seal_parse_ring("", &ring, NULL), WEIR_EINVAL);
    assert_int_equal(weir_seal_parse_ring(" \n", &ring, NULL), WEIR_EINVAL);
    assert_int_equal(weir_seal_parse_ring(KEY " 00", &ring, NULL), WEIR_EINVAL);
#define FOUR KEY "," OTHER_KEY "\n" KEY " " OTHER_KEY "\r\n"
    assert_int_equal(weir_seal_parse_ring(FOUR FOUR, &ring, NULL), WEIR_OK);
    assert_int_equal(ring.n, WEIR_SEAL_KEYS_MAX);
    assert_int_equal(weir_seal_parse_ring(FOUR FOUR KEY, &ring, NULL), WEIR_EINVAL);
}

static void a_changed_text_does_not_open(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct keys keys = read_keys();
    struct weir_seal_public to = weir_seal_public_of(&keys.mine.keys[0]);
    char *sealed = weir_arena_strdup(arena, weir_seal(&to, "secret", 6, arena));
    const char *opened = NULL;
    size_t len = 0;
    for (size_t i = 0; i + 1 < strlen(sealed); i += 5) {
        char kept = sealed[i];
        sealed[i] = kept == 'A' ? 'B' : 'A';
        assert_int_not_equal(weir_unseal(&keys.mine, sealed, arena, &opened, &len, NULL), WEIR_OK);
        sealed[i] = kept;
    }
    assert_int_equal(weir_unseal(&keys.mine, "", arena, &opened, &len, NULL), WEIR_EPARSE);
    assert_int_equal(weir_unseal(&keys.mine, "no base64!", arena, &opened, &len, NULL),
                     WEIR_EPARSE);
}

static void a_key_is_64_hex_digits(void **state)
{
    (void)state;
    struct weir_seal_public key;
    assert_int_equal(weir_seal_parse_public("", &key, NULL), WEIR_EINVAL);
    assert_int_equal(weir_seal_parse_public(KEY "00", &key, NULL), WEIR_EINVAL);
    assert_int_equal(weir_seal_parse_public("z" KEY, &key, NULL), WEIR_EINVAL);
    assert_int_equal(weir_seal_parse_public(KEY, &key, NULL), WEIR_OK);
    struct weir_seal_private private_key;
    assert_int_equal(weir_seal_parse_private(KEY, &private_key, NULL), WEIR_OK);
    assert_int_equal(weir_seal_parse_private(KEY "\n" KEY, &private_key, NULL), WEIR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens_with_the_private_key_alone),
        cmocka_unit_test(a_changed_text_does_not_open),
        cmocka_unit_test(a_text_names_its_key_and_one_without_a_name_is_tried_with_all),
        cmocka_unit_test(a_ring_has_one_to_eight_keys),
        cmocka_unit_test(a_key_is_64_hex_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
