/* SPDX-License-Identifier: Apache-2.0 */
#include "api/source_url.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
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
    struct weir_ip ip;
    if (host_len > API_HOST_MAX || weir_host_read(authority, host_len, &ip) == WEIR_HOST_BAD) {
        return weir_fail(err, WEIR_ESEMANTIC,
                         "must name a host: a name, an IPv4 address of four decimal numbers, or an "
                         "IPv6 address in brackets");
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

/* As many of the networks as a message holds. */
static void write_some(const struct weir_networks *networks, char *out, size_t size)
{
    char text[WEIR_NETWORKS_TEXT_MAX];
    if (weir_str_copy(out, size, weir_networks_format(networks, text))) {
        return;
    }
    char *cut = strrchr(out, ' ');
    snprintf(cut, size - (size_t)(cut - out), " ...");
}

enum weir_code api_source_url_judge(const char *host, const struct weir_reach *reach,
                                    struct weir_err *err)
{
    struct weir_ip ip;
    const char *what = "a loopback";
    char some[160];
    enum weir_host_kind kind = weir_host_read(host, strlen(host), &ip);
    bool is_literal = kind == WEIR_HOST_LITERAL;
    bool is_allowed = is_literal ? weir_reach_allows(reach, &ip)
                                 : kind == WEIR_HOST_NAME &&
                                       (reach->allow_local || !weir_host_is_localhost(host));
    if (is_allowed) {
        return WEIR_OK;
    }
    enum weir_ip_kind ip_kind = is_literal ? weir_ip_kind(&ip, &what) : WEIR_IP_LOCAL;
    if (ip_kind == WEIR_IP_LOCAL || ip_kind == WEIR_IP_NEVER) {
        return weir_fail(err, WEIR_ESEMANTIC,
                         "names %s address, at which Weir reads no camera; give the address that "
                         "the camera has in its own network",
                         what);
    }
    write_some(&reach->tenant, some, sizeof(some));
    return weir_fail(err, WEIR_ESEMANTIC,
                     "names %s, which is not where this tenant's cameras may be (%s); give an "
                     "address there, or ask who runs this Weir to add the camera's network to the "
                     "tenant's camera_networks",
                     host, some[0] ? some : "nowhere");
}
