/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of a daemon: one thread owns it and all state; epoll for descriptors, timers on the
 * monotonic clock, and a mailbox into which other threads post work.
 *
 *     struct weir_loop *loop = weir_loop_new();
 *     weir_loop_watch(loop, fd, WEIR_LOOP_IN, on_readable, conn);
 *     struct weir_timer *tick = weir_timer_new(loop, on_tick, self);
 *     weir_timer_set(tick, 1000);                    once, in one second
 *     weir_loop_run(loop);                           until weir_loop_stop
 */
#ifndef WEIR_SERVICE_LOOP_H
#define WEIR_SERVICE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"

#define WEIR_LOOP_IN  1U
#define WEIR_LOOP_OUT 2U
#define WEIR_LOOP_HUP 4U /* always reported */

struct weir_loop;
struct weir_timer;

typedef void weir_loop_fd_fn(void *ctx, unsigned events);
typedef void weir_loop_fn(void *ctx);

struct weir_loop *weir_loop_new(void);
void weir_loop_free(struct weir_loop *loop); /* NULL is fine; watches and timers go with it */

/* Runs until weir_loop_stop. */
void weir_loop_run(struct weir_loop *loop);
/* From any thread. */
void weir_loop_stop(struct weir_loop *loop);

/* Watches a descriptor (not owned); a second call changes events and function. */
void weir_loop_watch(struct weir_loop *loop, int fd, unsigned events, weir_loop_fd_fn *fn,
                     void *ctx);
/* Before closing the descriptor. No call comes after it returned, not even one already pending. */
void weir_loop_unwatch(struct weir_loop *loop, int fd);

/* One-shot timers, off when made. */
struct weir_timer *weir_timer_new(struct weir_loop *loop, weir_loop_fn *fn, void *ctx);
void weir_timer_set(struct weir_timer *timer, int64_t delay_ms); /* >= 0; moves a running one */
void weir_timer_clear(struct weir_timer *timer);
bool weir_timer_is_set(const struct weir_timer *timer);
void weir_timer_free(struct weir_timer **timer); /* sets NULL; NULL is fine */

/* Runs fn(ctx) on the loop's thread soon. From any thread; order is kept; never blocks. */
void weir_loop_post(struct weir_loop *loop, weir_loop_fn *fn, void *ctx);
/*
 * Takes back every post of fn(ctx) that has not run; on the loop's thread, or when the loop runs no
 * more. Before `ctx` is freed, once nobody posts it any more: a loop that has ended drops its
 * posts, so none of them can be left to free what it was given.
 */
void weir_loop_unpost(struct weir_loop *loop, weir_loop_fn *fn, const void *ctx);

#endif
