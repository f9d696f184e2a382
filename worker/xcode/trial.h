/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries an engine by really encoding: pictures in motion of two sizes, which must come back from a
 * decoder as they were, with keyframes where they were asked for; how fast, and how many encoders
 * at once.
 */
#ifndef WEIR_WORKER_XCODE_TRIAL_H
#define WEIR_WORKER_XCODE_TRIAL_H

#include <stdbool.h>

#include "lib/domain/events.h"
#include "worker/xcode/engine.h"

#define TRIAL_SESSIONS_MOST 8

/* Fills all of `ret` but its type. Takes some seconds, and as long as the driver likes. */
void trial_run(struct engine *engine, struct weir_ctl_encprobe_result *ret);

#endif
