/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a camera may be. Its address comes from a tenant, so it is an attacker's choice: the URL is
 * taken apart strictly, the name is resolved once, each address is checked, and from then on only
 * a checked literal address is used (a name that answers differently the second time changes
 * nothing).
 */
#ifndef WEIR_WORKER_TAP_ADDRESS_H
#define WEIR_WORKER_TAP_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

struct tap_url {
    bool is_tls; /* rtsps */
    char host[256];
    int port;
    char rest[2049]; /* path and query, "/" at least */
};

/*
 * rtsp or rtsps, no user information, no fragment, no white space or control characters.
 * WEIR_EINVAL names the rule, never the URL.
 */
WEIR_MUST_USE enum weir_code tap_url_parse(const char *text, struct tap_url *ret,
                                           struct weir_err *err);

/*
 * True for what a camera is not: loopback, link-local (and with it the metadata services),
 * multicast, unspecified, broadcast; also when wrapped in IPv6 (v4-mapped, NAT64, 6to4).
 */
bool tap_address_is_denied(const struct sockaddr *addr);

/* The same for the only addresses that a setting can not allow: multicast and broadcast. */
bool tap_address_is_group(const struct sockaddr *addr);

/*
 * Resolves `url->host` and gives one of its addresses with the port, a different one each `turn`.
 * Blocks for as long as the resolver does. WEIR_ENOTFOUND: no such name. WEIR_EFORBIDDEN: one of
 * its addresses is denied (all of them count).
 */
WEIR_MUST_USE enum weir_code tap_address_resolve(const struct tap_url *url, bool allow_local,
                                                 unsigned turn, struct sockaddr_storage *ret,
                                                 struct weir_err *err);

/* Same address, the port left aside. */
bool tap_address_is_same_host(const struct sockaddr *a, const struct sockaddr *b);

/*
 * The URL for the reader: the literal address, and the credentials (NULL: none) with every byte
 * escaped that would end them early. WEIR_ELIMIT: the reader has no room for them.
 */
WEIR_MUST_USE enum weir_code tap_url_write(const struct tap_url *url,
                                           const struct sockaddr_storage *addr,
                                           const char *username, const char *password,
                                           struct weir_buf *out, struct weir_err *err);

#endif
