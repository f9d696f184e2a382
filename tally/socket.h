/* SPDX-License-Identifier: Apache-2.0 */
/* The datagrams of the gateway beside us: a UDP socket on loopback. What the kernel had no room for
 * is counted by it. */
#ifndef TALLY_SOCKET_H
#define TALLY_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/err.h"

/* `listen`: "127.0.0.1:port", on 127.0.0.0/8. `ret_fd` is non-blocking; the caller closes it. */
WEIR_MUST_USE enum weir_code tally_socket_open(const char *listen, int *ret_fd,
                                               struct weir_err *err);

/* One datagram, cut at `size`; -1 when there is none. `ret_dropped` is how many the kernel dropped
 * since the socket was opened, as of this one; left alone when it does not say. */
ssize_t tally_socket_read(int fd, char *buf, size_t size, uint32_t *ret_dropped);

#endif
