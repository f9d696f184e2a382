/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/check.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

typedef enum weir_code enter_fn(struct weir_err *err);
typedef bool deed_fn(void);

/* The status of a process that is shut in and does it: 0 when it could, 1 when it could not. */
static int status_of(enter_fn *enter, deed_fn *deed)
{
    pid_t child = fork();
    if (child == 0) {
        struct weir_err err;
        _exit(enter(&err) != WEIR_OK ? 2 : deed() ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static bool can(deed_fn *deed)
{
    int status = status_of(weir_sandbox_enter_device, deed);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 2);
    return WEXITSTATUS(status) == 0;
}

static bool open_file(const char *path, int flags)
{
    return open(path, flags | O_CLOEXEC, 0600) >= 0;
}

static bool read_passwords(void)
{
    return open_file("/etc/passwd", O_RDONLY);
}

static bool look_at_own_environment(void)
{
    return open_file("/proc/self/environ", O_RDONLY);
}

static bool look_into_segments(void)
{
    return open_file("/dev/shm", O_RDONLY | O_DIRECTORY) &&
           open_file("/dev/shm/weir-test", O_RDONLY);
}

static bool write_a_file(void)
{
    return open_file("/dev/shm/weir-test-sandbox", O_WRONLY | O_CREAT);
}

static bool open_a_device(void)
{
    return open_file("/dev/null", O_RDWR);
}

static bool connect_out(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool start_a_process(void)
{
    return fork() >= 0;
}

static bool become_another_program(void)
{
    char name[] = "true";
    char *const argv[] = {name, NULL};
    execv("/bin/true", argv);
    return false;
}

static bool kill_the_parent(void)
{
    return kill(getppid(), 0) == 0;
}

static bool make_memory_to_run(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
           MAP_FAILED;
}

static void *nothing(void *ctx)
{
    return ctx;
}

static bool use_threads_and_devices(void)
{
    pthread_t thread;
    int bytes = 0;
    int pipes[2];
    return pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0 &&
           pipe2(pipes, O_CLOEXEC) == 0 && write(pipes[1], "x", 1) == 1 &&
           ioctl(pipes[0], FIONREAD, &bytes) == 0 && bytes == 1;
}

static bool has_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

static void a_driver_gets_what_it_needs(void **state)
{
    (void)state;
    assert_true(can(use_threads_and_devices));
    if (has_landlock()) {
        assert_true(can(open_a_device));
    }
}

static void and_nothing_else(void **state)
{
    (void)state;
    static deed_fn *const deeds[] = {
        read_passwords,     look_at_own_environment, look_into_segments,     write_a_file,
        connect_out,        start_a_process,         become_another_program, kill_the_parent,
        make_memory_to_run,
    };
    int fd = open("/dev/shm/weir-test", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; !IS_SANITIZED && i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        assert_false(can(deeds[i]));
    }
    unlink("/dev/shm/weir-test");
}

static void who_has_no_device_is_killed_for_trying(void **state)
{
    (void)state;
    static deed_fn *const deeds[] = {read_passwords, connect_out, start_a_process, open_a_device};
    for (size_t i = 0; !IS_SANITIZED && i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        int status = status_of(weir_sandbox_enter, deeds[i]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_driver_gets_what_it_needs),
        cmocka_unit_test(and_nothing_else),
        cmocka_unit_test(who_has_no_device_is_killed_for_trying),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
