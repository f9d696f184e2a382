/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP addresses and networks in one form for both families: 16 bytes, an IPv4 address as the
 * v4-mapped one (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2), so that the two spellings of one
 * address are one value. Pure; which addresses are fit for what is lib/domain/reach.h.
 */
#ifndef WEIR_BASE_IP_H
#define WEIR_BASE_IP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"

struct sockaddr; /* <sys/socket.h> */

#define WEIR_IP_TEXT_MAX   46
#define WEIR_CIDR_TEXT_MAX (WEIR_IP_TEXT_MAX + 4)

struct weir_ip {
    uint8_t b[16];
};

/* Four decimal numbers, or an IPv6 address (RFC 4291) without brackets and zone; nothing else. */
bool weir_ip_parse(const char *text, struct weir_ip *ret);

/* False for a family other than IPv4 and IPv6. */
bool weir_ip_of(const struct sockaddr *addr, struct weir_ip *ret);

bool weir_ip_is_v4(const struct weir_ip *ip);
bool weir_ip_equal(const struct weir_ip *a, const struct weir_ip *b);

/* The usual spelling; returns `out`. */
const char *weir_ip_format(const struct weir_ip *ip, char out[static WEIR_IP_TEXT_MAX]);

struct weir_cidr {
    struct weir_ip ip;
    int bits; /* 0..128, of the 16 bytes: an IPv4 /8 has 104 */
};

/*
 * "10.0.0.0/8", "fd00:1::/32"; an address alone is a network of one. WEIR_EINVAL, without the text,
 * when bits behind the prefix are set or an IPv4 network is written in IPv6.
 */
WEIR_MUST_USE enum weir_code weir_cidr_parse(const char *text, struct weir_cidr *ret,
                                             struct weir_err *err);

/* Always with its prefix length; returns `out`. */
const char *weir_cidr_format(const struct weir_cidr *cidr, char out[static WEIR_CIDR_TEXT_MAX]);

/* Networks of one family hold nothing of the other: ::/0 is not the IPv4 internet. */
bool weir_cidr_has(const struct weir_cidr *cidr, const struct weir_ip *ip);

#endif
