/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/waker.h"

static void call(void *ctx)
{
    struct waker *waker = ctx;
    /* Before the call: what comes during it must not be lost. */
    atomic_flag_clear(&waker->is_posted);
    waker->fn(waker->ctx);
}

void waker_init(struct waker *waker, struct weir_loop *loop, weir_loop_fn *fn, void *ctx)
{
    waker->loop = loop;
    waker->fn = fn;
    waker->ctx = ctx;
    atomic_flag_clear(&waker->is_posted);
}

void waker_wake(void *ctx)
{
    struct waker *waker = ctx;
    if (!atomic_flag_test_and_set(&waker->is_posted)) {
        weir_loop_post(waker->loop, call, waker);
    }
}
