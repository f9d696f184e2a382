/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/units.h"

#include <string.h>

#include "tests/unit/check.h"

static void lengths_become_start_codes(void **state)
{
    (void)state;
    uint8_t unit[] = {0, 0, 0, 2, 0x67, 1, 0, 0, 0, 1, 0x68};
    static const uint8_t stream[] = {0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68};
    assert_true(units_to_stream(unit, sizeof(unit)));
    assert_memory_equal(unit, stream, sizeof(stream));
}

static void lengths_that_do_not_add_up_are_refused(void **state)
{
    (void)state;
    uint8_t over[] = {0, 0, 0, 3, 0x67, 1};
    uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 0x67};
    uint8_t rest[] = {0, 0, 0, 1, 0x67, 0, 0};
    assert_false(units_to_stream(over, sizeof(over)));
    assert_false(units_to_stream(huge, sizeof(huge)));
    assert_false(units_to_stream(rest, sizeof(rest)));
    assert_true(units_to_stream(rest, 0));
}

static void start_codes_become_lengths(void **state)
{
    (void)state;
    struct units units = {0};
    static const uint8_t stream[] = {0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 0, 0,    0, 1, 0x65, 0xaa,
                                     0, 0, 0, 1, 0x06, 5, 0, 0, 1, 0x09, 0, 0x80, 0, 0};
    static const uint8_t unit[] = {0, 0, 0, 2, 0x67, 1, 0, 0, 0, 1, 0x68, 0, 0, 0, 2, 0x65, 0xaa};
    assert_true(units_from_stream(&units, stream, sizeof(stream)));
    assert_int_equal(units.len, sizeof(unit));
    assert_memory_equal(units.bytes, unit, sizeof(unit));
    units_done(&units);
}

static void a_stream_without_a_picture_is_none(void **state)
{
    (void)state;
    struct units units = {0};
    static const uint8_t empty[] = {0, 0, 1, 0, 0, 1};
    static const uint8_t plain[] = {1, 2, 3, 4, 5};
    assert_false(units_from_stream(&units, empty, sizeof(empty)));
    assert_false(units_from_stream(&units, plain, sizeof(plain)));
    assert_false(units_from_stream(&units, plain, 0));
    units_done(&units);
}

static void a_unit_with_a_picture_to_begin_at_is_a_key(void **state)
{
    (void)state;
    static const uint8_t key[] = {0, 0, 0, 2, 0x67, 1, 0, 0, 0, 2, 0x65, 0x88};
    static const uint8_t other[] = {0, 0, 0, 2, 0x41, 0x65, 0, 0, 0, 3, 0x65};
    assert_true(units_have_key(key, sizeof(key)));
    assert_false(units_have_key(other, 6));
    assert_false(units_have_key(other, sizeof(other)));
    assert_false(units_have_key(key, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_become_start_codes),
        cmocka_unit_test(lengths_that_do_not_add_up_are_refused),
        cmocka_unit_test(start_codes_become_lengths),
        cmocka_unit_test(a_stream_without_a_picture_is_none),
        cmocka_unit_test(a_unit_with_a_picture_to_begin_at_is_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
