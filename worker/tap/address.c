/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

#define CREDENTIALS_MAX 127 /* libavformat's RTSPState.auth */

static enum weir_code check_characters(const char *text, struct weir_err *err)
{
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c <= ' ' || c == 0x7f || c == '#' || c == '\\' || c == '"' || c == '<' || c == '>')
            return weir_fail(err, WEIR_EINVAL, "the URL holds a character that must be escaped");
    }
    return WEIR_OK;
}

static enum weir_code parse_port(const char *text, size_t len, struct tap_url *url,
                                 struct weir_err *err)
{
    char digits[6];
    int64_t port;
    if (len == 0 || len >= sizeof(digits))
        return weir_fail(err, WEIR_EINVAL, "the URL's port is not a number");
    memcpy(digits, text, len);
    digits[len] = '\0';
    if (weir_str_to_int(digits, 1, 65535, &port, NULL) != WEIR_OK)
        return weir_fail(err, WEIR_EINVAL, "the URL's port is not one of 1 to 65535");
    url->port = (int)port;
    return WEIR_OK;
}

static enum weir_code parse_authority(const char *text, size_t len, struct tap_url *url,
                                      struct weir_err *err)
{
    if (memchr(text, '@', len) != NULL)
        return weir_fail(err, WEIR_EINVAL, "the URL holds credentials; give them on their own");
    const char *end = text + len;
    const char *host_end;
    const char *host = text;
    if (len > 0 && *text == '[') {
        host++;
        host_end = memchr(text, ']', len);
        if (host_end == NULL)
            return weir_fail(err, WEIR_EINVAL, "the URL's address has no closing bracket");
    } else {
        host_end = memchr(text, ':', len);
        host_end = host_end != NULL ? host_end : end;
    }
    size_t n = (size_t)(host_end - host);
    if (n == 0 || n >= sizeof(url->host))
        return weir_fail(err, WEIR_EINVAL, "the URL's host is empty or longer than 255 bytes");
    memcpy(url->host, host, n);
    url->host[n] = '\0';
    const char *after = *host_end == ']' ? host_end + 1 : host_end;
    if (after == end)
        return WEIR_OK;
    if (*after != ':')
        return weir_fail(err, WEIR_EINVAL, "the URL's host is malformed");
    return parse_port(after + 1, (size_t)(end - after) - 1, url, err);
}

enum weir_code tap_url_parse(const char *text, struct tap_url *ret, struct weir_err *err)
{
    struct tap_url url = {.port = 554};
    const char *p = text;
    if (strncasecmp(p, "rtsp://", 7) == 0) {
        p += 7;
    } else if (strncasecmp(p, "rtsps://", 8) == 0) {
        p += 8;
        url.is_tls = true;
        url.port = 322;
    } else {
        return weir_fail(err, WEIR_EINVAL, "only rtsp and rtsps URLs are read");
    }
    enum weir_code code = check_characters(p, err);
    if (code != WEIR_OK)
        return code;
    size_t n = strcspn(p, "/?");
    code = parse_authority(p, n, &url, err);
    if (code != WEIR_OK)
        return code;
    p += n;
    if (strlen(p) + 2 > sizeof(url.rest))
        return weir_fail(err, WEIR_EINVAL, "the URL's path is longer than 2047 bytes");
    url.rest[0] = '/';
    WEIR_IGNORE(!weir_str_copy(url.rest + (*p == '/' ? 0 : 1), sizeof(url.rest) - 1, p),
                "measured above");
    *ret = url;
    return WEIR_OK;
}

static bool is_denied4(uint32_t ip)
{
    return ip >> 24 == 127 || ip >> 24 == 0 || ip >> 16 == 0xa9fe /* 169.254/16 */ ||
           ip >> 28 >= 14 /* multicast, reserved, broadcast */ ||
           ip == 0x646464c8 /* 100.100.100.200: metadata */;
}

static uint32_t read32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The IPv4 address inside an IPv6 one. */
static bool unwrap4(const uint8_t *b, uint32_t *ret)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
    static const uint8_t compatible[12] = {0};
    if (memcmp(b, mapped, 12) == 0 || memcmp(b, nat64, 12) == 0 || memcmp(b, compatible, 12) == 0) {
        *ret = read32(b + 12);
        return true;
    }
    if (b[0] == 0x20 && b[1] == 0x02) { /* 6to4 */
        *ret = read32(b + 2);
        return true;
    }
    return false;
}

static bool is_denied6(const uint8_t *b)
{
    static const uint8_t metadata[16] = {0xfd, 0, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54};
    uint32_t ip;
    if (unwrap4(b, &ip)) /* :: and ::1 are among them */
        return is_denied4(ip);
    return (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) || b[0] == 0xff || memcmp(b, metadata, 16) == 0;
}

bool tap_address_is_denied(const struct sockaddr *addr)
{
    if (addr->sa_family == AF_INET)
        return is_denied4(ntohl(((const struct sockaddr_in *)(const void *)addr)->sin_addr.s_addr));
    if (addr->sa_family == AF_INET6)
        return is_denied6(((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr.s6_addr);
    return true;
}

bool tap_address_is_group(const struct sockaddr *addr)
{
    uint32_t ip;
    if (addr->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)addr)->sin_addr.s_addr) >> 28 >= 14;
    const uint8_t *b = ((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr.s6_addr;
    return b[0] == 0xff || (unwrap4(b, &ip) && ip >> 28 >= 14);
}

bool tap_address_is_same_host(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
    if (a->sa_family == AF_INET6)
        return memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                      &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr, 16) == 0;
    return false;
}

static void free_list(struct addrinfo **list)
{
    if (*list != NULL)
        freeaddrinfo(*list);
}

enum weir_code tap_address_resolve(const struct tap_url *url, bool allow_local, unsigned turn,
                                   struct sockaddr_storage *ret, struct weir_err *err)
{
    char port[8];
    snprintf(port, sizeof(port), "%d", url->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list WEIR_CLEANUP(free_list) = NULL;
    if (getaddrinfo(url->host, port, &hints, &list) != 0 || list == NULL)
        return weir_fail(err, WEIR_ENOTFOUND, "the host's name has no address");
    unsigned n = 0;
    for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next, n++) {
        bool is_denied =
            allow_local ? tap_address_is_group(ai->ai_addr) : tap_address_is_denied(ai->ai_addr);
        if (is_denied || ai->ai_addrlen > sizeof(*ret))
            return weir_fail(err, WEIR_EFORBIDDEN, "the address is not one of a camera");
    }
    const struct addrinfo *pick = list;
    for (unsigned i = 0; i < turn % n; i++)
        pick = pick->ai_next;
    memset(ret, 0, sizeof(*ret));
    memcpy(ret, pick->ai_addr, pick->ai_addrlen);
    return WEIR_OK;
}

/* Only what would be read as something else: the reader's room is small. */
static void write_escaped(const char *text, struct weir_buf *out)
{
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c <= ' ' || c == 0x7f || strchr("%:@/?#[]+\\\"", c) != NULL)
            weir_buf_printf(out, "%%%02X", c);
        else
            weir_buf_add(out, p, 1);
    }
}

enum weir_code tap_url_write(const struct tap_url *url, const struct sockaddr_storage *addr,
                             const char *username, const char *password, struct weir_buf *out,
                             struct weir_err *err)
{
    char host[INET6_ADDRSTRLEN];
    bool is_v6 = addr->ss_family == AF_INET6;
    const void *ip =
        is_v6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr
              : (const void *)&((const struct sockaddr_in *)(const void *)addr)->sin_addr;
    if (inet_ntop(addr->ss_family, ip, host, sizeof(host)) == NULL)
        return weir_fail(err, WEIR_EINTERNAL, "an address of no known family");
    weir_buf_printf(out, "%s://", url->is_tls ? "rtsps" : "rtsp");
    size_t from = out->len;
    if (username != NULL) {
        write_escaped(username, out);
        weir_buf_printf(out, ":");
        write_escaped(password != NULL ? password : "", out);
        if (out->len - from > CREDENTIALS_MAX)
            return weir_fail(err, WEIR_ELIMIT, "username and password are longer than %d bytes",
                             CREDENTIALS_MAX - 1);
        weir_buf_printf(out, "@");
    }
    weir_buf_printf(out, is_v6 ? "[%s]:%d%s" : "%s:%d%s", host, url->port, url->rest);
    return WEIR_OK;
}
