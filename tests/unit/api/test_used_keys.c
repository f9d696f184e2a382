/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include "api/used_keys.h"

static const struct weir_id stream = {{1}};
static const struct weir_id other = {{2}};

static struct weir_id command(uint8_t n)
{
    return (struct weir_id){{0xc0, n}};
}

static void a_command_stands_for_its_first_wish(void **state)
{
    (void)state;
    struct used_keys *keys = used_keys_new(4);
    struct weir_id id = command(1);
    assert_false(used_keys_is_other(keys, &id, USED_FOR_START, &stream));
    used_keys_note(keys, &id, USED_FOR_START, &stream);
    used_keys_note(keys, &id, USED_FOR_STOP, &other);
    assert_false(used_keys_is_other(keys, &id, USED_FOR_START, &stream));
    assert_true(used_keys_is_other(keys, &id, USED_FOR_STOP, &stream));
    assert_true(used_keys_is_other(keys, &id, USED_FOR_START, &other));
    used_keys_free(keys);
}

static void the_oldest_is_forgotten(void **state)
{
    (void)state;
    struct used_keys *keys = used_keys_new(2);
    for (uint8_t n = 1; n <= 3; n++) {
        struct weir_id id = command(n);
        used_keys_note(keys, &id, USED_FOR_START, &stream);
    }
    struct weir_id first = command(1);
    struct weir_id second = command(2);
    assert_false(used_keys_is_other(keys, &first, USED_FOR_STOP, &stream));
    assert_true(used_keys_is_other(keys, &second, USED_FOR_STOP, &stream));
    used_keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_stands_for_its_first_wish),
        cmocka_unit_test(the_oldest_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
