/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHANNEL_FD 3
/* Above every descriptor number that is handed out to the child. */
#define SAFE_FD (CHANNEL_FD + WEIR_PROCESS_FDS_MAX)

/* What the child says over the status pipe when it cannot become the program. */
enum step { STEP_SETUP, STEP_CWD, STEP_EXEC };
struct failure {
    enum step step;
    int error;
};

/* Both ends of what the child is connected by; -1 where there is none. */
struct wires {
    int status[2];
    int channel[2];
    int output[2];
};

static void close_fd(int *fd)
{
    if (*fd > 0) {
        close(*fd);
    }
    *fd = -1;
}

static void wires_done(struct wires *wires)
{
    for (int end = 0; end < 2; end++) {
        close_fd(&wires->status[end]);
        close_fd(&wires->channel[end]);
        close_fd(&wires->output[end]);
    }
}

static bool wires_init(const struct weir_process_spec *spec, struct wires *wires)
{
    if (pipe2(wires->status, O_CLOEXEC) < 0) {
        return false;
    }
    if (spec->has_channel &&
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wires->channel) < 0) {
        return false;
    }
    return !spec->has_output || pipe2(wires->output, O_CLOEXEC) == 0;
}

static bool set_nonblocking(int fd)
{
    return fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

/* ---- in the child, between fork and exec: async-signal-safe calls only ---- */

static void reset_signals(void)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    for (int sig = 1; sig < NSIG; sig++) {
        sigaction(sig, &dfl, NULL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Moved up first, so that no dup2 overwrites one that is still needed. */
static bool move_up(const struct weir_process_spec *spec, int *ret)
{
    bool is_good = spec->n_fds <= WEIR_PROCESS_FDS_MAX;
    for (size_t i = 0; is_good && i < spec->n_fds; i++) {
        ret[i] = fcntl(spec->fds[i], F_DUPFD, SAFE_FD);
        is_good = ret[i] >= 0;
    }
    return is_good;
}

static bool connect_wires(const struct weir_process_spec *spec, const struct wires *wires)
{
    int fds[WEIR_PROCESS_FDS_MAX];
    int in = spec->stdin_fd > 0 ? fcntl(spec->stdin_fd, F_DUPFD, SAFE_FD)
                                : open("/dev/null", O_RDWR | O_CLOEXEC);
    int channel = wires->channel[1] < 0 ? -1 : fcntl(wires->channel[1], F_DUPFD, SAFE_FD);
    int output = wires->output[1] < 0 ? -1 : fcntl(wires->output[1], F_DUPFD, SAFE_FD);
    if (in < 0 || !move_up(spec, fds) || dup2(in, STDIN_FILENO) < 0) {
        return false;
    }
    if (output >= 0 && (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)) {
        return false;
    }
    unsigned first = CHANNEL_FD;
    if (channel >= 0) {
        if (dup2(channel, CHANNEL_FD) < 0) {
            return false;
        }
        first++;
    }
    for (size_t i = 0; i < spec->n_fds; i++, first++) {
        if (dup2(fds[i], (int)first) < 0) {
            return false;
        }
    }
    return close_range(first, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

static bool become_own_group(pid_t parent)
{
    if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
        return false;
    }
    /* The parent may have died before the line above took effect. */
    if (getppid() != parent) {
        errno = ESRCH;
        return false;
    }
    return true;
}

static void report(int status_fd, enum step step)
{
    struct failure failure = {step, errno};
    ssize_t n = write(status_fd, &failure, sizeof(failure));
    _exit(n == (ssize_t)sizeof(failure) ? 127 : 126);
}

static void run_child(const struct weir_process_spec *spec, const struct wires *wires, pid_t parent)
{
    static char *const no_env[] = {NULL};
    int status_fd = fcntl(wires->status[1], F_DUPFD_CLOEXEC, SAFE_FD);
    reset_signals();
    if (!become_own_group(parent) || !connect_wires(spec, wires)) {
        report(status_fd, STEP_SETUP);
    }
    errno = 0;
    if (spec->nice && nice(spec->nice) == -1 && errno) {
        report(status_fd, STEP_SETUP);
    }
    if (spec->cwd && chdir(spec->cwd) < 0) {
        report(status_fd, STEP_CWD);
    }
    char *const *env = spec->env ? (char *const *)(uintptr_t)spec->env : no_env;
    execve(spec->path, (char *const *)(uintptr_t)spec->argv, env);
    report(status_fd, STEP_EXEC);
}

/* ---- in the parent ---- */

/* Waits for the status pipe to close (exec worked) or to tell what failed. */
static bool has_failed(int status_fd, struct failure *ret)
{
    ssize_t n;
    do {
        n = read(status_fd, ret, sizeof(*ret));
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(*ret);
}

static enum weir_code fail_start(const struct weir_process_spec *spec,
                                 const struct failure *failure, struct weir_err *err)
{
    bool is_absent = failure->error == ENOENT || failure->error == ENOTDIR;
    enum weir_code code = failure->step != STEP_SETUP && is_absent ? WEIR_ENOTFOUND
                          : failure->error == EACCES               ? WEIR_EFORBIDDEN
                                                                   : WEIR_EIO;
    const char *what = failure->step == STEP_CWD ? "working directory" : "program";
    const char *path = failure->step == STEP_CWD ? spec->cwd : spec->path;
    return weir_fail(err, code, "cannot start: %s %s: %s", what, path, strerror(failure->error));
}

enum weir_code weir_process_find(const char *path, struct weir_err *err)
{
    struct stat stat_of;
    if (path[0] != '/') {
        return weir_fail(err, WEIR_EINVAL, "\"%s\" is not the absolute path of a program", path);
    }
    int error = stat(path, &stat_of) != 0   ? errno
                : !S_ISREG(stat_of.st_mode) ? EACCES
                : access(path, X_OK) != 0   ? errno
                                            : 0;
    if (error == 0) {
        return WEIR_OK;
    }
    enum weir_code code = error == ENOENT || error == ENOTDIR ? WEIR_ENOTFOUND
                          : error == EACCES                   ? WEIR_EFORBIDDEN
                                                              : WEIR_EIO;
    return weir_fail(err, code, "program %s cannot be run: %s", path, strerror(error));
}

enum weir_code weir_process_start(const struct weir_process_spec *spec, struct weir_process *ret,
                                  struct weir_err *err)
{
    struct wires wires WEIR_CLEANUP(wires_done) = {{-1, -1}, {-1, -1}, {-1, -1}};
    if (!wires_init(spec, &wires) || !set_nonblocking(wires.channel[0]) ||
        !set_nonblocking(wires.output[0])) {
        return weir_fail(err, WEIR_EIO, "cannot start %s: %s", spec->path, strerror(errno));
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        return weir_fail(err, WEIR_EIO, "cannot start %s: %s", spec->path, strerror(errno));
    }
    if (pid == 0) {
        run_child(spec, &wires, parent);
        _exit(126);
    }
    close_fd(&wires.status[1]);
    struct failure failure = {STEP_SETUP, 0};
    bool failed = has_failed(wires.status[0], &failure);
    int pidfd = failed ? -1 : pidfd_open(pid, 0);
    if (!failed && pidfd < 0) {
        failed = true;
        failure = (struct failure){STEP_SETUP, errno};
    }
    if (failed) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return fail_start(spec, &failure, err);
    }
    *ret = (struct weir_process){
        .pid = pid, .pidfd = pidfd, .channel_fd = wires.channel[0], .output_fd = wires.output[0]};
    wires.channel[0] = -1;
    wires.output[0] = -1;
    return WEIR_OK;
}

void weir_process_signal(const struct weir_process *process, int sig)
{
    if (process->pid > 0) {
        kill(-process->pid, sig);
    }
}

/* Looks before it collects: until then the group's number cannot be given to somebody else. */
static bool collect(struct weir_process *process, int flags, int *ret_status)
{
    siginfo_t info = {0};
    int rc;
    do {
        rc = waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOWAIT | flags);
    } while (rc < 0 && errno == EINTR);
    if (rc == 0 && info.si_pid == 0) {
        return false;
    }
    kill(-process->pid, SIGKILL);
    waitpid(process->pid, ret_status, 0);
    process->pid = 0;
    return true;
}

bool weir_process_reap(struct weir_process *process, int *ret_status)
{
    return process->pid > 0 && collect(process, WNOHANG, ret_status);
}

/* utime to cstime, which are the 14th to the 17th field; the second may hold anything. */
static int64_t own_cpu_us(const char *path)
{
    char text[1024];
    FILE *file = fopen(path, "re");
    if (!file) {
        return 0;
    }
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    long ticks[4] = {0};
    const char *at = strrchr(text, ')');
    int n = at ? sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %ld %ld",
                        &ticks[0], &ticks[1], &ticks[2], &ticks[3])
               : 0;
    long a_second = sysconf(_SC_CLK_TCK);
    int64_t all = (int64_t)ticks[0] + ticks[1] + ticks[2] + ticks[3];
    return n == 4 && a_second > 0 ? all * 1000000 / a_second : 0;
}

int64_t weir_process_cpu_us(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    int64_t all_us = pid > 0 ? own_cpu_us(path) : 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *children = pid > 0 ? fopen(path, "re") : NULL;
    if (!children) {
        return all_us;
    }
    int child = 0;
    while (fscanf(children, "%d", &child) == 1) {
        snprintf(path, sizeof(path), "/proc/%d/stat", child);
        all_us += own_cpu_us(path);
    }
    fclose(children);
    return all_us;
}

void weir_process_done(struct weir_process *process)
{
    if (process->pid > 0) {
        int status = 0;
        kill(-process->pid, SIGKILL);
        collect(process, 0, &status);
    }
    close_fd(&process->pidfd);
    close_fd(&process->channel_fd);
    close_fd(&process->output_fd);
}

const char *weir_process_status_text(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status)) {
        const char *name = sigdescr_np(WTERMSIG(status));
        snprintf(text, size, "signal %d (%s)", WTERMSIG(status), name ? name : "unknown");
    } else {
        snprintf(text, size, "exit status %d", WEXITSTATUS(status));
    }
    return text;
}
