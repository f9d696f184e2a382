/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the follower: what its reader thread hands to the loop's thread, in order and bounded.
 * The thread waits when the loop is FOLLOWER_PIPE_MAX items behind.
 */
#ifndef WEIR_SERVICE_FOLLOWER_PIPE_H
#define WEIR_SERVICE_FOLLOWER_PIPE_H

#include "lib/base/arena.h"
#include "lib/base/list.h"
#include "lib/domain/ledger.h"
#include "lib/service/loop.h"

#define FOLLOWER_PIPE_MAX 2048

enum follower_item_kind {
    FOLLOWER_ITEM_START, /* a new beginning: `ledger`, `instance`, `epoch`, `why` */
    FOLLOWER_ITEM_DECISION,
    FOLLOWER_ITEM_CAUGHT_UP,
};

struct follower_item {
    struct weir_list node;
    enum follower_item_kind kind;
    struct weir_arena *arena; /* owns the item's texts, raw bytes and event; NULL for none */
    struct weir_ledger *ledger;
    const char *why; /* NULL at the very first start */
    struct weir_id instance;
    int64_t epoch;
    int64_t offset;
    int64_t timestamp_ms;
    bool is_void;
    const struct weir_event *event;
    const void *raw;
    size_t raw_len;
};

struct follower_pipe;

/* `fn` runs on the loop's thread for each item, which is freed after it; a `ledger` that fn wants
 * to keep is taken by setting the field NULL. */
typedef void follower_item_fn(void *ctx, struct follower_item *item);

struct follower_pipe *follower_pipe_new(struct weir_loop *loop, follower_item_fn *fn, void *ctx);
/* Loop thread, not inside of `fn`: no call of it comes after this, and what is still in the pipe is
 * freed. The reader thread must have been joined. */
void follower_pipe_close(struct follower_pipe *pipe);

struct follower_item *follower_item_new(enum follower_item_kind kind);
/* Reader thread; takes the item. Waits for room unless stopped. */
void follower_pipe_push(struct follower_pipe *pipe, struct follower_item *item);

/* Any thread. */
void follower_pipe_stop(struct follower_pipe *pipe);
bool follower_pipe_is_stopped(struct follower_pipe *pipe);
void follower_pipe_ask_restart(struct follower_pipe *pipe);
bool follower_pipe_take_restart(struct follower_pipe *pipe);
/* Sleeps, but not beyond a stop. */
void follower_pipe_sleep(struct follower_pipe *pipe, int64_t ms);
void follower_pipe_set_alive(struct follower_pipe *pipe, int64_t mono_ms);
int64_t follower_pipe_alive(struct follower_pipe *pipe);

#endif
