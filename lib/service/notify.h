/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the service manager how the daemon is, as sd_notify(3) does, without libsystemd: one
 * datagram to the socket that NOTIFY_SOCKET names. Without it nothing happens.
 */
#ifndef WEIR_SERVICE_NOTIFY_H
#define WEIR_SERVICE_NOTIFY_H

/* `state`: "READY=1", "STOPPING=1", "WATCHDOG=1". */
void weir_notify(const char *state);

#endif
