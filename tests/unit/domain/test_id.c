/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/id.h"

#include <string.h>

#include "tests/unit/check.h"

static void version_5_gives_the_example_of_rfc_9562(void **state)
{
    (void)state;
    /* Appendix A.4: namespace DNS, name "www.example.com". */
    struct weir_err err = {0};
    struct weir_id dns;
    const char *text = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    ASSERT_OK(weir_id_parse(text, strlen(text), &dns, &err), &err);
    struct weir_id id = weir_id_v5(&dns, "www.example.com", 15);
    assert_string_equal(WEIR_ID_TEXT(&id), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

static void version_7_gives_the_example_of_rfc_9562(void **state)
{
    (void)state;
    /* Appendix A.6: 2022-02-22T19:22:22.000Z. */
    static const uint8_t random[10] = {0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
    struct weir_id id = weir_id_v7(1645557742000, random);
    assert_string_equal(WEIR_ID_TEXT(&id), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

static void long_names_hash_over_several_blocks(void **state)
{
    (void)state;
    char name[200];
    memset(name, 'x', sizeof(name));
    struct weir_id a = weir_id_v5(&weir_space_stream, name, 119);
    struct weir_id b = weir_id_v5(&weir_space_stream, name, 120);
    struct weir_id c = weir_id_v5(&weir_space_command, name, 120);
    assert_false(weir_id_equal(&a, &b));
    assert_false(weir_id_equal(&b, &c));
}

static void only_the_canonical_form_is_read(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "017f22e279b07cc398c4dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "017f22e2-79b0-7cc398-c4-dc0c0c07398f",
        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    };
    struct weir_id id;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(weir_id_parse(bad[i], strlen(bad[i]), &id, NULL), WEIR_EPARSE);
    }
    struct weir_err err = {0};
    const char *upper = "017F22E2-79B0-7CC3-98C4-DC0C0C07398F";
    ASSERT_OK(weir_id_parse(upper, strlen(upper), &id, &err), &err);
    assert_string_equal(WEIR_ID_TEXT(&id), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

static void new_ids_differ_and_sort_by_time(void **state)
{
    (void)state;
    struct weir_id a = weir_id_new(1000);
    struct weir_id b = weir_id_new(1000);
    struct weir_id later = weir_id_new(2000);
    assert_false(weir_id_equal(&a, &b));
    assert_true(weir_id_compare(&a, &later) < 0);
    assert_false(weir_id_is_nil(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_5_gives_the_example_of_rfc_9562),
        cmocka_unit_test(version_7_gives_the_example_of_rfc_9562),
        cmocka_unit_test(long_names_hash_over_several_blocks),
        cmocka_unit_test(only_the_canonical_form_is_read),
        cmocka_unit_test(new_ids_differ_and_sort_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
