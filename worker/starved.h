/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells a process that hangs from one that only gets no turn: on a machine with too much to do,
 * killing the late makes everybody later.
 *
 * A process that is stopped or waits for a lock has no thread that wants to run; one that is late
 * has. One that runs in circles looks late, so whoever asks gives it more time, not for ever.
 */
#ifndef WEIR_WORKER_STARVED_H
#define WEIR_WORKER_STARVED_H

#include <stdbool.h>
#include <sys/types.h>

/* How much longer than usual a late process may take. */
#define STARVED_TIMES 4

/* A thread of the process is running, wants to run, or waits for a disk. */
bool starved_is(pid_t pid);

#endif
