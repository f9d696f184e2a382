/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/ledger_commands.h"

#include <string.h>

#include "tests/unit/check.h"

static struct weir_ledger_command command(uint32_t n, int64_t at_ms)
{
    struct weir_ledger_command made = {.at_ms = at_ms};
    memcpy(made.command_id.b, &n, sizeof(n));
    return made;
}

static uint32_t number_at(const struct weir_ledger_commands *commands, size_t at)
{
    uint32_t n;
    memcpy(&n, weir_ledger_commands_at(commands, at)->command_id.b, sizeof(n));
    return n;
}

/* What is there is `first`, `first` + 1 ... `end` - 1, and nothing before. */
static void expect_row(const struct weir_ledger_commands *commands, uint32_t first, uint32_t end)
{
    assert_int_equal(weir_ledger_commands_count(commands), end - first);
    for (uint32_t n = first; n < end; n++) {
        assert_int_equal(number_at(commands, n - first), n);
        struct weir_ledger_command one = command(n, 0);
        assert_true(weir_ledger_commands_has(commands, &one.command_id));
    }
    struct weir_ledger_command gone = command(first - 1, 0);
    assert_false(weir_ledger_commands_has(commands, &gone.command_id));
}

static void oldest_first_however_many_come_and_go(void **state)
{
    (void)state;
    struct weir_ledger_commands *commands = weir_ledger_commands_new();
    uint32_t first = 1;
    uint32_t end = 1;
    static const struct {
        uint32_t add;
        uint32_t drop;
    } turns[] = {{3000, 2900}, {3900, 0}, {9000, 300}, {0, 12600}, {200, 10}, {3, 203}, {7000, 5}};
    for (size_t turn = 0; turn < sizeof(turns) / sizeof(turns[0]); turn++) {
        for (uint32_t i = 0; i < turns[turn].add; i++) {
            struct weir_ledger_command one = command(end, end);
            assert_true(weir_ledger_commands_add(commands, &one));
            end++;
        }
        expect_row(commands, first, end);
        for (uint32_t i = 0; i < turns[turn].drop; i++) {
            weir_ledger_commands_drop(commands);
            first++;
        }
        expect_row(commands, first, end);
    }
    weir_ledger_commands_free(commands);
}

static void a_known_one_keeps_its_place_and_time(void **state)
{
    (void)state;
    struct weir_ledger_commands *commands = weir_ledger_commands_new();
    struct weir_ledger_command first = command(1, 10);
    struct weir_ledger_command second = command(2, 20);
    struct weir_ledger_command again = command(1, 30);
    assert_true(weir_ledger_commands_add(commands, &first));
    assert_true(weir_ledger_commands_add(commands, &second));
    assert_false(weir_ledger_commands_add(commands, &again));
    expect_row(commands, 1, 3);
    assert_int_equal(weir_ledger_commands_at(commands, 0)->at_ms, 10);
    weir_ledger_commands_drop(commands);
    assert_true(weir_ledger_commands_add(commands, &again));
    assert_int_equal(weir_ledger_commands_at(commands, 1)->at_ms, 30);
    weir_ledger_commands_free(commands);
}

static void sorting_is_by_time(void **state)
{
    (void)state;
    struct weir_ledger_commands *commands = weir_ledger_commands_new();
    weir_ledger_commands_sort(commands);
    /* Its ring begins near the end of the array. */
    for (uint32_t n = 10000; n < 14060; n++) {
        struct weir_ledger_command one = command(n, 0);
        assert_true(weir_ledger_commands_add(commands, &one));
    }
    for (int i = 0; i < 4060; i++) {
        weir_ledger_commands_drop(commands);
    }
    for (uint32_t n = 0; n < 60; n++) {
        uint32_t shuffled = (n * 37) % 60;
        struct weir_ledger_command one = command(shuffled + 1, (int64_t)shuffled / 2);
        assert_true(weir_ledger_commands_add(commands, &one));
    }
    weir_ledger_commands_sort(commands);
    expect_row(commands, 1, 61);
    weir_ledger_commands_free(commands);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oldest_first_however_many_come_and_go),
        cmocka_unit_test(a_known_one_keeps_its_place_and_time),
        cmocka_unit_test(sorting_is_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
