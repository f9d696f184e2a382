/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the broker again and again, on a thread of its own, where the heartbeats end. A leader that
 * has read as far as they went at the time of asking is not deaf; without that it judges nobody.
 */
#ifndef SCHEDULER_PROBE_H
#define SCHEDULER_PROBE_H

#include "lib/io/bus.h"

struct probe;

WEIR_MUST_USE enum weir_code probe_open(const char *brokers, int32_t cell, struct probe **ret,
                                        struct weir_err *err);
void probe_close(struct probe **probe);

/* The end of the heartbeats as it was at *ret_mono_ms; false before the first answer. */
bool probe_end(struct probe *probe, int64_t *ret_next, int64_t *ret_mono_ms);

#endif
