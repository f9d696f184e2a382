/* SPDX-License-Identifier: Apache-2.0 */
/* Opens listening sockets from one line of text, for http_server. */
#ifndef WEIR_IO_HTTP_LISTEN_H
#define WEIR_IO_HTTP_LISTEN_H

#include "lib/base/err.h"

/*
 * `listen`: "host:port", "[v6]:port" (port 0 picks one) or "unix:/path" (a stale socket file is
 * replaced; mode 0600). *ret_port is 0 for a unix socket. WEIR_EINVAL, WEIR_EUNAVAILABLE.
 */
WEIR_MUST_USE enum weir_code weir_http_listen(const char *listen, int *ret_fd, int *ret_port,
                                              struct weir_err *err);

#endif
