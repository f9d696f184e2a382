/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Child processes that die with their parent.
 *
 * A child gets its own process group, PDEATHSIG SIGKILL, no inherited descriptor but 0-2 and those
 * it was promised, a clean environment, default signals, and (if asked) a control channel on
 * descriptor 3. Credentials travel over that channel or the environment, never in argv.
 *
 * Start children from one long-living thread only: PDEATHSIG follows the thread that forked.
 */
#ifndef WEIR_IO_PROCESS_H
#define WEIR_IO_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/err.h"

#define WEIR_PROCESS_FDS_MAX 40

struct weir_process_spec {
    const char *path;        /* executable, absolute */
    const char *const *argv; /* NULL-terminated, argv[0] first */
    const char *const *env;  /* "NAME=value", NULL-terminated; the whole environment */
    const char *cwd;         /* NULL: the parent's */
    bool has_channel;        /* socketpair (AF_UNIX, SOCK_STREAM) on the child's descriptor 3 */
    bool has_output;         /* pipe for stdout and stderr, read by the parent; else inherited */
    int stdin_fd;            /* of the parent's, to be the child's descriptor 0; 0: /dev/null */
    const int *fds;          /* of the parent's, to be 3, 4... there; not with a channel */
    size_t n_fds;            /* 0..WEIR_PROCESS_FDS_MAX */
    int nice;                /* added to the parent's */
};

struct weir_process {
    pid_t pid;      /* also the process group */
    int pidfd;      /* readable when it exited */
    int channel_fd; /* non-blocking, or -1 */
    int output_fd;  /* non-blocking, or -1 */
};

/* Whether `path` is an absolute one of a file that can be run; WEIR_EINVAL, WEIR_ENOTFOUND,
 * WEIR_EFORBIDDEN and WEIR_EIO say why not. */
WEIR_MUST_USE enum weir_code weir_process_find(const char *path, struct weir_err *err);

/* Waits until exec worked or failed: a missing program is WEIR_ENOTFOUND here. */
WEIR_MUST_USE enum weir_code weir_process_start(const struct weir_process_spec *spec,
                                                struct weir_process *ret, struct weir_err *err);

/* Sends `sig` to the whole group; a dead one is no error. */
void weir_process_signal(const struct weir_process *process, int sig);

/*
 * CPU time so far, us: the process's, that of children that it waited for, and that of those that
 * live. 0 when it is not there, or cannot be told. Source: proc(5), /proc/PID/stat.
 */
int64_t weir_process_cpu_us(pid_t pid);

/* Collects the exit if it happened: *ret_status as from waitpid. Kills what is left of the group.
 */
bool weir_process_reap(struct weir_process *process, int *ret_status);

/* SIGKILLs the group, waits for it, closes the descriptors. Safe on a reaped or zeroed one. */
void weir_process_done(struct weir_process *process);

/* "exit status 1" or "signal 9 (Killed)" into text of at least 64 bytes. */
const char *weir_process_status_text(int status, char *text, size_t size);

#endif
