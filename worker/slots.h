/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine slots of a worker: who gets a place where, and always one empty slot kept warm, so
 * that neither a first stream nor a crash has to wait for an engine to start.
 *
 * A stream goes to the fullest slot that is up and has room. When that took the last empty slot
 * another one is started; when several stand empty the surplus is ended after a while.
 */
#ifndef WEIR_WORKER_SLOTS_H
#define WEIR_WORKER_SLOTS_H

#include "worker/slot.h"

#define SLOTS_MAX             64
#define SLOTS_SURPLUS_KEEP_MS 30000

struct slots {
    struct slot_config config;
    size_t streams_per_slot;
    struct slot *slots[SLOTS_MAX]; /* NULL: never used */
};

/* `slots` is the caller's storage; `config` is copied. */
void slots_init(struct slots *slots, const struct slot_config *config, size_t streams_per_slot);
void slots_done(struct slots *slots);

/* The place for the next stream; NULL: no room now. Counts nothing. Pure. */
struct slot *slots_pick(const struct slots *slots);

/* Streams come and go. */
void slots_take(struct slots *slots, struct slot *slot);
void slots_give_back(struct slots *slots, struct slot *slot);

/* Starts or ends engines so that one is empty. Call it now and then. */
void slots_tend(struct slots *slots, int64_t now_mono_ms);

/* SIGTERM to every engine. */
void slots_stop(struct slots *slots);

size_t slots_count(const struct slots *slots, enum slot_state state);

#endif
