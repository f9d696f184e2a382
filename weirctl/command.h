/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of weirctl. Each prints its result to `out` and returns; main turns an error into
 * a line on stderr and the exit code.
 */
#ifndef WEIRCTL_COMMAND_H
#define WEIRCTL_COMMAND_H

#include <stdio.h>

#include "lib/base/err.h"
#include "weirctl/settings.h"

typedef enum weir_code ctl_command_fn(const struct ctl_settings *settings, FILE *out,
                                      struct weir_err *err);

/* Applies the migrations that are missing. */
ctl_command_fn ctl_migrate;

/* Makes the topics that are missing. */
ctl_command_fn ctl_topics;

/* Walks the audit's chains; WEIR_ECORRUPT names the first bad record. */
ctl_command_fn ctl_audit_verify;

/* Dead letters: all of them a line each, one whole, one sent to its topic once more. */
ctl_command_fn ctl_dlq_list;
ctl_command_fn ctl_dlq_show;
ctl_command_fn ctl_dlq_replay;

/* The decision log of a cell, for people. */
ctl_command_fn ctl_log_show;

/* The workers of a cell; emptying one, and using it again. These return when it is decided. */
ctl_command_fn ctl_worker_list;
ctl_command_fn ctl_worker_drain;
ctl_command_fn ctl_worker_undrain;

/* Seals all cameras' sources again for the api's key, where the workers' private keys are. */
ctl_command_fn ctl_rewrap;

#endif
