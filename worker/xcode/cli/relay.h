/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speaks lib/domain/xcode.h to the tap as weir-xcode does, and has an ffmpeg do the work.
 *
 * What an ffmpeg makes is fixed by its command line. So a new rendition, a changed one and a FLUSH
 * make the one that runs end, once it has worked off what it has, and another one begin at the next
 * key unit. Until then a rendition goes on as it was; one that is new waits. One that nobody wants
 * any more is made until then, and thrown away.
 */
#ifndef WEIR_WORKER_XCODE_CLI_RELAY_H
#define WEIR_WORKER_XCODE_CLI_RELAY_H

#include "worker/xcode/cli/child.h"

struct relay;

/* `fd`, the channel, is made non-blocking; `programs` outlives this. */
struct relay *relay_new(int fd, const struct child_programs *programs);
void relay_free(struct relay **relay); /* with its ffmpeg; sets NULL; NULL is fine */

/* Waits until something can be done and does it. False when the tap is gone (then `err` is empty),
 * or said what is no message, or ffmpeg ended. */
bool relay_turn(struct relay *relay, struct weir_err *err);

#endif
