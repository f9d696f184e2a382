/* SPDX-License-Identifier: Apache-2.0 */
/* weir-reaper: proposes to stop streams that nobody watches. The rule is reaper/idle.h. */
#ifndef REAPER_REAPER_H
#define REAPER_REAPER_H

#include "lib/service/service.h"
#include "reaper/settings.h"

/* Runs until the service is told to stop; returns the exit code. */
int reaper_run(struct weir_service *service, const struct reaper_settings *settings);

#endif
