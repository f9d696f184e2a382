/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joins what is read (decision log, heartbeats, viewers, configuration) with the rules, and sends
 * the proposals. Any number of reapers may run: each proposes for itself, and the scheduler takes
 * the first and checks it again.
 */
#ifndef REAPER_REAPER_H
#define REAPER_REAPER_H

#include "reaper/settings.h"

struct reaper;

/* `service` and `settings` outlive the reaper. */
WEIR_MUST_USE enum weir_code reaper_open(struct weir_service *service,
                                         const struct reaper_settings *settings,
                                         struct reaper **ret, struct weir_err *err);
void reaper_close(struct reaper **reaper);

#endif
