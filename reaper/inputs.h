/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reaper reads beside the decision log: heartbeats and viewers from their ends, the
 * configuration from its start. Records that cannot be understood go to the dead-letter topic.
 */
#ifndef REAPER_INPUTS_H
#define REAPER_INPUTS_H

#include "lib/io/bus.h"
#include "reaper/idle.h"
#include "reaper/settings.h"

struct inputs;

/* `producer` takes the dead letters; `idle` is fed. Both outlive the inputs. */
WEIR_MUST_USE enum weir_code inputs_open(const struct reaper_settings *settings,
                                         struct weir_bus_producer *producer, struct idle *idle,
                                         struct inputs **ret, struct weir_err *err);
void inputs_close(struct inputs **inputs);

/* Takes what has come, without waiting. False when the broker could not be asked; `err` says why.
 */
bool inputs_take(struct inputs *inputs, struct weir_err *err);

#endif
