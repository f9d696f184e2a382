/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control channel to weir-worker: JSON lines (weir_ctl_*) both ways over one descriptor.
 * When weir-worker goes away the origin has nobody to serve for, and `on_end` is called.
 */
#ifndef WEIR_WORKER_ORIGIN_CONTROL_H
#define WEIR_WORKER_ORIGIN_CONTROL_H

#include "lib/domain/events.h"
#include "lib/service/loop.h"

struct control;

struct control_config {
    struct weir_loop *loop;
    int fd;
    void (*on_line)(void *ctx, const struct weir_ctl *ctl); /* `ctl` lives during the call */
    void (*on_end)(void *ctx);
    void *ctx;
};

/* WEIR_EINVAL when the descriptor is no stream socket. Makes it non-blocking. */
WEIR_MUST_USE enum weir_code control_open(const struct control_config *config, struct control **ret,
                                          struct weir_err *err);
void control_close(struct control **control);

/* Queues a line. A reader that does not read counts as gone. */
void control_say(struct control *control, const struct weir_ctl *ctl);

#endif
