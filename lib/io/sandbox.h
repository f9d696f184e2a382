/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shuts the door behind a decoder: from here on this process computes, reads and writes descriptors
 * that it has, and nothing else. No file, no socket, no process, no executable memory; whatever
 * else is tried kills it at once. Its parent's end kills it too (lib/io/process.h).
 *
 * A build with sanitizers, whose runtime wants more than that, is not shut in.
 */
#ifndef WEIR_IO_SANDBOX_H
#define WEIR_IO_SANDBOX_H

#include "lib/base/err.h"

/* Before the first outside byte is read. WEIR_EUNAVAILABLE when the kernel refuses: then nothing
 * may be decoded here. */
WEIR_MUST_USE enum weir_code weir_sandbox_enter(struct weir_err *err);

/*
 * The same for a program of others that this process becomes right after it, and that still has to
 * load its libraries: it may read system folders of programs and libraries, run nothing but itself,
 * write into descriptors that it has, and make threads. No socket, no other file, no process, no
 * signal to others. What else is tried fails; it is not killed, for a library that asks for more
 * than it needs is no attack.
 *
 * `program` absolute. WEIR_EUNAVAILABLE when the kernel refuses, or has no Landlock (5.13 and later
 * have it, where it was not left out).
 */
WEIR_MUST_USE enum weir_code weir_sandbox_enter_for(const char *program, struct weir_err *err);

/*
 * The same for who speaks to a graphics device that it has opened: its driver may have threads,
 * memory of any size, pipes, ioctl of such devices, and open devices for video, drivers' libraries
 * and what the kernel says of devices; nothing else of the file system (Landlock; where the kernel
 * has none, no file at all). No socket, no other program, no other process, no signal to others,
 * also not by way of a descriptor's owner (F_SETOWN); descriptors 0 to 2 become /dev/null. What
 * else it asks for is refused and does not kill: drivers try much and do without.
 */
WEIR_MUST_USE enum weir_code weir_sandbox_enter_device(struct weir_err *err);

#endif
