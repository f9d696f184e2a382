/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

#define V4_BITS 96 /* before an IPv4 address */

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool weir_ip_parse(const char *text, struct weir_ip *ret)
{
    uint8_t v4[4];
    struct weir_ip ip;
    if (inet_pton(AF_INET, text, v4) == 1) {
        memcpy(ip.b, mapped, sizeof(mapped));
        memcpy(ip.b + sizeof(mapped), v4, sizeof(v4));
    } else if (inet_pton(AF_INET6, text, ip.b) != 1) {
        return false;
    }
    *ret = ip;
    return true;
}

bool weir_ip_of(const struct sockaddr *addr, struct weir_ip *ret)
{
    if (addr->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)addr;
        memcpy(ret->b, mapped, sizeof(mapped));
        memcpy(ret->b + sizeof(mapped), &v4->sin_addr, sizeof(v4->sin_addr));
        return true;
    }
    if (addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)addr;
        memcpy(ret->b, &v6->sin6_addr, sizeof(ret->b));
        return true;
    }
    return false;
}

bool weir_ip_is_v4(const struct weir_ip *ip)
{
    return memcmp(ip->b, mapped, sizeof(mapped)) == 0;
}

bool weir_ip_equal(const struct weir_ip *a, const struct weir_ip *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

const char *weir_ip_format(const struct weir_ip *ip, char out[static WEIR_IP_TEXT_MAX])
{
    const char *text = weir_ip_is_v4(ip)
                           ? inet_ntop(AF_INET, ip->b + sizeof(mapped), out, WEIR_IP_TEXT_MAX)
                           : inet_ntop(AF_INET6, ip->b, out, WEIR_IP_TEXT_MAX);
    return text != NULL ? text : "";
}

/* True when `a` and `b` begin with the same `bits`. */
static bool is_same_prefix(const uint8_t *a, const uint8_t *b, int bits)
{
    size_t whole = (size_t)bits / 8;
    int rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || (uint8_t)(a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

static bool is_clean_behind(const struct weir_cidr *cidr)
{
    struct weir_ip base = {{0}};
    size_t whole = (size_t)cidr->bits / 8;
    memcpy(base.b, cidr->ip.b, whole);
    if (cidr->bits % 8 != 0)
        base.b[whole] = (uint8_t)(cidr->ip.b[whole] & 0xff << (8 - cidr->bits % 8));
    return weir_ip_equal(&base, &cidr->ip);
}

enum weir_code weir_cidr_parse(const char *text, struct weir_cidr *ret, struct weir_err *err)
{
    char address[WEIR_IP_TEXT_MAX];
    size_t len = strcspn(text, "/");
    struct weir_cidr cidr;
    if (len >= sizeof(address))
        return weir_fail(err, WEIR_EINVAL, "it is no IP address");
    memcpy(address, text, len);
    address[len] = '\0';
    if (!weir_ip_parse(address, &cidr.ip))
        return weir_fail(err, WEIR_EINVAL, "it is no IP address");
    bool is_v4 = strchr(address, ':') == NULL;
    if (!is_v4 && weir_ip_is_v4(&cidr.ip))
        return weir_fail(err, WEIR_EINVAL, "an IPv4 network is written as a.b.c.d/n");
    int most = is_v4 ? 128 - V4_BITS : 128;
    int64_t bits = most;
    if (text[len] == '/' && (strspn(text + len + 1, "0123456789") != strlen(text + len + 1) ||
                             weir_str_to_int(text + len + 1, 0, most, &bits, NULL) != WEIR_OK))
        return weir_fail(err, WEIR_EINVAL, "the number behind the slash is not one of 0 to %d",
                         most);
    cidr.bits = (int)bits + 128 - most;
    if (!is_clean_behind(&cidr))
        return weir_fail(err, WEIR_EINVAL, "bits behind its prefix of %d are set", (int)bits);
    *ret = cidr;
    return WEIR_OK;
}

const char *weir_cidr_format(const struct weir_cidr *cidr, char out[static WEIR_CIDR_TEXT_MAX])
{
    char address[WEIR_IP_TEXT_MAX];
    int before = weir_ip_is_v4(&cidr->ip) ? V4_BITS : 0;
    snprintf(out, WEIR_CIDR_TEXT_MAX, "%s/%d", weir_ip_format(&cidr->ip, address),
             cidr->bits - before);
    return out;
}

bool weir_cidr_has(const struct weir_cidr *cidr, const struct weir_ip *ip)
{
    return weir_ip_is_v4(&cidr->ip) == weir_ip_is_v4(ip) &&
           is_same_prefix(cidr->ip.b, ip->b, cidr->bits);
}
