/* SPDX-License-Identifier: Apache-2.0 */
/*
 * So many questions are worked on at once, of a camera and of a tenant a share of them
 * (lib/domain/fair.h): those that are slow to answer leave threads for the others. Who has no turn
 * waits without a thread. Any thread.
 *
 *     switch (turns_ask(turns, &turn, &tenant_id, &camera_id)) {
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

#include "lib/domain/fair.h"

struct turns;

/* Of the caller, who keeps it until turns_end; zeroed at first. All of it is turns.c's. */
struct turn {
    struct weir_fair_place place;
    uint64_t token;
};

/* Called with a lock held: it must not call back. */
typedef void turns_wake_fn(void *ctx, uint64_t token);

struct turns *turns_new(const struct weir_fair_limits *limits, turns_wake_fn *wake, void *ctx);
void turns_free(struct turns *turns); /* all turns have ended; NULL is fine */

enum turns_verdict { TURNS_NOW, TURNS_WAIT, TURNS_FULL };
enum turns_verdict turns_ask(struct turns *turns, struct turn *turn,
                             const struct weir_id *tenant_id, const struct weir_id *camera_id);

/* After TURNS_WAIT: what `wake` is called with; at once when the turn has come meanwhile. */
void turns_wait(struct turns *turns, struct turn *turn, uint64_t token);
bool turns_has(struct turns *turns, const struct turn *turn);

/* It worked, or waits no more; the next one has its turn. One that ended already is fine. */
void turns_end(struct turns *turns, struct turn *turn);

#endif
