/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

#define CHANNEL_FD 3

/* Sixteen reference pictures of the largest size there may be are less; with those of a decoder
 * that is parked (worker/decode/course.h) too. */
#define MEMORY_MAX (2UL << 30)

/* Pipes to it, and those that it opens to load itself. */
#define OTHERS_FILES 64

/* Of a driver: its devices, what it shares memory by. Address space is not memory to it. */
#define DEVICE_FILES_MAX 256
#define FILE_MAX         (256UL << 20)

/* As pthread_create has it: the same process, and no other. */
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

static bool limit(int what, rlim_t value)
{
    struct rlimit both = {value, value};
    return setrlimit((__rlimit_resource_t)what, &both) == 0;
}

static bool set_limits(void)
{
    /* Descriptors 0 to 3 are there, and no other one can be opened. */
    return limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NOFILE, 4) &&
           limit(RLIMIT_AS, MEMORY_MAX);
}

/* What every program here needs. */
static const int plain_calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(poll), /* of descriptors that it has */
    SCMP_SYS(ppoll),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(brk),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(getrandom),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(sched_yield),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(sched_getaffinity),
};

/* What drivers need beside that. clone3 is refused, for its flags cannot be seen: libc falls back
 * to clone. */
static const int device_calls[] = {
    SCMP_SYS(write), /* to events and pipes of its own; no log is behind any descriptor */
    SCMP_SYS(close),           SCMP_SYS(close_range),    SCMP_SYS(dup),
    SCMP_SYS(fstat),           SCMP_SYS(newfstatat),     SCMP_SYS(statx),
    SCMP_SYS(access),          SCMP_SYS(faccessat2),     SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),      SCMP_SYS(getdents64),     SCMP_SYS(lseek),
    SCMP_SYS(pread64),         SCMP_SYS(readv),          SCMP_SYS(select),
    SCMP_SYS(pselect6),        SCMP_SYS(epoll_create1),  SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),      SCMP_SYS(epoll_pwait),    SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2),           SCMP_SYS(memfd_create),   SCMP_SYS(ftruncate),
    SCMP_SYS(set_robust_list), SCMP_SYS(rseq),           SCMP_SYS(rt_sigaction),
    SCMP_SYS(sigaltstack),     SCMP_SYS(nanosleep),      SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_getres),    SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler),
    SCMP_SYS(sysinfo),         SCMP_SYS(uname),          SCMP_SYS(getuid),
    SCMP_SYS(geteuid),         SCMP_SYS(getgid),         SCMP_SYS(getegid),
    SCMP_SYS(getcpu),          SCMP_SYS(mlock),          SCMP_SYS(munlock),
    SCMP_SYS(membarrier),      SCMP_SYS(mincore),
};

static int allow_all(scmp_filter_ctx filter, const int *calls, size_t n)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < n; i++) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    }
    return code;
}

/* abort() of its own, and nobody else's end. */
static int allow_own_end(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                            SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
}

/* Not: who is sent which signal when a descriptor of its own can be read (F_SETOWN, F_SETSIG and
 * O_ASYNC), which is a way to end any process of the same user. */
static int allow_fcntl(scmp_filter_ctx filter)
{
    static const scmp_datum_t commands[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL};
    int code =
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 2, SCMP_A1(SCMP_CMP_EQ, F_SETFL),
                         SCMP_A2(SCMP_CMP_MASKED_EQ, O_ASYNC, 0));
    for (size_t i = 0; code == 0 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                                SCMP_A1(SCMP_CMP_EQ, commands[i]));
    }
    return code;
}

/* What drivers' devices are asked. Neither terminals (0x54), which have FIOASYNC too, nor sockets
 * (0x89): the same signals to others. */
static int allow_ioctl(scmp_filter_ctx filter)
{
    static const scmp_datum_t types[] = {
        0,   /* NVIDIA's unified memory */
        'F', /* NVIDIA */
        'm', /* its screens */
        'd', /* DRM */
        'V', /* V4L2 */
        '|', /* its media devices */
        'b', /* buffers that devices share */
        '>', /* when they are done with these */
    };
    int code = 0;
    for (size_t i = 0; code == 0 && i < sizeof(types) / sizeof(types[0]); i++) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, types[i] << 8));
    }
    return code;
}

/* Memory, but none to run. */
static int allow_memory(scmp_filter_ctx filter)
{
    int code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                                SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return code != 0 ? code
                     : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                        SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

static int allow(scmp_filter_ctx filter)
{
    int code = allow_all(filter, plain_calls, sizeof(plain_calls) / sizeof(plain_calls[0]));
    /* Said on the channel; no log can be forged. */
    if (code == 0) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
                                SCMP_A0(SCMP_CMP_EQ, CHANNEL_FD));
    }
    if (code == 0) {
        code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EBADF), SCMP_SYS(write), 1,
                                SCMP_A0(SCMP_CMP_NE, CHANNEL_FD));
    }
    if (code == 0) {
        code = allow_own_end(filter);
    }
    return code == 0 ? allow_memory(filter) : code;
}

/* ---- who speaks to a device ---- */

static int allow_device(scmp_filter_ctx filter)
{
    int code = allow_all(filter, plain_calls, sizeof(plain_calls) / sizeof(plain_calls[0]));
    if (code == 0) {
        code = allow_all(filter, device_calls, sizeof(device_calls) / sizeof(device_calls[0]));
    }
    if (code == 0) {
        code = allow_own_end(filter);
    }
    if (code == 0) {
        code = allow_fcntl(filter);
    }
    if (code == 0) {
        code = allow_ioctl(filter);
    }
    /* Where the thread that asks runs, and no other one. */
    if (code == 0) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sched_setaffinity), 1,
                                SCMP_A0(SCMP_CMP_EQ, 0));
    }
    if (code == 0) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                SCMP_A0(SCMP_CMP_MASKED_EQ, THREAD_FLAGS, THREAD_FLAGS));
    }
    if (code == 0) {
        code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    }
    /* To ask for limits, not to set them; a name for a thread. */
    if (code == 0) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
                                SCMP_A2(SCMP_CMP_EQ, 0));
    }
    if (code == 0) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                                SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    }
    return code == 0 ? allow_memory(filter) : code;
}

static int allow_device_and_files(scmp_filter_ctx filter)
{
    int code = allow_device(filter);
    return code == 0 ? seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 0) : code;
}

/* From linux/landlock.h as of the newest kernels; a build host's may be older than the kernel. */
struct ruleset {
    uint64_t files;
    uint64_t net;
    uint64_t scopes;
};

#define NET_TCP 3ULL /* bind, connect */
#define SCOPES  3ULL /* abstract sockets, signals: those of its own alone */

/* Below 1: there is none. */
static long landlock_version(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* Refuses these rights over files, and of the rest all that this kernel can. */
static int make_rules(long version, uint64_t files)
{
    struct ruleset set = {.files = files, .net = NET_TCP, .scopes = SCOPES};
    size_t size = version >= 6   ? sizeof(set)
                  : version >= 4 ? offsetof(struct ruleset, scopes)
                                 : offsetof(struct ruleset, net);
    return (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
}

#define READ_ACCESS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define USE_ACCESS  (READ_ACCESS | LANDLOCK_ACCESS_FS_WRITE_FILE)
/* All that the first version of Landlock knows: bits 0 to 12. */
#define ALL_ACCESS ((1ULL << 13) - 1)

struct path {
    const char *pattern; /* as of glob */
    uint64_t access;
};

/* Segments and rings of cameras are below /dev too, so its devices are named. */
static const struct path device_paths[] = {
    {"/dev", LANDLOCK_ACCESS_FS_READ_DIR}, /* to look for devices, not into them */
    {"/dev/dri", USE_ACCESS},
    {"/dev/nvidia*", USE_ACCESS},
    {"/dev/video*", USE_ACCESS},
    {"/dev/media*", USE_ACCESS},
    {"/dev/null", USE_ACCESS},
    {"/proc/driver", READ_ACCESS},
    {"/sys/dev", READ_ACCESS},
    {"/sys/devices", READ_ACCESS},
    {"/usr/lib", READ_ACCESS},
    {"/usr/share/drirc.d", READ_ACCESS},
    {"/usr/share/libdrm", READ_ACCESS},
};

static bool allow_path(int ruleset, const char *path, uint64_t access)
{
    struct stat found;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &found) != 0) {
        return fd < 0; /* it is not there */
    }
    uint64_t of_files = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
    struct landlock_path_beneath_attr rule = {
        .allowed_access = S_ISDIR(found.st_mode) ? access : access & of_files,
        .parent_fd = fd,
    };
    bool is_good =
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    close(fd);
    return is_good;
}

static bool allow_paths(int ruleset, const struct path *path)
{
    glob_t found = {0};
    bool is_good = true;
    if (glob(path->pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; is_good && i < found.gl_pathc; i++) {
            is_good = allow_path(ruleset, found.gl_pathv[i], path->access);
        }
    }
    globfree(&found);
    return is_good;
}

/* False: the kernel has no Landlock, or one that refuses. */
static bool limit_paths(void)
{
    int ruleset = make_rules(landlock_version(), ALL_ACCESS);
    bool is_good = ruleset >= 0;
    for (size_t i = 0; is_good && i < sizeof(device_paths) / sizeof(device_paths[0]); i++) {
        is_good = allow_paths(ruleset, &device_paths[i]);
    }
    is_good = is_good && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    if (ruleset >= 0) {
        close(ruleset);
    }
    return is_good;
}

/* Nothing of a log or a terminal stays. */
static bool turn_away(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool is_good = null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
                   dup2(null, STDERR_FILENO) >= 0;
    if (null > STDERR_FILENO) {
        close(null);
    }
    return is_good;
}

static bool set_device_limits(void)
{
    return turn_away() && limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, FILE_MAX) &&
           limit(RLIMIT_NOFILE, DEVICE_FILES_MAX);
}

typedef int allow_fn(scmp_filter_ctx filter);

static enum weir_code shut(allow_fn *fn, uint32_t otherwise, struct weir_err *err)
{
    scmp_filter_ctx filter = seccomp_init(otherwise);
    int code = filter ? fn(filter) : -ENOMEM;
    if (code == 0) {
        code = seccomp_load(filter);
    }
    seccomp_release(filter);
    return code == 0 ? WEIR_OK : weir_fail(err, WEIR_EUNAVAILABLE, "seccomp: %s", strerror(-code));
}

enum weir_code weir_sandbox_enter(struct weir_err *err)
{
    if (IS_SANITIZED) {
        return WEIR_OK;
    }
    if (!set_limits() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return weir_fail(err, WEIR_EUNAVAILABLE, "limits: %s", strerror(errno));
    }
    return shut(allow, SCMP_ACT_KILL_PROCESS, err);
}

enum weir_code weir_sandbox_enter_device(struct weir_err *err)
{
    if (IS_SANITIZED) {
        return WEIR_OK;
    }
    if (!set_device_limits() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return weir_fail(err, WEIR_EUNAVAILABLE, "limits: %s", strerror(errno));
    }
    return shut(limit_paths() ? allow_device_and_files : allow_device, SCMP_ACT_ERRNO(EPERM), err);
}

/* ---- a program of others ---- */

#define FILE_EXECUTE (1ULL << 0)
#define FILE_READ    (1ULL << 2)
#define FOLDER_READ  (1ULL << 3)
#define PATH_BYTES   4096

/* All rights over files that the kernel knows, by its version of Landlock. */
static uint64_t all_rights(long version)
{
    unsigned n = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13;
    return (1ULL << n) - 1;
}

/* What is not there needs no rule. */
static bool let(int rules, const char *path, uint64_t rights)
{
    struct {
        uint64_t rights;
        int32_t fd;
    } __attribute__((packed)) beneath = {rights, open(path, O_PATH | O_CLOEXEC)};
    if (beneath.fd < 0) {
        return errno == ENOENT || errno == ENOTDIR;
    }
    struct stat stat;
    bool is_folder = fstat(beneath.fd, &stat) == 0 && S_ISDIR(stat.st_mode);
    beneath.rights &= is_folder ? UINT64_MAX : ~FOLDER_READ;
    bool is_good =
        syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0;
    close(beneath.fd);
    return is_good;
}

/* Libraries that were installed with a program: ../lib, as it is seen from there. */
static bool let_own(int rules, const char *program)
{
    char path[PATH_BYTES];
    const char *name = strrchr(program, '/');
    if (name == NULL || name == program ||
        name - program + (ptrdiff_t)sizeof("/../lib") > PATH_BYTES) {
        return true;
    }
    memcpy(path, program, (size_t)(name - program));
    memcpy(path + (name - program), "/../lib", sizeof("/../lib"));
    return let(rules, path, FILE_READ | FOLDER_READ);
}

/* Libraries hold the one that loads the others, which the kernel runs; other programs are beside
 * them, not in them. */
static bool let_all(int rules, const char *program)
{
    static const char *const libraries[] = {"/lib", "/lib64", "/usr/lib", "/usr/lib64"};
    static const char *const others[] = {"/usr/local/lib", "/nix/store", "/etc/ld.so.cache"};
    bool is_good = let(rules, program, FILE_EXECUTE | FILE_READ) && let_own(rules, program);
    for (size_t i = 0; is_good && i < sizeof(libraries) / sizeof(libraries[0]); i++) {
        is_good = let(rules, libraries[i], FILE_EXECUTE | FILE_READ | FOLDER_READ);
    }
    for (size_t i = 0; is_good && i < sizeof(others) / sizeof(others[0]); i++) {
        is_good = let(rules, others[i], FILE_READ | FOLDER_READ);
    }
    return is_good;
}

static bool shut_files(const char *program)
{
    long version = landlock_version();
    if (version < 1) {
        return false;
    }
    int rules = make_rules(version, all_rights(version));
    bool is_good =
        rules >= 0 && let_all(rules, program) && syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    if (rules >= 0) {
        int error = errno;
        close(rules);
        errno = error;
    }
    return is_good;
}

/* What it takes to start a program, to load its libraries, and to compute with threads. */
static const int program_calls[] = {
    SCMP_SYS(execve),
    SCMP_SYS(arch_prctl),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(getrlimit),
    SCMP_SYS(openat),
    SCMP_SYS(open),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getdents64),
    SCMP_SYS(lseek),
    SCMP_SYS(pread64),
    SCMP_SYS(readv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(mmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(dup),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_getres),
    SCMP_SYS(getrusage),
    SCMP_SYS(times),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    SCMP_SYS(getcwd),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getppid),
    SCMP_SYS(membarrier),
    SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler),
};

static int allow_program(scmp_filter_ctx filter)
{
    int code = allow_all(filter, plain_calls, sizeof(plain_calls) / sizeof(plain_calls[0]));
    if (code == 0) {
        code = allow_all(filter, program_calls, sizeof(program_calls) / sizeof(program_calls[0]));
    }
    /* Its own end, and its own limits. */
    if (code == 0) {
        code = allow_own_end(filter);
    }
    if (code == 0) {
        code = allow_fcntl(filter);
    }
    if (code == 0) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
                                SCMP_A0(SCMP_CMP_EQ, 0));
    }
    /* A thread, and no process; the other call for that cannot be looked into. */
    if (code == 0) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    }
    return code == 0 ? seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) : code;
}

static bool set_program_limits(void)
{
    return limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NOFILE, OTHERS_FILES) &&
           limit(RLIMIT_AS, 2 * MEMORY_MAX);
}

enum weir_code weir_sandbox_enter_for(const char *program, struct weir_err *err)
{
    if (IS_SANITIZED) {
        return WEIR_OK;
    }
    if (!set_program_limits() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return weir_fail(err, WEIR_EUNAVAILABLE, "limits: %s", strerror(errno));
    }
    if (!shut_files(program)) {
        return weir_fail(err, WEIR_EUNAVAILABLE, "Landlock: %s", strerror(errno));
    }
    return shut(allow_program, SCMP_ACT_ERRNO(EPERM), err);
}
