/* SPDX-License-Identifier: Apache-2.0 */
/*
 * So many questions of one camera are worked on at once: one that is asked for all the time leaves
 * threads for the others. Who has no turn waits without a thread, first come first served. Any
 * thread.
 *
 *     switch (turns_ask(turns, &turn, &camera_id)) {
 *     case TURNS_NOW:   ... work; turns_end(turns, &turn);
 *     case TURNS_WAIT:  turns_wait(turns, &turn, token);    `wake` is called when it has its turn
 *     case TURNS_FULL:  ... too many wait already
 *     }
 *     if (turns_has(turns, &turn)) ...                      at a wake, or when time is over
 */
#ifndef WEIR_WORKER_STILL_TURNS_H
#define WEIR_WORKER_STILL_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/list.h"
#include "lib/domain/id.h"

struct turns;

/* Of the caller, who keeps it until turns_end; zeroed at first. All of it is turns.c's. */
struct turn {
    struct weir_list node; /* among those who wait */
    struct weir_id camera_id;
    uint64_t token;
    enum { TURN_NONE, TURN_WAITS, TURN_HAS } state;
};

/* Called with a lock held: it must not call back. */
typedef void turns_wake_fn(void *ctx, uint64_t token);

/* `most` of a camera at once, and as many as `waiting_max` of it that wait; both at least 1. */
struct turns *turns_new(size_t most, size_t waiting_max, turns_wake_fn *wake, void *ctx);
void turns_free(struct turns *turns); /* all turns have ended; NULL is fine */

enum turns_verdict { TURNS_NOW, TURNS_WAIT, TURNS_FULL };
enum turns_verdict turns_ask(struct turns *turns, struct turn *turn,
                             const struct weir_id *camera_id);

/* After TURNS_WAIT: what `wake` is called with; at once when the turn has come meanwhile. */
void turns_wait(struct turns *turns, struct turn *turn, uint64_t token);
bool turns_has(struct turns *turns, const struct turn *turn);

/* It worked, or waits no more; the next one has its turn. One that ended already is fine. */
void turns_end(struct turns *turns, struct turn *turn);

#endif
