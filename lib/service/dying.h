/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children that were killed and did not end yet. SIGKILL does not end a process that a driver holds
 * in the kernel, and who waits for it there stands still with all that it does; so it is collected
 * when it ends, and nobody waits.
 *
 *     struct weir_dying *dying = weir_dying_new(loop);
 *     weir_dying_take(dying, &process);     instead of weir_process_done
 */
#ifndef WEIR_SERVICE_DYING_H
#define WEIR_SERVICE_DYING_H

#include <stddef.h>

#include "lib/io/process.h"
#include "lib/service/loop.h"

struct weir_dying;

struct weir_dying *weir_dying_new(struct weir_loop *loop);

/* Waits for those that are left, at most `most_ms` for all of them; what does not end then is left
 * to init. Sets NULL; NULL is fine. */
void weir_dying_free(struct weir_dying **dying, int64_t most_ms);

/* SIGKILLs the group, closes the descriptors, and collects it once it ended. Safe on a reaped one;
 * `process` is one afterwards. */
void weir_dying_take(struct weir_dying *dying, struct weir_process *process);

/* How many did not end. */
size_t weir_dying_count(const struct weir_dying *dying);

#endif
