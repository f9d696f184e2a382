/* SPDX-License-Identifier: Apache-2.0 */
/* weir-still put together; ends when weir-worker's end of descriptor 3 does. */
#ifndef WEIR_WORKER_STILL_PROGRAM_H
#define WEIR_WORKER_STILL_PROGRAM_H

#include "worker/still/settings.h"

/* The exit code. */
int program_run(const struct still_settings *settings);

#endif
