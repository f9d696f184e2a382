/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/sandbox.h"

#include <asm/sockios.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <sched.h>
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

static bool can_after(enter_fn *enter, deed_fn *deed)
{
    int status = status_of(enter, deed);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 2);
    return WEXITSTATUS(status) == 0;
}

static bool can(deed_fn *deed)
{
    return can_after(weir_sandbox_enter_device, deed);
}

static enum weir_code enter_nothing(struct weir_err *err)
{
    (void)err;
    return WEIR_OK;
}

static enum weir_code enter_for_a_program(struct weir_err *err)
{
    return weir_sandbox_enter_for("/bin/true", err);
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

/* That can be read; -1, which no deed succeeds with. */
static int a_pipe(void)
{
    int pipes[2];
    return pipe2(pipes, O_CLOEXEC) == 0 && write(pipes[1], "x", 1) == 1 ? pipes[0] : -1;
}

static bool let_a_pipe_signal_the_parent(void)
{
    return fcntl(a_pipe(), F_SETOWN, getppid()) == 0;
}

static bool let_a_pipe_signal_the_parent_by_more_words(void)
{
    struct f_owner_ex owner = {.type = F_OWNER_PID, .pid = getppid()};
    return fcntl(a_pipe(), F_SETOWN_EX, &owner) == 0;
}

static bool let_a_pipe_kill(void)
{
    return fcntl(a_pipe(), F_SETSIG, SIGKILL) == 0;
}

static bool let_a_pipe_signal(void)
{
    return fcntl(a_pipe(), F_SETFL, O_ASYNC) == 0;
}

static bool let_a_pipe_signal_by_ioctl(void)
{
    int is_on = 1;
    return ioctl(a_pipe(), FIOASYNC, &is_on) == 0;
}

/* The kernel looks at 32 bits, the filter at 64. */
static bool let_a_pipe_signal_by_a_longer_ioctl(void)
{
    int is_on = 1;
    return syscall(SYS_ioctl, a_pipe(), (1UL << 32) | FIOASYNC, &is_on) == 0;
}

static int a_socket; /* as the channel is */

static bool let_a_socket_signal_the_parent(void)
{
    int parent = getppid();
    return ioctl(a_socket, FIOSETOWN, &parent) == 0;
}

static bool let_a_socket_signal_the_parent_by_its_group(void)
{
    int parent = getppid();
    return ioctl(a_socket, SIOCSPGRP, &parent) == 0;
}

static bool move_the_parent(void)
{
    cpu_set_t cpus;
    return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 &&
           sched_setaffinity(getppid(), sizeof(cpus), &cpus) == 0;
}

static bool move_itself(void)
{
    cpu_set_t cpus;
    return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 &&
           sched_setaffinity(0, sizeof(cpus), &cpus) == 0;
}

/* A pipe is none of these devices, and the kernel says so. */
static bool ask_devices(void)
{
    static const unsigned long requests[] = {
        0xc0406400UL, /* DRM_IOCTL_VERSION */
        0x80685600UL, /* VIDIOC_QUERYCAP */
        0xc020462aUL, /* NV_ESC_RM_CONTROL */
        0x30000001UL, /* UVM_INITIALIZE */
    };
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        if (syscall(SYS_ioctl, a_pipe(), requests[i], NULL) == 0 || errno != ENOTTY) {
            return false;
        }
    }
    return true;
}

static bool tell_descriptors_what_is_usual(void)
{
    int fd = a_pipe();
    return fcntl(fd, F_DUPFD_CLOEXEC, 0) >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC &&
           fcntl(fd, F_SETFD, 0) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
           fcntl(fd, F_GETFL) == O_NONBLOCK;
}

static bool allocate(size_t bytes)
{
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0) != MAP_FAILED;
}

static bool allocate_1_gib(void)
{
    return allocate(1UL << 30);
}

static bool allocate_3_gib(void)
{
    return allocate(3UL << 30);
}

static bool allocate_5_gib(void)
{
    return allocate(5UL << 30);
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
    return pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0 &&
           ask_devices();
}

static bool has_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

static void a_driver_gets_what_it_needs(void **state)
{
    (void)state;
    assert_true(can(use_threads_and_devices));
    assert_true(can(tell_descriptors_what_is_usual));
    assert_true(can(move_itself));
    assert_true(can(allocate_5_gib));
    if (has_landlock()) {
        assert_true(can(open_a_device));
    }
}

static void and_nothing_else(void **state)
{
    (void)state;
    static deed_fn *const deeds[] = {
        read_passwords, look_at_own_environment, look_into_segments,     write_a_file,
        connect_out,    start_a_process,         become_another_program, make_memory_to_run,
    };
    int fd = open("/dev/shm/weir-test", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; !IS_SANITIZED && i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        assert_false(can(deeds[i]));
    }
    unlink("/dev/shm/weir-test");
}

/* Each of these can be done by who is not shut in, so it is the door that keeps it. */
static void no_signal_goes_to_others(void **state)
{
    (void)state;
    static deed_fn *const deeds[] = {
        let_a_pipe_signal_the_parent,
        let_a_pipe_signal_the_parent_by_more_words,
        let_a_pipe_kill,
        let_a_pipe_signal,
        let_a_pipe_signal_by_ioctl,
        let_a_pipe_signal_by_a_longer_ioctl,
        let_a_socket_signal_the_parent,
        let_a_socket_signal_the_parent_by_its_group,
        move_the_parent,
        kill_the_parent,
    };
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    a_socket = sockets[0];
    for (size_t i = 0; !IS_SANITIZED && i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        assert_true(can_after(enter_nothing, deeds[i]));
        assert_false(can(deeds[i]));
        assert_true(!has_landlock() || !can_after(enter_for_a_program, deeds[i]));
    }
    close(sockets[0]);
    close(sockets[1]);
}

static void a_program_of_others_gets_what_is_usual(void **state)
{
    (void)state;
    if (has_landlock()) {
        assert_true(can_after(enter_for_a_program, tell_descriptors_what_is_usual));
    }
}

static void memory_ends_somewhere(void **state)
{
    (void)state;
    assert_true(IS_SANITIZED || can_after(enter_nothing, allocate_5_gib));
    assert_true(IS_SANITIZED || can_after(weir_sandbox_enter, allocate_1_gib));
    assert_true(IS_SANITIZED || !can_after(weir_sandbox_enter, allocate_3_gib));
    if (has_landlock() && !IS_SANITIZED) {
        assert_true(can_after(enter_for_a_program, allocate_3_gib));
        assert_false(can_after(enter_for_a_program, allocate_5_gib));
    }
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
        cmocka_unit_test(no_signal_goes_to_others),
        cmocka_unit_test(a_program_of_others_gets_what_is_usual),
        cmocka_unit_test(memory_ends_somewhere),
        cmocka_unit_test(who_has_no_device_is_killed_for_trying),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
