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

#endif
