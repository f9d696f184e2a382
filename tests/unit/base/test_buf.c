/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/buf.h"

#include <string.h>

#include "tests/unit/check.h"

static void adding_past_the_ceiling_changes_nothing(void **state)
{
    (void)state;
    struct weir_buf buf = {.max = 5};
    assert_true(weir_buf_add(&buf, "abc", 3));
    assert_false(weir_buf_add(&buf, "def", 3));
    assert_string_equal(buf.bytes, "abc");
    assert_true(weir_buf_printf(&buf, "%d", 42));
    assert_false(weir_buf_printf(&buf, "%d", 4));
    assert_string_equal(buf.bytes, "abc42");
    weir_buf_done(&buf);
}

static void consuming_moves_the_rest_to_the_front(void **state)
{
    (void)state;
    struct weir_buf buf = {0};
    assert_true(weir_buf_add(&buf, "line\nrest", 9));
    weir_buf_consume(&buf, 5);
    assert_string_equal(buf.bytes, "rest");
    weir_buf_consume(&buf, 4);
    assert_int_equal(buf.len, 0);
    weir_buf_done(&buf);
}

static void a_buffer_grows_as_needed_and_is_usable_after_done(void **state)
{
    (void)state;
    struct weir_buf buf = {0};
    for (int i = 0; i < 1000; i++) {
        assert_true(weir_buf_printf(&buf, "%04d", i));
    }
    assert_int_equal(buf.len, 4000);
    assert_memory_equal(buf.bytes + 3996, "0999", 5);
    weir_buf_done(&buf);
    assert_true(weir_buf_add(&buf, "", 0));
    assert_string_equal(buf.bytes, "");
    weir_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adding_past_the_ceiling_changes_nothing),
        cmocka_unit_test(consuming_moves_the_rest_to_the_front),
        cmocka_unit_test(a_buffer_grows_as_needed_and_is_usable_after_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
