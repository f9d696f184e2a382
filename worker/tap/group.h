/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multicast groups of cameras. A camera names the group that it sends to, so it is an attacker's
 * choice as much as the rest of its answers. What is received is therefore only what the camera's
 * own, checked address sends to it: each membership is source-specific (RFC 3376, RFC 3810, RFC
 * 4607), and the kernel hands over nothing that others of this host joined. Source:
 * docs/adr/0049.
 *
 *     tap_group_is_fit(group, camera)                       may it be joined at all
 *     tap_group_shut(fd, family)                            before the socket is bound to the group
 *     tap_group_join(fd, group, camera, tap_group_interface(rtsp_fd))
 */
#ifndef WEIR_WORKER_TAP_GROUP_H
#define WEIR_WORKER_TAP_GROUP_H

#include <stdbool.h>
#include <sys/socket.h>

/*
 * Whether a camera can send to this group and port: of the camera's family, with a port from 1024,
 * and none of the groups by which networks are run (224.0.0.0/24, 224.0.1.0/24: RFC 5771; in IPv6
 * those that are assigned for good, and those of an interface, a link or a realm: RFC 4291, RFC
 * 7346).
 */
bool tap_group_is_fit(const struct sockaddr *group, const struct sockaddr *camera);

/* From now on the socket is given what it joins itself, and nothing else. 0, or -1 and errno. */
int tap_group_shut(int fd, int family);

/* Index of the interface by which the peer of a connected socket is reached; 0: not known. */
unsigned tap_group_interface(int fd);

/* Joins the group on that interface for what `camera` sends to it. 0, or -1 and errno. */
int tap_group_join(int fd, const struct sockaddr *group, const struct sockaddr *camera,
                   unsigned interface);

#endif
