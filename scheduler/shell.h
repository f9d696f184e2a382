/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler around its core: every process follows the decision log and stands by; the one that
 * the election prefers begins a term as leader, and begins again from the log whenever a term ends.
 */
#ifndef SCHEDULER_SHELL_H
#define SCHEDULER_SHELL_H

#include "scheduler/settings.h"

struct shell;

WEIR_MUST_USE enum weir_code shell_open(const struct scheduler_settings *settings,
                                        struct weir_service *service, struct shell **ret,
                                        struct weir_err *err);
void shell_close(struct shell **shell);

#endif
