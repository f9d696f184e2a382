/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/loop.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/check.h"

struct probe {
    struct weir_loop *loop;
    struct weir_timer *timer;
    struct weir_timer *other;
    int fd;
    int fd2;
    int calls;
    char order[16];
};

static void note(struct probe *probe, char what)
{
    size_t n = strlen(probe->order);
    if (n < sizeof(probe->order) - 1) {
        probe->order[n] = what;
    }
}

static void note_a(void *ctx)
{
    note(ctx, 'a');
}

static void note_b_and_stop(void *ctx)
{
    struct probe *probe = ctx;
    note(probe, 'b');
    weir_loop_stop(probe->loop);
}

static void timers_fire_in_the_order_they_are_due(void **state)
{
    (void)state;
    struct probe probe = {.loop = weir_loop_new()};
    probe.timer = weir_timer_new(probe.loop, note_b_and_stop, &probe);
    probe.other = weir_timer_new(probe.loop, note_a, &probe);
    weir_timer_set(probe.timer, 30);
    weir_timer_set(probe.other, 5);
    assert_true(weir_timer_is_set(probe.other));
    weir_loop_run(probe.loop);
    assert_string_equal(probe.order, "ab");
    assert_false(weir_timer_is_set(probe.timer));
    weir_timer_free(&probe.timer);
    weir_timer_free(&probe.other);
    assert_null(probe.timer);
    weir_loop_free(probe.loop);
}

static void rearm_until_five(void *ctx)
{
    struct probe *probe = ctx;
    if (++probe->calls < 5) {
        weir_timer_set(probe->timer, 0);
    } else {
        weir_loop_stop(probe->loop);
    }
}

static void a_timer_may_set_itself_again_at_once(void **state)
{
    (void)state;
    struct probe probe = {.loop = weir_loop_new()};
    probe.timer = weir_timer_new(probe.loop, rearm_until_five, &probe);
    weir_timer_set(probe.timer, 0);
    weir_loop_run(probe.loop);
    assert_int_equal(probe.calls, 5);
    weir_loop_free(probe.loop);
}

static void free_other_and_stop(void *ctx)
{
    struct probe *probe = ctx;
    weir_timer_free(&probe->other);
    weir_loop_stop(probe->loop);
}

static void a_timer_may_free_another_that_is_due_too(void **state)
{
    (void)state;
    struct probe probe = {.loop = weir_loop_new()};
    probe.timer = weir_timer_new(probe.loop, free_other_and_stop, &probe);
    probe.other = weir_timer_new(probe.loop, note_a, &probe);
    weir_timer_set(probe.timer, 0);
    weir_timer_set(probe.other, 0);
    weir_loop_run(probe.loop);
    assert_string_equal(probe.order, "");
    weir_loop_free(probe.loop);
}

static void *post_three(void *ctx)
{
    struct probe *probe = ctx;
    weir_loop_post(probe->loop, note_a, probe);
    weir_loop_post(probe->loop, note_a, probe);
    weir_loop_post(probe->loop, note_b_and_stop, probe);
    return NULL;
}

static void posts_from_another_thread_run_in_their_order(void **state)
{
    (void)state;
    struct probe probe = {.loop = weir_loop_new()};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_three, &probe), 0);
    weir_loop_run(probe.loop);
    pthread_join(thread, NULL);
    assert_string_equal(probe.order, "aab");
    weir_loop_free(probe.loop);
}

static void take_back_a_and_stop(void *ctx)
{
    struct probe *probe = ctx;
    weir_loop_unpost(probe->loop, note_a, probe);
    weir_loop_stop(probe->loop);
}

static void a_post_taken_back_does_not_run(void **state)
{
    (void)state;
    struct probe probe = {.loop = weir_loop_new()};
    struct probe other = {.loop = probe.loop};
    weir_loop_post(probe.loop, note_a, &probe);
    weir_loop_unpost(probe.loop, note_a, &probe);
    /* And one of those that run in the same turn as the one that takes it back. */
    weir_loop_post(probe.loop, take_back_a_and_stop, &probe);
    weir_loop_post(probe.loop, note_a, &probe);
    weir_loop_post(probe.loop, note_a, &other);
    weir_loop_run(probe.loop);
    assert_string_equal(probe.order, "");
    assert_string_equal(other.order, "a");
    weir_loop_free(probe.loop);
}

static void read_and_unwatch_other(void *ctx, unsigned events)
{
    struct probe *probe = ctx;
    assert_true(events & WEIR_LOOP_IN);
    probe->calls++;
    weir_loop_unwatch(probe->loop, probe->fd);
    weir_loop_unwatch(probe->loop, probe->fd2);
    weir_loop_stop(probe->loop);
}

static void no_call_comes_after_unwatch_even_when_both_are_ready(void **state)
{
    (void)state;
    struct probe probe = {.loop = weir_loop_new()};
    int a[2];
    int b[2];
    assert_int_equal(pipe(a), 0);
    assert_int_equal(pipe(b), 0);
    assert_int_equal(write(a[1], "x", 1), 1);
    assert_int_equal(write(b[1], "x", 1), 1);
    probe.fd = a[0];
    probe.fd2 = b[0];
    weir_loop_watch(probe.loop, a[0], WEIR_LOOP_IN, read_and_unwatch_other, &probe);
    weir_loop_watch(probe.loop, b[0], WEIR_LOOP_IN, read_and_unwatch_other, &probe);
    weir_loop_run(probe.loop);
    assert_int_equal(probe.calls, 1);
    weir_loop_free(probe.loop);
    close(a[0]);
    close(a[1]);
    close(b[0]);
    close(b[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_the_order_they_are_due),
        cmocka_unit_test(a_timer_may_set_itself_again_at_once),
        cmocka_unit_test(a_timer_may_free_another_that_is_due_too),
        cmocka_unit_test(posts_from_another_thread_run_in_their_order),
        cmocka_unit_test(a_post_taken_back_does_not_run),
        cmocka_unit_test(no_call_comes_after_unwatch_even_when_both_are_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
