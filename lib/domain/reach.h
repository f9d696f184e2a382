/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a tenant's cameras may be. A camera's address is whatever somebody typed, so it is an
 * attacker's choice: what no camera has (loopback, link-local, metadata services, multicast,
 * reserved; also dressed up as another kind of address) is never connected to, and of the rest only
 * what lies in the networks that the tenant was given. Pure; names are resolved by the tap, which
 * asks here about every address that comes of it. Source: docs/adr/0027.
 *
 *     weir_networks_parse("public, 192.168.0.0/16", &reach.tenant, &err)
 *     weir_ip_parse("192.168.1.64", &ip)
 *     weir_reach_allows(&reach, &ip)                              true
 */
#ifndef WEIR_DOMAIN_REACH_H
#define WEIR_DOMAIN_REACH_H

#include <stddef.h>

#include "lib/base/ip.h"

#define WEIR_NETWORKS_MAX      32
#define WEIR_NETWORKS_TEXT_MAX 1536 /* bytes of the longest list as text */
#define WEIR_NETWORK_PUBLIC    "public"

/* What kind of address one is, whatever somebody was given. */
enum weir_ip_kind {
    WEIR_IP_PUBLIC,  /* of the internet */
    WEIR_IP_PRIVATE, /* RFC 1918, RFC 6598, unique local: where most cameras live */
    WEIR_IP_LOCAL,   /* loopback and link-local: only a development switch allows them */
    WEIR_IP_NEVER,
};

/* `ret_what` (may be NULL) gets words for people, "a loopback"; "" where there is nothing to say.
 * A NAT64 address (64:ff9b::/96) is what the IPv4 address in it is. */
enum weir_ip_kind weir_ip_kind(const struct weir_ip *ip, const char **ret_what);

/* ---- lists ---- */

struct weir_networks {
    bool has_public; /* the word "public": all addresses of that kind */
    size_t n;
    struct weir_cidr cidrs[WEIR_NETWORKS_MAX];
};

/*
 * Networks and the word "public", separated by commas, spaces or both; "" is the empty list.
 * WEIR_EINVAL names the entry by its number, from 1, and what is wrong with it. WEIR_ELIMIT: more
 * than WEIR_NETWORKS_MAX.
 */
WEIR_MUST_USE enum weir_code weir_networks_parse(const char *text, struct weir_networks *ret,
                                                 struct weir_err *err);

/* Adds one entry to what a tenant is given: a network in which no camera can be is WEIR_EINVAL too.
 * The errors of weir_networks_parse, without the number. */
WEIR_MUST_USE enum weir_code weir_networks_add(struct weir_networks *list, const char *entry,
                                               struct weir_err *err);

/* One space between entries, "public" first; parses to the same list. Returns `out`. */
const char *weir_networks_format(const struct weir_networks *list,
                                 char out[static WEIR_NETWORKS_TEXT_MAX]);

/* Also when the IPv4 address inside a NAT64 one is. */
bool weir_networks_has(const struct weir_networks *list, const struct weir_ip *ip);

/* ---- the rule ---- */

struct weir_reach {
    struct weir_networks tenant;  /* where this tenant's cameras may be */
    struct weir_networks service; /* the deployment's own: no camera of anybody */
    struct weir_networks site;    /* what this machine's site may reach; empty: no limit */
    bool allow_local;             /* loopback and link-local too, for development */
};

bool weir_reach_allows(const struct weir_reach *reach, const struct weir_ip *ip);

/* ---- hosts ---- */

enum weir_host_kind {
    WEIR_HOST_BAD,  /* neither */
    WEIR_HOST_NAME, /* to be resolved */
    WEIR_HOST_LITERAL,
};

/*
 * Judges the host of a URL: a name of letters, digits, hyphens, underscores and dots; four decimal
 * numbers; or an IPv6 address in brackets, without a zone. A host whose last part is a number in
 * any spelling that a resolver would take for an address (127.1, 0x7f.1, 0177.0.0.1, 2130706433)
 * and that is not four decimal numbers is bad. `host` needs no NUL; `ret` is set for a literal.
 */
enum weir_host_kind weir_host_read(const char *host, size_t len, struct weir_ip *ret);

/* "localhost" and what ends in ".localhost" (RFC 6761), in any case, with or without a last dot. */
bool weir_host_is_localhost(const char *name);

#endif
