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
#include "lib/domain/reach.h"

struct tap_url {
    bool is_tls;    /* rtsps */
    char host[256]; /* without brackets */
    bool is_literal;
    bool has_port; /* it is said; else that of the scheme */
    int port;
    char rest[2049]; /* path and query, "/" at least */
};

/*
 * rtsp or rtsps, no user information, no fragment, no white space or control characters, a host as
 * weir_host_read takes it. WEIR_EINVAL names the rule, never the URL.
 */
WEIR_MUST_USE enum weir_code tap_url_parse(const char *text, struct tap_url *ret,
                                           struct weir_err *err);

/* Whether a URL that tap_url_parse takes is one of rtsps. */
bool tap_url_is_tls(const char *text);

/* It is read by RTSP over HTTP: through TLS, where no port is said, at that of HTTPS. */
void tap_url_use_http(struct tap_url *url);

/*
 * Resolves `url->host` and gives one of its addresses with the port, a different one each `turn`.
 * Every address of the name is judged, this machine's own ones too, and one that `reach` does not
 * allow refuses them all. Blocks for as long as the resolver does. WEIR_EFORBIDDEN: the address, or
 * one of the name's, is not allowed. WEIR_ENOTFOUND: no such name.
 */
WEIR_MUST_USE enum weir_code tap_address_resolve(const struct tap_url *url,
                                                 const struct weir_reach *reach, unsigned turn,
                                                 struct sockaddr_storage *ret,
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
