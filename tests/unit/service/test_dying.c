/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/dying.h"

#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tests/unit/check.h"

#define GIVE_UP_MS 60000

/* ---- a process that ends when it is let, as one that a driver holds ---- */

static struct {
    bool has_ended;
    bool is_killed;
    int n_reaped;
    int n_waits; /* that would have stood still */
    int n_closed;
    struct weir_loop *loop;
} plays;

void weir_process_signal(const struct weir_process *process, int sig)
{
    plays.is_killed = plays.is_killed || (process->pid > 0 && sig == SIGKILL);
}

bool weir_process_reap(struct weir_process *process, int *ret_status)
{
    if (process->pid <= 0 || !plays.has_ended) {
        return false;
    }
    *ret_status = 0;
    process->pid = 0;
    plays.n_reaped++;
    if (plays.loop != NULL) {
        weir_loop_stop(plays.loop);
    }
    return true;
}

void weir_process_done(struct weir_process *process)
{
    plays.n_waits += process->pid > 0;
    int *const fds[] = {&process->pidfd, &process->channel_fd, &process->output_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        plays.n_closed += *fds[i] >= 0 && close(*fds[i]) == 0;
        *fds[i] = -1;
    }
}

static struct weir_process begin(bool has_ended)
{
    memset(&plays, 0, sizeof(plays));
    plays.has_ended = has_ended;
    return (struct weir_process){.pid = 1000000,
                                 .pidfd = eventfd(0, EFD_CLOEXEC),
                                 .channel_fd = eventfd(0, EFD_CLOEXEC),
                                 .output_fd = -1};
}

static void let_end(int pidfd)
{
    const uint64_t one = 1;
    plays.has_ended = true;
    assert_int_equal(write(pidfd, &one, sizeof(one)), sizeof(one));
}

static void who_does_not_end_is_not_waited_for_and_collected_when_it_does(void **state)
{
    (void)state;
    struct weir_loop *loop = weir_loop_new();
    struct weir_dying *dying = weir_dying_new(loop);
    struct weir_process process = begin(false);
    int pidfd = process.pidfd;
    weir_dying_take(dying, &process);
    assert_true(plays.is_killed);
    assert_int_equal(plays.n_waits, 0);
    assert_int_equal(plays.n_closed, 1); /* its channel: it hears nothing more */
    assert_int_equal(process.pid, 0);
    assert_int_equal(weir_dying_count(dying), 1);
    let_end(pidfd);
    plays.loop = loop;
    weir_loop_run(loop);
    assert_int_equal(plays.n_reaped, 1);
    assert_int_equal(plays.n_closed, 2);
    assert_int_equal(weir_dying_count(dying), 0);
    weir_dying_free(&dying, GIVE_UP_MS);
    assert_null(dying);
    assert_int_equal(plays.n_waits, 0);
    weir_loop_free(loop);
}

static void who_has_ended_is_collected_at_once(void **state)
{
    (void)state;
    struct weir_loop *loop = weir_loop_new();
    struct weir_dying *dying = weir_dying_new(loop);
    struct weir_process process = begin(true);
    weir_dying_take(dying, &process);
    assert_int_equal(plays.n_reaped, 1);
    assert_int_equal(plays.n_closed, 2);
    assert_int_equal(weir_dying_count(dying), 0);
    weir_dying_take(dying, &process); /* and once more, which is nothing */
    assert_int_equal(plays.n_closed, 2);
    weir_dying_free(&dying, 0);
    weir_loop_free(loop);
}

static void at_the_end_there_is_a_limit(void **state)
{
    (void)state;
    struct weir_loop *loop = weir_loop_new();
    struct weir_dying *dying = weir_dying_new(loop);
    struct weir_process process = begin(false);
    weir_dying_take(dying, &process);
    int64_t began_ms = weir_clock_mono_ms();
    weir_dying_free(&dying, 50);
    assert_true(weir_clock_mono_ms() - began_ms >= 50);
    assert_int_equal(plays.n_reaped, 0);
    assert_int_equal(plays.n_waits, 0);
    assert_int_equal(plays.n_closed, 2);
    /* And who ends in time is waited for no longer than that. */
    dying = weir_dying_new(loop);
    process = begin(false);
    int pidfd = process.pidfd;
    weir_dying_take(dying, &process);
    let_end(pidfd);
    weir_dying_free(&dying, GIVE_UP_MS);
    assert_int_equal(plays.n_reaped, 1);
    weir_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_does_not_end_is_not_waited_for_and_collected_when_it_does),
        cmocka_unit_test(who_has_ended_is_collected_at_once),
        cmocka_unit_test(at_the_end_there_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
