/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/group.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "worker/tap/address.h"

#define PORT_MIN      1024
#define ADMIN_LOCAL   4           /* the least scope that a person gives; RFC 7346 */
#define V4_CONTROL_TO 0xe0000200U /* 224.0.2.0 */

static bool is_fit_v4(const struct sockaddr_in *group)
{
    uint32_t ip = ntohl(group->sin_addr.s_addr);
    return IN_MULTICAST(ip) && ip >= V4_CONTROL_TO && ntohs(group->sin_port) >= PORT_MIN;
}

static bool is_fit_v6(const struct sockaddr_in6 *group)
{
    const uint8_t *b = group->sin6_addr.s6_addr;
    bool is_transient = (b[1] & 0x10) != 0;
    return b[0] == 0xff && is_transient && (b[1] & 0x0f) >= ADMIN_LOCAL &&
           ntohs(group->sin6_port) >= PORT_MIN;
}

bool tap_group_is_fit(const struct sockaddr *group, const struct sockaddr *camera)
{
    if (group->sa_family != camera->sa_family)
        return false;
    if (group->sa_family == AF_INET)
        return is_fit_v4((const struct sockaddr_in *)(const void *)group);
    return group->sa_family == AF_INET6 &&
           is_fit_v6((const struct sockaddr_in6 *)(const void *)group);
}

int tap_group_shut(int fd, int family)
{
    int zero = 0;
    return family == AF_INET6
               ? setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &zero, sizeof(zero))
               : setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &zero, sizeof(zero));
}

static void free_interfaces(struct ifaddrs **list)
{
    if (*list != NULL)
        freeifaddrs(*list);
}

unsigned tap_group_interface(int fd)
{
    struct sockaddr_storage own = {0};
    struct ifaddrs *list WEIR_CLEANUP(free_interfaces) = NULL;
    socklen_t len = sizeof(own);
    if (getsockname(fd, (struct sockaddr *)&own, &len) != 0 || getifaddrs(&list) != 0)
        return 0;
    for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
        if (at->ifa_addr != NULL &&
            tap_address_is_same_host(at->ifa_addr, (const struct sockaddr *)&own))
            return if_nametoindex(at->ifa_name);
    }
    return 0;
}

static socklen_t size_of(const struct sockaddr *addr)
{
    return addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

int tap_group_join(int fd, const struct sockaddr *group, const struct sockaddr *camera,
                   unsigned interface)
{
    struct group_source_req req = {.gsr_interface = interface};
    if (interface == 0) {
        errno = ENODEV;
        return -1;
    }
    memcpy(&req.gsr_group, group, size_of(group));
    memcpy(&req.gsr_source, camera, size_of(camera));
    /* The guard refuses what libavformat asks for by this call. */
    return (int)syscall(SYS_setsockopt, fd,
                        group->sa_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP,
                        MCAST_JOIN_SOURCE_GROUP, &req, sizeof(req));
}
