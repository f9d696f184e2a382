/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/turns.h"

#include "tests/unit/check.h"

static const struct weir_id acme = {{9}};
static const struct weir_id busy = {{1}};
static const struct weir_id other = {{2}};

struct woken {
    uint64_t tokens[8];
    size_t n;
};

static void wake(void *ctx, uint64_t token)
{
    struct woken *woken = ctx;
    woken->tokens[woken->n++] = token;
}

/* So many of a camera are worked on, and here. */
static struct turns *new_turns(size_t running, size_t here, struct woken *woken)
{
    return turns_new(
        &(struct weir_fair_limits){.all = {8, 16}, .tenant = {8, 16}, .camera = {running, here}},
        wake, woken);
}

static void one_camera_leaves_room_for_another(void **state)
{
    (void)state;
    struct woken woken = {0};
    struct turns *turns = new_turns(2, 10, &woken);
    struct turn turn[4] = {0};
    assert_int_equal(turns_ask(turns, &turn[0], &acme, &busy), TURNS_NOW);
    assert_int_equal(turns_ask(turns, &turn[1], &acme, &busy), TURNS_NOW);
    assert_int_equal(turns_ask(turns, &turn[2], &acme, &busy), TURNS_WAIT);
    assert_int_equal(turns_ask(turns, &turn[3], &acme, &other), TURNS_NOW);
    for (size_t i = 0; i < 4; i++) {
        turns_end(turns, &turn[i]);
    }
    turns_free(turns);
}

static void who_waits_has_his_turn_in_the_order_of_coming(void **state)
{
    (void)state;
    struct woken woken = {0};
    struct turns *turns = new_turns(1, 9, &woken);
    struct turn turn[4] = {0};
    assert_int_equal(turns_ask(turns, &turn[0], &acme, &busy), TURNS_NOW);
    for (uint64_t i = 1; i < 4; i++) {
        assert_int_equal(turns_ask(turns, &turn[i], &acme, &busy), TURNS_WAIT);
        turns_wait(turns, &turn[i], i);
        assert_false(turns_has(turns, &turn[i]));
    }
    turns_end(turns, &turn[0]);
    assert_int_equal(woken.n, 1);
    assert_int_equal(woken.tokens[0], 1);
    assert_true(turns_has(turns, &turn[1]));
    /* Who comes now does not overtake, and who is gone is passed over. */
    assert_int_equal(turns_ask(turns, &turn[0], &acme, &busy), TURNS_WAIT);
    turns_wait(turns, &turn[0], 9);
    turns_end(turns, &turn[2]);
    turns_end(turns, &turn[1]);
    turns_end(turns, &turn[1]);
    assert_int_equal(woken.n, 2);
    assert_int_equal(woken.tokens[1], 3);
    turns_end(turns, &turn[3]);
    assert_int_equal(woken.n, 3);
    assert_int_equal(woken.tokens[2], 9);
    turns_end(turns, &turn[0]);
    turns_free(turns);
}

static void a_turn_that_comes_before_its_token_is_not_lost(void **state)
{
    (void)state;
    struct woken woken = {0};
    struct turns *turns = new_turns(1, 9, &woken);
    struct turn first = {0};
    struct turn second = {0};
    assert_int_equal(turns_ask(turns, &first, &acme, &busy), TURNS_NOW);
    assert_int_equal(turns_ask(turns, &second, &acme, &busy), TURNS_WAIT);
    turns_end(turns, &first);
    assert_int_equal(woken.n, 0);
    turns_wait(turns, &second, 7);
    assert_int_equal(woken.n, 1);
    assert_int_equal(woken.tokens[0], 7);
    turns_end(turns, &second);
    turns_free(turns);
}

static void only_so_many_wait(void **state)
{
    (void)state;
    struct woken woken = {0};
    struct turns *turns = new_turns(1, 3, &woken);
    struct turn turn[4] = {0};
    assert_int_equal(turns_ask(turns, &turn[0], &acme, &busy), TURNS_NOW);
    assert_int_equal(turns_ask(turns, &turn[1], &acme, &busy), TURNS_WAIT);
    assert_int_equal(turns_ask(turns, &turn[2], &acme, &busy), TURNS_WAIT);
    assert_int_equal(turns_ask(turns, &turn[3], &acme, &busy), TURNS_FULL);
    turns_end(turns, &turn[3]); /* it holds nothing */
    turns_end(turns, &turn[1]);
    assert_int_equal(turns_ask(turns, &turn[3], &acme, &busy), TURNS_WAIT);
    turns_end(turns, &turn[0]);
    assert_true(turns_has(turns, &turn[2]));
    turns_end(turns, &turn[2]);
    assert_true(turns_has(turns, &turn[3]));
    turns_end(turns, &turn[3]);
    turns_free(turns);
}

static void a_tenant_leaves_room_for_another_who_is_next(void **state)
{
    (void)state;
    static const struct weir_id blue = {{10}};
    struct woken woken = {0};
    struct turns *turns =
        turns_new(&(struct weir_fair_limits){.all = {2, 16}, .tenant = {2, 8}, .camera = {1, 8}},
                  wake, &woken);
    struct turn turn[4] = {0};
    assert_int_equal(turns_ask(turns, &turn[0], &acme, &busy), TURNS_NOW);
    assert_int_equal(turns_ask(turns, &turn[1], &acme, &other), TURNS_NOW);
    assert_int_equal(turns_ask(turns, &turn[2], &acme, &busy), TURNS_WAIT);
    turns_wait(turns, &turn[2], 2);
    assert_int_equal(turns_ask(turns, &turn[3], &blue, &blue), TURNS_WAIT);
    turns_wait(turns, &turn[3], 3);
    turns_end(turns, &turn[0]);
    assert_int_equal(woken.n, 1);
    assert_int_equal(woken.tokens[0], 3);
    for (size_t i = 1; i < 4; i++) {
        turns_end(turns, &turn[i]);
    }
    turns_free(turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_camera_leaves_room_for_another),
        cmocka_unit_test(who_waits_has_his_turn_in_the_order_of_coming),
        cmocka_unit_test(a_turn_that_comes_before_its_token_is_not_lost),
        cmocka_unit_test(only_so_many_wait),
        cmocka_unit_test(a_tenant_leaves_room_for_another_who_is_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
