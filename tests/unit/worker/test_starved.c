/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/starved.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/check.h"

static pid_t start(bool runs)
{
    pid_t pid = fork();
    if (pid == 0) {
        volatile bool is_busy = runs;
        while (is_busy) {
        }
        pause();
        _exit(0);
    }
    usleep(100000);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void a_process_that_wants_to_run_is_only_late(void **state)
{
    (void)state;
    pid_t pid = start(true);
    assert_true(starved_is(pid));
    end(pid);
}

static void a_stopped_process_hangs(void **state)
{
    (void)state;
    pid_t pid = start(true);
    kill(pid, SIGSTOP);
    waitpid(pid, NULL, WUNTRACED);
    assert_false(starved_is(pid));
    end(pid);
}

static void a_process_that_waits_hangs(void **state)
{
    (void)state;
    pid_t pid = start(false);
    assert_false(starved_is(pid));
    end(pid);
}

static void a_process_that_is_gone_is_not_late(void **state)
{
    (void)state;
    pid_t pid = start(false);
    end(pid);
    assert_false(starved_is(pid));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_that_wants_to_run_is_only_late),
        cmocka_unit_test(a_stopped_process_hangs),
        cmocka_unit_test(a_process_that_waits_hangs),
        cmocka_unit_test(a_process_that_is_gone_is_not_late),
    };
    return cmocka_run_group_tests_name("worker starved", tests, NULL, NULL);
}
