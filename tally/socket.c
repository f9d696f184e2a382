/* SPDX-License-Identifier: Apache-2.0 */
#include "tally/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/str.h"

#define RECEIVE_BYTES (4 * 1024 * 1024) /* asked for; the kernel gives up to its rmem_max */
#define LOOPBACK_NET  127

static enum weir_code parse(const char *listen, struct sockaddr_in *ret, struct weir_err *err)
{
    char host[INET_ADDRSTRLEN];
    int64_t port;
    const char *colon = strrchr(listen, ':');
    size_t len = colon ? (size_t)(colon - listen) : sizeof(host);
    if (len >= sizeof(host) || weir_str_to_int(colon + 1, 0, 65535, &port, NULL) != WEIR_OK) {
        return weir_fail(err, WEIR_EINVAL, "WEIR_TALLY_LISTEN must be 127.0.0.1:port");
    }
    memcpy(host, listen, len);
    host[len] = '\0';
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &ret->sin_addr) != 1 ||
        ntohl(ret->sin_addr.s_addr) >> 24 != LOOPBACK_NET) {
        return weir_fail(err, WEIR_EINVAL, "WEIR_TALLY_LISTEN must be on 127.0.0.0/8");
    }
    return WEIR_OK;
}

enum weir_code tally_socket_open(const char *listen, int *ret_fd, struct weir_err *err)
{
    struct sockaddr_in addr;
    int on = 1;
    int bytes = RECEIVE_BYTES;
    enum weir_code code = parse(listen, &addr, err);
    if (code != WEIR_OK) {
        return code;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0) {
        int why = errno;
        if (fd >= 0) {
            close(fd);
        }
        return weir_fail(err, WEIR_EUNAVAILABLE, "%s: %s", listen, strerror(why));
    }
    /* Both only help: less room means more that is dropped, and that is counted where it can be. */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    (void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
    *ret_fd = fd;
    return WEIR_OK;
}

ssize_t tally_socket_read(int fd, char *buf, size_t size, uint32_t *ret_dropped)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(uint32_t))];
    } control;
    struct iovec part = {.iov_base = buf, .iov_len = size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t n = recvmsg(fd, &message, 0);
    if (n < 0) {
        return -1;
    }
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at != NULL; at = CMSG_NXTHDR(&message, at)) {
        if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SO_RXQ_OVFL) {
            memcpy(ret_dropped, CMSG_DATA(at), sizeof(*ret_dropped));
        }
    }
    return n;
}
