/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

#define CHANNEL_FD 3

/* Sixteen reference pictures of the largest size there may be are less. */
#define MEMORY_MAX (2UL << 30)

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

static int allow(scmp_filter_ctx filter)
{
    static const int calls[] = {
        SCMP_SYS(read),
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
    int code = 0;
    for (size_t i = 0; code == 0 && i < sizeof(calls) / sizeof(calls[0]); i++) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    }
    /* Said on the channel; no log can be forged. */
    if (code == 0) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
                                SCMP_A0(SCMP_CMP_EQ, CHANNEL_FD));
    }
    if (code == 0) {
        code = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EBADF), SCMP_SYS(write), 1,
                                SCMP_A0(SCMP_CMP_NE, CHANNEL_FD));
    }
    /* abort() of its own, and nobody else's end. */
    if (code == 0) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    }
    /* Memory, but none to run. */
    if (code == 0) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                                SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    }
    if (code == 0) {
        code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    }
    return code;
}

enum weir_code weir_sandbox_enter(struct weir_err *err)
{
    if (IS_SANITIZED) {
        return WEIR_OK;
    }
    if (!set_limits() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return weir_fail(err, WEIR_EUNAVAILABLE, "limits: %s", strerror(errno));
    }
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int code = filter ? allow(filter) : -ENOMEM;
    if (code == 0) {
        code = seccomp_load(filter);
    }
    seccomp_release(filter);
    return code == 0 ? WEIR_OK : weir_fail(err, WEIR_EUNAVAILABLE, "seccomp: %s", strerror(-code));
}
