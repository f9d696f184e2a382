/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns a library thread's "something is waiting" into one call on the loop: further ones before
 * that call are folded into it.
 */
#ifndef WEIR_WORKER_WAKER_H
#define WEIR_WORKER_WAKER_H

#include <stdatomic.h>

#include "lib/service/loop.h"

struct waker {
    struct weir_loop *loop;
    weir_loop_fn *fn;
    void *ctx;
    atomic_flag is_posted;
};

void waker_init(struct waker *waker, struct weir_loop *loop, weir_loop_fn *fn, void *ctx);

/* Any thread; shaped as a weir_bus_wake_fn with the waker as its context. */
void waker_wake(void *waker);

#endif
