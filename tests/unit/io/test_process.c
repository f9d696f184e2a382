/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/process.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct weir_process start_shell(const char *script, struct weir_process_spec spec)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct weir_process process = {0};
    struct weir_err err = {0};
    spec.path = "/bin/sh";
    spec.argv = argv;
    enum weir_code code = weir_process_start(&spec, &process, &err);
    if (code != WEIR_OK) {
        fail_msg("%s", err.msg);
    }
    return process;
}

static void wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 10000), 1);
}

/* Reads until the text ends in a newline, or the other side is gone. */
static void read_line(int fd, char *text, size_t size)
{
    size_t len = 0;
    while (len + 1 < size && (len == 0 || text[len - 1] != '\n')) {
        wait_readable(fd);
        ssize_t n = read(fd, text + len, size - 1 - len);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
    }
    text[len] = '\0';
}

static int wait_exit(struct weir_process *process)
{
    int status = -1;
    wait_readable(process->pidfd);
    assert_true(weir_process_reap(process, &status));
    return status;
}

static void the_exit_status_arrives_by_the_pidfd(void **state)
{
    (void)state;
    char text[64];
    struct weir_process process = start_shell("exit 7", (struct weir_process_spec){0});
    int status = wait_exit(&process);
    assert_string_equal(weir_process_status_text(status, text, sizeof(text)), "exit status 7");
    weir_process_done(&process);
}

static void a_running_child_is_not_reaped(void **state)
{
    (void)state;
    int status = 0;
    struct weir_process process = start_shell("exec sleep 60", (struct weir_process_spec){0});
    assert_false(weir_process_reap(&process, &status));
    weir_process_done(&process);
    assert_int_equal(process.pid, 0);
}

static void a_signal_reaches_the_whole_group(void **state)
{
    (void)state;
    char text[64];
    char line[64];
    struct weir_process process =
        start_shell("sleep 60 & echo $!; wait", (struct weir_process_spec){.has_output = true});
    read_line(process.output_fd, line, sizeof(line));
    pid_t grandchild = atoi(line);
    weir_process_signal(&process, SIGTERM);
    int status = wait_exit(&process);
    assert_string_equal(weir_process_status_text(status, text, sizeof(text)),
                        "signal 15 (Terminated)");
    /* The pipe ends only when the last of the group is gone. */
    read_line(process.output_fd, line, sizeof(line));
    assert_string_equal(line, "");
    assert_true(grandchild > 1);
    weir_process_done(&process);
}

static void what_is_left_of_a_group_dies_when_its_leader_is_reaped(void **state)
{
    (void)state;
    char line[64];
    struct weir_process process = start_shell("trap '' TERM; sleep 60 & exit 0",
                                              (struct weir_process_spec){.has_output = true});
    wait_exit(&process);
    read_line(process.output_fd, line, sizeof(line));
    assert_string_equal(line, "");
    weir_process_done(&process);
}

static void a_missing_program_is_known_at_the_start(void **state)
{
    (void)state;
    const char *const argv[] = {"weir-nothing", NULL};
    struct weir_process_spec spec = {.path = "/nonexistent/weir-nothing", .argv = argv};
    struct weir_process process = {0};
    struct weir_err err = {0};
    assert_int_equal(weir_process_start(&spec, &process, &err), WEIR_ENOTFOUND);
    assert_non_null(strstr(err.msg, "/nonexistent/weir-nothing"));
    assert_int_equal(process.pid, 0);
}

static void a_file_that_is_no_program_is_refused(void **state)
{
    (void)state;
    const char *const argv[] = {"passwd", NULL};
    struct weir_process_spec spec = {.path = "/etc/passwd", .argv = argv};
    struct weir_process process = {0};
    assert_int_equal(weir_process_start(&spec, &process, NULL), WEIR_EFORBIDDEN);
}

static void a_missing_working_directory_is_named(void **state)
{
    (void)state;
    const char *const argv[] = {"true", NULL};
    struct weir_process_spec spec = {.path = "/bin/true", .argv = argv, .cwd = "/nonexistent"};
    struct weir_process process = {0};
    struct weir_err err = {0};
    assert_int_equal(weir_process_start(&spec, &process, &err), WEIR_ENOTFOUND);
    assert_non_null(strstr(err.msg, "working directory /nonexistent"));
}

static void the_environment_is_exactly_what_was_given(void **state)
{
    (void)state;
    char text[256];
    const char *const env[] = {"WEIR_A=1", NULL};
    const char *const argv[] = {"env", NULL};
    struct weir_process_spec spec = {
        .path = "/usr/bin/env", .argv = argv, .env = env, .has_output = true};
    struct weir_process process = {0};
    assert_int_equal(weir_process_start(&spec, &process, NULL), WEIR_OK);
    wait_exit(&process);
    ssize_t n = read(process.output_fd, text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(text, "WEIR_A=1\n");
    weir_process_done(&process);
}

static void a_child_has_no_descriptor_but_those_promised(void **state)
{
    (void)state;
    char line[64];
    int leaked = fcntl(STDERR_FILENO, F_DUPFD, 5);
    assert_true(leaked >= 5);
    struct weir_process process =
        start_shell("cd /proc/self/fd; for fd in 0 1 2 3 4 5 6 7 8 9; do [ -e $fd ] && printf %s "
                    "$fd; done; echo",
                    (struct weir_process_spec){.has_output = true, .has_channel = true});
    read_line(process.output_fd, line, sizeof(line));
    close(leaked);
    /* The shell holds the directory of /proc open on none of them. */
    assert_string_equal(line, "0123\n");
    weir_process_done(&process);
}

static void the_channel_goes_both_ways(void **state)
{
    (void)state;
    char line[64];
    struct weir_process process = start_shell("read word <&3; echo \"got $word\" >&3",
                                              (struct weir_process_spec){.has_channel = true});
    assert_int_equal(write(process.channel_fd, "hello\n", 6), 6);
    read_line(process.channel_fd, line, sizeof(line));
    assert_string_equal(line, "got hello\n");
    weir_process_done(&process);
}

static void the_parents_end_never_blocks(void **state)
{
    (void)state;
    char byte;
    struct weir_process process = start_shell(
        "exec sleep 60", (struct weir_process_spec){.has_channel = true, .has_output = true});
    assert_int_equal(read(process.channel_fd, &byte, 1), -1);
    assert_int_equal(read(process.output_fd, &byte, 1), -1);
    weir_process_done(&process);
}

static void ignored_signals_are_not_handed_on(void **state)
{
    (void)state;
    char text[64];
    signal(SIGTERM, SIG_IGN);
    struct weir_process process = start_shell("exec sleep 60", (struct weir_process_spec){0});
    signal(SIGTERM, SIG_DFL);
    weir_process_signal(&process, SIGTERM);
    assert_string_equal(weir_process_status_text(wait_exit(&process), text, sizeof(text)),
                        "signal 15 (Terminated)");
    weir_process_done(&process);
}

static void a_child_dies_with_its_parent(void **state)
{
    (void)state;
    int out[2];
    assert_int_equal(pipe(out), 0);
    pid_t parent = fork();
    if (parent == 0) {
        /* The grandchild keeps the pipe open as its stdout, so the pipe's end is its death. */
        const char *const argv[] = {"sleep", "60", NULL};
        struct weir_process_spec spec = {.path = "/bin/sleep", .argv = argv};
        struct weir_process process = {0};
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        _exit(weir_process_start(&spec, &process, NULL) == WEIR_OK ? 0 : 1);
    }
    close(out[1]);
    int status = -1;
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_int_equal(status, 0);
    char byte;
    wait_readable(out[0]);
    assert_int_equal(read(out[0], &byte, 1), 0);
    close(out[0]);
}

static void done_is_safe_on_what_never_started(void **state)
{
    (void)state;
    struct weir_process process = {0};
    int status = 0;
    weir_process_signal(&process, SIGTERM);
    assert_false(weir_process_reap(&process, &status));
    weir_process_done(&process);
    weir_process_done(&process);
}

static void descriptors_are_handed_on_in_their_order(void **state)
{
    (void)state;
    int in[2];
    int outs[2][2];
    char text[64];
    assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(outs[0], O_CLOEXEC) | pipe2(outs[1], O_CLOEXEC),
                     0);
    int fds[] = {outs[1][1], outs[0][1]};
    struct weir_process_spec spec = {.stdin_fd = in[0], .fds = fds, .n_fds = 2};
    struct weir_process process = start_shell(
        "read x; echo $x three >&3; echo four >&4; test -e /proc/self/fd/5 || exit 7", spec);
    assert_int_equal(write(in[1], "to\n", 3), 3);
    read_line(outs[1][0], text, sizeof(text));
    assert_string_equal(text, "to three\n");
    read_line(outs[0][0], text, sizeof(text));
    assert_string_equal(text, "four\n");
    assert_int_equal(WEXITSTATUS(wait_exit(&process)), 7);
    weir_process_done(&process);
    for (int i = 0; i < 2; i++) {
        close(in[i]);
        close(outs[0][i]);
        close(outs[1][i]);
    }
}

static void a_program_that_can_be_run_is_found(void **state)
{
    (void)state;
    struct weir_err err = {0};
    assert_int_equal(weir_process_find("/bin/sh", &err), WEIR_OK);
    assert_int_equal(weir_process_find("sh", &err), WEIR_EINVAL);
    assert_int_equal(weir_process_find("", &err), WEIR_EINVAL);
    assert_int_equal(weir_process_find("/nowhere/sh", &err), WEIR_ENOTFOUND);
    assert_non_null(strstr(err.msg, "/nowhere/sh"));
    assert_int_equal(weir_process_find("/bin", &err), WEIR_EFORBIDDEN);
    assert_int_equal(weir_process_find("/etc/passwd", &err), WEIR_EFORBIDDEN);
}

/* Its own, or that of a child that it waits for. */
static void cpu_time_is_told(void **state)
{
    static const char *const scripts[] = {"while :; do :; done", "(while :; do :; done) & wait",
                                          "sleep 60"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct weir_process process = start_shell(scripts[i], (struct weir_process_spec){0});
        for (int n = 0; i < 2 && n < 3000 && weir_process_cpu_us(process.pid) < 50000; n++) {
            usleep(10000);
        }
        int64_t cpu_us = weir_process_cpu_us(process.pid);
        assert_true(i < 2 ? cpu_us >= 50000 : cpu_us < 50000);
        weir_process_done(&process);
        assert_int_equal(weir_process_cpu_us(process.pid), 0);
    }
    assert_int_equal(weir_process_cpu_us(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_time_is_told),
        cmocka_unit_test(the_exit_status_arrives_by_the_pidfd),
        cmocka_unit_test(a_running_child_is_not_reaped),
        cmocka_unit_test(a_signal_reaches_the_whole_group),
        cmocka_unit_test(what_is_left_of_a_group_dies_when_its_leader_is_reaped),
        cmocka_unit_test(a_missing_program_is_known_at_the_start),
        cmocka_unit_test(a_file_that_is_no_program_is_refused),
        cmocka_unit_test(a_missing_working_directory_is_named),
        cmocka_unit_test(the_environment_is_exactly_what_was_given),
        cmocka_unit_test(a_child_has_no_descriptor_but_those_promised),
        cmocka_unit_test(the_channel_goes_both_ways),
        cmocka_unit_test(the_parents_end_never_blocks),
        cmocka_unit_test(ignored_signals_are_not_handed_on),
        cmocka_unit_test(a_child_dies_with_its_parent),
        cmocka_unit_test(done_is_safe_on_what_never_started),
        cmocka_unit_test(descriptors_are_handed_on_in_their_order),
        cmocka_unit_test(a_program_that_can_be_run_is_found),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
