/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child that is always there: weir-tap and weir-origin. It is spoken to in control lines
 * (weir_ctl_*) over descriptor 3, and started again as soon as it ended: at once the first time,
 * then after 0.5 s, doubling to 10 s, until it stayed up for half a minute.
 *
 * A child that does not read its lines (CHILD_QUEUE_MAX bytes waiting), or says nothing for longer
 * than it ever should, hangs and is killed. Silence is counted in looks of this process, so that
 * one that itself stood still (SIGSTOP, a sleeping machine) blames nobody.
 */
#ifndef WEIR_WORKER_CHILD_H
#define WEIR_WORKER_CHILD_H

#include <stdbool.h>

#include "lib/domain/events.h"
#include "lib/service/loop.h"

#define CHILD_QUEUE_MAX (4U * 1024 * 1024)

struct child;

struct child_config {
    const char *name;       /* for logs; kept */
    const char *path;       /* of the program; kept */
    const char *const *env; /* kept */
    struct weir_loop *loop;
    int64_t silence_max_ms; /* between two lines of it; 0: it need not speak */
    /* It was started, and knows nothing yet: say everything again. */
    void (*on_start)(void *ctx);
    /* A line from it; `ctl` lives during the call. */
    void (*on_line)(void *ctx, const struct weir_ctl *ctl);
    /* It ended; it will be back. */
    void (*on_exit)(void *ctx);
    void *ctx;
};

/* Makes it and starts it on the loop's next turn; call child_send from on_start on. */
struct child *child_new(const struct child_config *config);

/* Sends SIGTERM; it is not started again. */
void child_end(struct child *child);
bool child_is_up(const struct child *child);

/* Kills what is left. NULL is fine. */
void child_free(struct child *child);

/* Queues a line; a child that is down drops it: on_start comes later. */
void child_send(struct child *child, const struct weir_ctl *ctl);

/* How often it was started. */
int64_t child_starts(const struct child *child);

#endif
