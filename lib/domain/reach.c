/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/reach.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/str.h"

#define HOST_MAX 255

struct range {
    const char *cidr;
    enum weir_ip_kind kind;
    const char *what;
};

static const struct range ranges[] = {
#define WEIR_RANGE(cidr, kind, what) {cidr, WEIR_IP_##kind, what},
#include "lib/domain/reach_ranges.def"
#undef WEIR_RANGE
};

static bool is_in(const struct weir_ip *ip, const char *text)
{
    struct weir_cidr cidr;
    enum weir_code code = weir_cidr_parse(text, &cidr, NULL);
    assert(code == WEIR_OK);
    return code == WEIR_OK && weir_cidr_has(&cidr, ip);
}

/* The IPv4 address that a translator on the way would connect to (RFC 6052). */
static bool unwrap_nat64(const struct weir_ip *ip, struct weir_ip *ret)
{
    if (!is_in(ip, "64:ff9b::/96"))
        return false;
    *ret = (struct weir_ip){{[10] = 0xff, [11] = 0xff}};
    memcpy(ret->b + 12, ip->b + 12, 4);
    return true;
}

enum weir_ip_kind weir_ip_kind(const struct weir_ip *ip, const char **ret_what)
{
    struct weir_ip inner;
    const char *what = "";
    if (unwrap_nat64(ip, &inner))
        ip = &inner;
    enum weir_ip_kind kind =
        weir_ip_is_v4(ip) || is_in(ip, "2000::/3") ? WEIR_IP_PUBLIC : WEIR_IP_NEVER;
    if (kind == WEIR_IP_NEVER)
        what = "a reserved";
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (is_in(ip, ranges[i].cidr)) {
            kind = ranges[i].kind;
            what = ranges[i].what;
            break;
        }
    }
    if (ret_what != NULL)
        *ret_what = what;
    return kind;
}

/* ---- lists ---- */

/* A network inside a range in which no camera can be. */
static bool is_useless(const struct weir_cidr *cidr)
{
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        struct weir_cidr range;
        if (ranges[i].kind != WEIR_IP_PRIVATE &&
            weir_cidr_parse(ranges[i].cidr, &range, NULL) == WEIR_OK && cidr->bits >= range.bits &&
            weir_cidr_has(&range, &cidr->ip))
            return true;
    }
    return false;
}

static enum weir_code add(struct weir_networks *list, const char *entry, bool may_be_useless,
                          struct weir_err *err)
{
    struct weir_cidr cidr;
    if (strcasecmp(entry, WEIR_NETWORK_PUBLIC) == 0) {
        list->has_public = true;
        return WEIR_OK;
    }
    enum weir_code code = weir_cidr_parse(entry, &cidr, err);
    if (code != WEIR_OK)
        return code;
    if (!may_be_useless && is_useless(&cidr))
        return weir_fail(err, WEIR_EINVAL, "it lies in a range in which Weir reads no cameras");
    if (list->n == WEIR_NETWORKS_MAX)
        return weir_fail(err, WEIR_ELIMIT, "there are more than %d networks", WEIR_NETWORKS_MAX);
    list->cidrs[list->n++] = cidr;
    return WEIR_OK;
}

enum weir_code weir_networks_add(struct weir_networks *list, const char *entry,
                                 struct weir_err *err)
{
    return add(list, entry, false, err);
}

enum weir_code weir_networks_parse(const char *text, struct weir_networks *ret,
                                   struct weir_err *err)
{
    struct weir_networks list = {0};
    for (int number = 1;; number++) {
        char entry[WEIR_CIDR_TEXT_MAX];
        text += strspn(text, ", ");
        size_t len = strcspn(text, ", ");
        if (len == 0)
            break;
        if (len >= sizeof(entry))
            return weir_fail(err, WEIR_EINVAL, "entry %d is no network", number);
        memcpy(entry, text, len);
        entry[len] = '\0';
        text += len;
        enum weir_code code = add(&list, entry, true, err);
        if (code != WEIR_OK)
            return weir_fail_in(err, code, "entry %d", number);
    }
    *ret = list;
    return WEIR_OK;
}

const char *weir_networks_format(const struct weir_networks *list,
                                 char out[static WEIR_NETWORKS_TEXT_MAX])
{
    size_t at = 0;
    out[0] = '\0';
    if (list->has_public)
        at = (size_t)snprintf(out, WEIR_NETWORKS_TEXT_MAX, WEIR_NETWORK_PUBLIC);
    for (size_t i = 0; i < list->n; i++) {
        char cidr[WEIR_CIDR_TEXT_MAX];
        at += (size_t)snprintf(out + at, WEIR_NETWORKS_TEXT_MAX - at, "%s%s", at > 0 ? " " : "",
                               weir_cidr_format(&list->cidrs[i], cidr));
    }
    return out;
}

static bool has_exactly(const struct weir_networks *list, const struct weir_ip *ip)
{
    for (size_t i = 0; i < list->n; i++) {
        if (weir_cidr_has(&list->cidrs[i], ip))
            return true;
    }
    return false;
}

bool weir_networks_has(const struct weir_networks *list, const struct weir_ip *ip)
{
    struct weir_ip inner;
    return (list->has_public && weir_ip_kind(ip, NULL) == WEIR_IP_PUBLIC) ||
           has_exactly(list, ip) || (unwrap_nat64(ip, &inner) && has_exactly(list, &inner));
}

/* ---- the rule ---- */

bool weir_reach_allows(const struct weir_reach *reach, const struct weir_ip *ip)
{
    enum weir_ip_kind kind = weir_ip_kind(ip, NULL);
    if (kind == WEIR_IP_NEVER || weir_networks_has(&reach->service, ip))
        return false;
    if (kind == WEIR_IP_LOCAL)
        return reach->allow_local;
    bool is_limited = reach->site.has_public || reach->site.n > 0;
    if (is_limited && !weir_networks_has(&reach->site, ip))
        return false;
    return weir_networks_has(&reach->tenant, ip);
}

/* ---- hosts ---- */

static bool is_number(const char *part, size_t len)
{
    bool is_hex = len >= 2 && part[0] == '0' && (part[1] == 'x' || part[1] == 'X');
    for (size_t i = is_hex ? 2 : 0; i < len; i++) {
        unsigned char c = (unsigned char)part[i];
        if (is_hex ? !isxdigit(c) : !isdigit(c))
            return false;
    }
    return len > 0;
}

/* Letters, digits, hyphens, underscores; no empty part but one behind a last dot. */
static bool is_name(const char *host, size_t len)
{
    bool is_begin = true;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)host[i];
        if (c == '.' ? is_begin : !isalnum(c) && (c != '-' || is_begin) && c != '_')
            return false;
        is_begin = c == '.';
    }
    return len > 0;
}

static enum weir_host_kind read_plain(const char *host, size_t len, struct weir_ip *ret)
{
    char text[HOST_MAX + 1];
    size_t end = host[len - 1] == '.' ? len - 1 : len;
    size_t begin = end;
    if (!is_name(host, len))
        return WEIR_HOST_BAD;
    while (begin > 0 && host[begin - 1] != '.')
        begin--;
    if (!is_number(host + begin, end - begin))
        return WEIR_HOST_NAME;
    memcpy(text, host, len);
    text[len] = '\0';
    return weir_ip_parse(text, ret) ? WEIR_HOST_LITERAL : WEIR_HOST_BAD;
}

enum weir_host_kind weir_host_read(const char *host, size_t len, struct weir_ip *ret)
{
    char text[WEIR_IP_TEXT_MAX];
    if (len == 0 || len > HOST_MAX)
        return WEIR_HOST_BAD;
    if (host[0] != '[')
        return read_plain(host, len, ret);
    if (len - 2 >= sizeof(text) || len < 4 || host[len - 1] != ']' ||
        memchr(host, '\0', len) != NULL)
        return WEIR_HOST_BAD;
    memcpy(text, host + 1, len - 2);
    text[len - 2] = '\0';
    return strchr(text, ':') != NULL && weir_ip_parse(text, ret) ? WEIR_HOST_LITERAL
                                                                 : WEIR_HOST_BAD;
}

bool weir_host_is_localhost(const char *name)
{
    static const char local[] = "localhost";
    size_t len = strlen(name);
    size_t n = sizeof(local) - 1;
    len -= len > 0 && name[len - 1] == '.';
    if (len < n || strncasecmp(name + len - n, local, n) != 0)
        return false;
    return len == n || name[len - n - 1] == '.';
}
