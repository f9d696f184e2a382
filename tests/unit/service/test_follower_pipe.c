/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/service/follower_pipe.h"

struct seen {
    struct weir_loop *loop;
    int64_t offsets[4];
    size_t n;
};

static void note_and_stop(void *ctx, struct follower_item *item)
{
    struct seen *seen = ctx;
    seen->offsets[seen->n++] = item->offset;
    weir_loop_stop(seen->loop);
}

static void push(struct follower_pipe *pipe, int64_t offset)
{
    struct follower_item *item = follower_item_new(FOLLOWER_ITEM_DECISION);
    item->arena = weir_arena_new(256);
    item->ledger = weir_ledger_new();
    item->offset = offset;
    follower_pipe_push(pipe, item);
}

static void items_come_in_their_order(void **state)
{
    (void)state;
    struct seen seen = {.loop = weir_loop_new()};
    struct follower_pipe *pipe = follower_pipe_new(seen.loop, note_and_stop, &seen);
    push(pipe, 7);
    push(pipe, 8);
    weir_loop_run(seen.loop);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.offsets[0], 7);
    assert_int_equal(seen.offsets[1], 8);
    follower_pipe_close(pipe);
    weir_loop_free(seen.loop);
}

/* What a daemon does that is told to end while the log goes on; asan sees what is not freed. */
static void what_a_loop_that_ended_did_not_take_is_freed(void **state)
{
    (void)state;
    struct seen seen = {.loop = weir_loop_new()};
    struct follower_pipe *pipe = follower_pipe_new(seen.loop, note_and_stop, &seen);
    push(pipe, 7);
    weir_loop_run(seen.loop);
    push(pipe, 8);
    follower_pipe_close(pipe);
    assert_int_equal(seen.n, 1);
    weir_loop_free(seen.loop);
}

static void no_item_comes_after_close_even_when_one_was_under_way(void **state)
{
    (void)state;
    struct seen seen = {.loop = weir_loop_new()};
    struct seen later = {.loop = seen.loop};
    struct follower_pipe *closed = follower_pipe_new(seen.loop, note_and_stop, &seen);
    struct follower_pipe *open = follower_pipe_new(seen.loop, note_and_stop, &later);
    push(closed, 7);
    push(open, 8);
    follower_pipe_close(closed);
    weir_loop_run(seen.loop);
    assert_int_equal(seen.n, 0);
    assert_int_equal(later.n, 1);
    follower_pipe_close(open);
    weir_loop_free(seen.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_in_their_order),
        cmocka_unit_test(what_a_loop_that_ended_did_not_take_is_freed),
        cmocka_unit_test(no_item_comes_after_close_even_when_one_was_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
