/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pipe to weir-worker: JSON lines on one descriptor, both ways (lib/domain/events.h, weir_ctl).
 * Nothing here blocks. Lines that cannot be read are logged and left out.
 */
#ifndef WEIR_WORKER_TAP_CONTROL_H
#define WEIR_WORKER_TAP_CONTROL_H

#include "lib/domain/events.h"
#include "lib/service/loop.h"

struct tap_control;

struct tap_control_calls {
    void (*line)(void *ctx, const struct weir_ctl *ctl); /* arrays in it live until it returns */
    void (*closed)(void *ctx);                           /* the worker is gone, or hangs */
};

/* `fd` is not owned; it is made non-blocking. `calls` and `ctx` are kept. */
struct tap_control *tap_control_new(struct weir_loop *loop, int fd,
                                    const struct tap_control_calls *calls, void *ctx);
void tap_control_free(struct tap_control *control); /* NULL is fine */

/* Queues one line. A worker that lets a megabyte pile up counts as gone. */
void tap_control_send(struct tap_control *control, const struct weir_ctl *ctl);

/* Lines are waiting to be read: what is only of the moment may be left out. */
bool tap_control_is_behind(const struct tap_control *control);

#endif
