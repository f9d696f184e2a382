/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink: a thread that follows the decisions of all cells, what their facts tell of cameras'
 * pictures, and the audit events of all tenants into Postgres. Several instances may run; the
 * database lets one of them through at a time, the others stand by and go on where it stopped.
 *
 * A gap in a log is never stepped over: the sink halts, /readyz tells why, and the process ends
 * with an exit code of its own when it is told to stop.
 */
#ifndef AUDIT_SINK_H
#define AUDIT_SINK_H

#include "audit/settings.h"
#include "lib/service/service.h"

struct audit_sink;

/* Starts the thread. `service` and `settings` outlive the sink. */
WEIR_MUST_USE enum weir_code audit_sink_open(struct weir_service *service,
                                             const struct audit_settings *settings,
                                             struct audit_sink **ret, struct weir_err *err);

/* Writes what was read and ends the thread; waits for a running statement. Sets NULL. */
void audit_sink_close(struct audit_sink **sink);

/* A log had a gap. */
bool audit_sink_is_halted(const struct audit_sink *sink);

#endif
