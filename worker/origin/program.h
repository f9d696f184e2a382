/* SPDX-License-Identifier: Apache-2.0 */
/* weir-origin put together: table, control channel, door and secrets on one loop. */
#ifndef WEIR_WORKER_ORIGIN_PROGRAM_H
#define WEIR_WORKER_ORIGIN_PROGRAM_H

#include "worker/origin/settings.h"

/* Serves until weir-worker lets go of the control channel. The exit code. */
int program_run(const struct origin_settings *settings);

#endif
