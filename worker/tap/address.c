/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

#define CREDENTIALS_MAX 127 /* libavformat's RTSPState.auth */
#define RTSP_PORT       554
#define RTSPS_PORT      322
#define HTTPS_PORT      443

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
    url->has_port = true;
    return WEIR_OK;
}

static enum weir_code parse_authority(const char *text, size_t len, struct tap_url *url,
                                      struct weir_err *err)
{
    if (memchr(text, '@', len) != NULL)
        return weir_fail(err, WEIR_EINVAL, "the URL holds credentials; give them on their own");
    const char *bracket = memchr(text, ']', len);
    const char *search = bracket != NULL ? bracket : text;
    const char *colon = memchr(search, ':', len - (size_t)(search - text));
    size_t n = colon != NULL ? (size_t)(colon - text) : len;
    struct weir_ip ip;
    enum weir_host_kind kind = weir_host_read(text, n, &ip);
    if (kind == WEIR_HOST_BAD)
        return weir_fail(err, WEIR_EINVAL, "the URL's host is no name and no plain IP address");
    bool has_brackets = *text == '[';
    url->is_literal = kind == WEIR_HOST_LITERAL;
    memcpy(url->host, text + has_brackets, n - 2 * has_brackets);
    url->host[n - 2 * has_brackets] = '\0';
    return colon != NULL ? parse_port(colon + 1, len - n - 1, url, err) : WEIR_OK;
}

bool tap_url_is_tls(const char *text)
{
    return strncasecmp(text, "rtsps://", 8) == 0;
}

enum weir_code tap_url_parse(const char *text, struct tap_url *ret, struct weir_err *err)
{
    struct tap_url url = {.port = RTSP_PORT};
    const char *p = text;
    if (strncasecmp(p, "rtsp://", 7) == 0) {
        p += 7;
    } else if (tap_url_is_tls(p)) {
        p += 8;
        url.is_tls = true;
        url.port = RTSPS_PORT;
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

void tap_url_use_http(struct tap_url *url)
{
    if (url->is_tls && !url->has_port)
        url->port = HTTPS_PORT;
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

static void free_interfaces(struct ifaddrs **list)
{
    if (*list != NULL)
        freeifaddrs(*list);
}

/* This machine's own services are as near at its other addresses as on loopback. */
static bool is_own(const struct weir_ip *ip)
{
    struct ifaddrs *list WEIR_CLEANUP(free_interfaces) = NULL;
    if (getifaddrs(&list) != 0)
        return true;
    for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
        struct weir_ip own;
        if (at->ifa_addr != NULL && weir_ip_of(at->ifa_addr, &own) && weir_ip_equal(&own, ip))
            return true;
    }
    return false;
}

static bool is_allowed(const struct weir_reach *reach, const struct addrinfo *ai)
{
    struct weir_ip ip;
    return ai->ai_addrlen <= sizeof(struct sockaddr_storage) && weir_ip_of(ai->ai_addr, &ip) &&
           weir_reach_allows(reach, &ip) && (reach->allow_local || !is_own(&ip));
}

enum weir_code tap_address_resolve(const struct tap_url *url, const struct weir_reach *reach,
                                   unsigned turn, struct sockaddr_storage *ret,
                                   struct weir_err *err)
{
    char port[8];
    snprintf(port, sizeof(port), "%d", url->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | (url->is_literal ? AI_NUMERICHOST : 0)};
    struct addrinfo *list WEIR_CLEANUP(free_list) = NULL;
    if (getaddrinfo(url->host, port, &hints, &list) != 0 || list == NULL)
        return weir_fail(err, WEIR_ENOTFOUND, "the host's name has no address");
    unsigned n = 0;
    for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next, n++) {
        if (!is_allowed(reach, ai))
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
