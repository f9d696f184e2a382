/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/cli/account.h"

#include "tests/unit/check.h"

#define FRAME 3600 /* a 25th of a second */

static struct account begin(uint32_t fps)
{
    struct account account = {0};
    account_add(&account, 0, fps * 1000, INT64_MIN);
    return account;
}

static void give(struct account *account, int from, int to)
{
    for (int i = from; i < to; i++)
        account_give(account, (int64_t)i * FRAME, 0);
}

static void a_unit_is_worked_off_with_all_that_is_made_of_its_picture(void **state)
{
    (void)state;
    struct account account = begin(25);
    account_add(&account, 7, 25000, INT64_MIN);
    give(&account, 0, 2);
    assert_int_equal(account_settle(&account), 0);
    account_picture(&account, 0, 0);
    assert_int_equal(account_settle(&account), 0);
    account_made(&account, 0, 0, 0);
    assert_int_equal(account_settle(&account), 0);
    account_made(&account, 7, 0, 0);
    assert_int_equal(account_settle(&account), 1);
    assert_int_equal(account_settle(&account), 0);
}

static void what_is_made_may_be_told_before_the_picture(void **state)
{
    (void)state;
    struct account account = begin(25);
    give(&account, 0, 2);
    account_made(&account, 0, 0, 0);
    account_made(&account, 0, FRAME, 0);
    assert_int_equal(account_settle(&account), 0);
    account_picture(&account, 0, 0);
    account_picture(&account, FRAME, 0);
    assert_int_equal(account_settle(&account), 2);
}

static void nothing_is_owed_of_a_picture_that_is_left_out(void **state)
{
    (void)state;
    struct account account = begin(5);
    give(&account, 0, 6);
    account_picture(&account, 0, 0);
    account_made(&account, 0, 0, 0);
    for (int i = 1; i < 5; i++)
        account_picture(&account, (int64_t)i * FRAME, 0);
    assert_int_equal(account_settle(&account), 5);
    account_picture(&account, 5 * FRAME, 0);
    assert_int_equal(account_settle(&account), 0);
    account_made(&account, 0, 5 * FRAME, 0);
    assert_int_equal(account_settle(&account), 1);
}

static void pictures_up_to_what_was_made_before_are_not_kept(void **state)
{
    (void)state;
    struct account account = {0};
    account_add(&account, 3, 25000, 2 * FRAME);
    assert_false(account_wants(&account, 2 * FRAME));
    assert_true(account_wants(&account, 3 * FRAME));
    give(&account, 0, 4);
    for (int i = 0; i < 3; i++)
        account_picture(&account, (int64_t)i * FRAME, 0);
    assert_int_equal(account_settle(&account), 3);
    account_picture(&account, 3 * FRAME, 0);
    assert_int_equal(account_settle(&account), 0);
}

static void units_before_a_picture_that_gave_none_are_lost(void **state)
{
    (void)state;
    struct account account = begin(25);
    give(&account, 0, 5);
    account_picture(&account, 3 * FRAME, 0);
    account_made(&account, 0, 3 * FRAME, 0);
    assert_int_equal(account_settle(&account), 4);
}

static void units_behind_a_picture_are_with_a_decoder_that_orders(void **state)
{
    (void)state;
    struct account account = begin(25);
    /* I0 P3 B1: what is shown first is told first. */
    account_give(&account, 0, 0);
    account_give(&account, 3 * FRAME, 0);
    account_give(&account, FRAME, 0);
    account_picture(&account, 0, 0);
    account_made(&account, 0, 0, 0);
    assert_int_equal(account_settle(&account), 1);
    account_picture(&account, FRAME, 0);
    account_made(&account, 0, FRAME, 0);
    assert_int_equal(account_settle(&account), 1);
    assert_int_equal(account_let_go(&account), 1);
    assert_int_equal(account_let_go(&account), 0);
}

static void patience_begins_with_the_last_sign_of_life(void **state)
{
    (void)state;
    struct account account = begin(25);
    assert_int_equal(account_patience_ms(&account, 5000), -1);
    account_give(&account, 0, 1000);
    assert_int_equal(account_patience_ms(&account, 1500), ACCOUNT_BEGIN_MS - 500);
    account_give(&account, FRAME, 1600);
    assert_int_equal(account_patience_ms(&account, 1500), ACCOUNT_BEGIN_MS - 500);
    account_picture(&account, 0, 2000);
    assert_int_equal(account_patience_ms(&account, 2100), ACCOUNT_PATIENCE_MS - 100);
    account_unread(&account, 2400);
    assert_int_equal(account_patience_ms(&account, 2400), ACCOUNT_PATIENCE_MS);
    assert_int_equal(account_patience_ms(&account, 9000), 0);
}

static void there_is_room_for_so_many(void **state)
{
    (void)state;
    struct account account = begin(25);
    give(&account, 0, ACCOUNT_UNITS_MAX - 1);
    assert_false(account_is_full(&account));
    give(&account, ACCOUNT_UNITS_MAX, ACCOUNT_UNITS_MAX + 5);
    assert_true(account_is_full(&account));
    /* A program that tells pictures only is no danger. */
    for (int i = 0; i < 1000; i++)
        account_picture(&account, (int64_t)i * FRAME, 0);
    assert_true(account.n_pictures <= ACCOUNT_UNITS_MAX);
    assert_int_equal(account_let_go(&account), ACCOUNT_UNITS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_is_worked_off_with_all_that_is_made_of_its_picture),
        cmocka_unit_test(what_is_made_may_be_told_before_the_picture),
        cmocka_unit_test(nothing_is_owed_of_a_picture_that_is_left_out),
        cmocka_unit_test(pictures_up_to_what_was_made_before_are_not_kept),
        cmocka_unit_test(units_before_a_picture_that_gave_none_are_lost),
        cmocka_unit_test(units_behind_a_picture_are_with_a_decoder_that_orders),
        cmocka_unit_test(patience_begins_with_the_last_sign_of_life),
        cmocka_unit_test(there_is_room_for_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
