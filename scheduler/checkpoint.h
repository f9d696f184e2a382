/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints of the ledger in state.v1 (DESIGN section 2): all rows and command ids under one key
 * prefix, closed by a state.checkpoint that is only written last; then older ones are removed.
 *
 * Keys are `<offset, 20 digits>/<entity>/<id>`, the offset being that of the last decision folded
 * in, so that a checkpoint never mixes with another of the same epoch.
 */
#ifndef SCHEDULER_CHECKPOINT_H
#define SCHEDULER_CHECKPOINT_H

#include "lib/domain/ledger.h"
#include "lib/io/bus.h"

struct checkpoint;

/* Writes through `producer`, which must be closed before checkpoint_free. */
struct checkpoint *checkpoint_new(const char *brokers, int32_t cell,
                                  struct weir_bus_producer *producer);
void checkpoint_free(struct checkpoint *checkpoint);

/* Starts one; false while the last is still being written. */
bool checkpoint_begin(struct checkpoint *checkpoint, const struct weir_ledger *ledger,
                      const struct weir_id *instance, int64_t epoch);

/* Goes on with removing older ones; does not block. */
void checkpoint_pump(struct checkpoint *checkpoint);

/* Checkpoints that are complete in the log. */
int64_t checkpoint_count(const struct checkpoint *checkpoint);

#endif
