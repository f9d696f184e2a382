/* SPDX-License-Identifier: Apache-2.0 */
/* A list of networks, a host and an address, each on a line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/domain/reach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool is_same(const struct weir_networks *a, const struct weir_networks *b)
{
    bool is_equal = a->has_public == b->has_public && a->n == b->n;
    for (size_t i = 0; is_equal && i < a->n; i++)
        is_equal =
            a->cidrs[i].bits == b->cidrs[i].bits && weir_ip_equal(&a->cidrs[i].ip, &b->cidrs[i].ip);
    return is_equal;
}

/* What is read is written so that it is read as the same. */
static void check_list(const struct weir_networks *list)
{
    struct weir_networks again;
    char text[WEIR_NETWORKS_TEXT_MAX];
    must(list->n <= WEIR_NETWORKS_MAX);
    must(weir_networks_parse(weir_networks_format(list, text), &again, NULL) == WEIR_OK);
    must(is_same(list, &again));
}

/* No list opens what no camera has, and one that allows nothing allows nothing. */
static void check_rule(const struct weir_networks *list, const struct weir_ip *ip)
{
    struct weir_reach given = {.tenant = *list};
    struct weir_reach nothing = {0};
    enum weir_ip_kind kind = weir_ip_kind(ip, NULL);
    if (kind == WEIR_IP_NEVER || kind == WEIR_IP_LOCAL)
        must(!weir_reach_allows(&given, ip));
    must(!weir_reach_allows(&nothing, ip));
    given.service = *list;
    must(!weir_reach_allows(&given, ip));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[4096];
    struct weir_networks list = {0};
    struct weir_ip ip;
    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    char *rest = text;
    const char *networks = strsep(&rest, "\n");
    const char *host = rest != NULL ? strsep(&rest, "\n") : NULL;
    if (weir_networks_parse(networks, &list, NULL) == WEIR_OK)
        check_list(&list);
    if (host != NULL && weir_host_read(host, strlen(host), &ip) == WEIR_HOST_LITERAL)
        check_rule(&list, &ip);
    if (rest != NULL && weir_ip_parse(rest, &ip))
        check_rule(&list, &ip);
    return 0;
}
