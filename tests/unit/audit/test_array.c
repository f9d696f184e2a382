/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/array.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void quotes_and_backslashes_are_escaped(void **state)
{
    (void)state;
    struct audit_array array = {0};
    audit_array_add(&array, "plain");
    audit_array_add(&array, "a\"b\\c");
    audit_array_add(&array, "");
    audit_array_add(&array, NULL);
    assert_string_equal(audit_array_text(&array), "{\"plain\",\"a\\\"b\\\\c\",\"\",NULL}");
    audit_array_done(&array);
}

static void numbers_and_bytes_are_written_as_postgres_reads_them(void **state)
{
    (void)state;
    struct audit_array array = {0};
    audit_array_add_int(&array, -7);
    audit_array_add_bytes(&array, "\x00\xff", 2);
    audit_array_add_bytes(&array, "", 0);
    audit_array_add_bytes(&array, NULL, 0);
    assert_string_equal(audit_array_text(&array), "{-7,\"\\\\x00ff\",\"\\\\x\",NULL}");
    audit_array_done(&array);
}

static void an_array_without_elements_is_still_one(void **state)
{
    (void)state;
    struct audit_array array = {0};
    assert_string_equal(audit_array_text(&array), "{}");
    audit_array_done(&array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_and_backslashes_are_escaped),
        cmocka_unit_test(numbers_and_bytes_are_written_as_postgres_reads_them),
        cmocka_unit_test(an_array_without_elements_is_still_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
