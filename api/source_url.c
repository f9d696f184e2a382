/* SPDX-License-Identifier: Apache-2.0 */
#include "api/source_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "lib/base/str.h"

static bool is_plain(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c <= 0x20 || *c >= 0x7f || strchr("\"<>\\^`{|}", *c)) {
            return false;
        }
    }
    return true;
}

/* A host name of letters, digits, dots, hyphens and underscores, or an IPv4 address. */
static bool is_name(const char *host, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)host[i]) && !strchr("-._", host[i])) {
            return false;
        }
    }
    return len > 0 && host[0] != '-' && host[0] != '.';
}

static bool is_ipv6(const char *host, size_t len)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (len < 4 || len - 2 >= sizeof(text) || host[0] != '[' || host[len - 1] != ']') {
        return false;
    }
    memcpy(text, host + 1, len - 2);
    text[len - 2] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_port(const char *text, size_t len)
{
    char digits[6];
    int64_t port;
    if (len == 0 || len >= sizeof(digits)) {
        return false;
    }
    memcpy(digits, text, len);
    digits[len] = '\0';
    return strspn(digits, "0123456789") == len &&
           weir_str_to_int(digits, 1, 65535, &port, NULL) == WEIR_OK;
}

enum weir_code api_source_url_check(const char *url, char host[static API_HOST_MAX + 1],
                                    struct weir_err *err)
{
    bool is_rtsps = strncasecmp(url, "rtsps://", 8) == 0;
    if (!is_rtsps && strncasecmp(url, "rtsp://", 7) != 0) {
        return weir_fail(err, WEIR_ESEMANTIC, "must begin with rtsp:// or rtsps://");
    }
    if (strlen(url) > API_URL_MAX || !is_plain(url) || strchr(url, '#')) {
        return weir_fail(err, WEIR_ESEMANTIC,
                         "must be an address of plain characters without a fragment");
    }
    const char *authority = url + (is_rtsps ? 8 : 7);
    size_t authority_len = strcspn(authority, "/?");
    if (memchr(authority, '@', authority_len)) {
        return weir_fail(err, WEIR_ESEMANTIC,
                         "must hold no user name or password; they have fields of their own");
    }
    const char *bracket = memchr(authority, ']', authority_len);
    const char *search = bracket ? bracket : authority;
    const char *colon = memchr(search, ':', authority_len - (size_t)(search - authority));
    size_t host_len = colon ? (size_t)(colon - authority) : authority_len;
    if (host_len > API_HOST_MAX ||
        (!is_name(authority, host_len) && !is_ipv6(authority, host_len))) {
        return weir_fail(err, WEIR_ESEMANTIC, "must name a host");
    }
    if (colon && !is_port(colon + 1, authority_len - host_len - 1)) {
        return weir_fail(err, WEIR_ESEMANTIC, "must have a port of 1 to 65535, or none");
    }
    for (size_t i = 0; i < host_len; i++) {
        host[i] = (char)tolower((unsigned char)authority[i]);
    }
    host[host_len] = '\0';
    return WEIR_OK;
}
