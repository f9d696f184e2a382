/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A preloaded library that sends a daemon's connections through the link proxy.
 *
 * Every daemon under test gets a loopback address of its own, say 127.77.3.1, on which the proxy
 * (link_proxy.c) listens with the ports of the services. This library turns a connection to
 * 127.0.0.1:PORT into one to that address, for the ports of its instance only. So no service has
 * to know of the proxy: Kafka may go on to advertise its own address, which every client
 * connects to after it asked the first broker. No privilege and no kernel feature is needed.
 *
 *   WEIR_FAULT_ADDRESS=127.77.3.1   the daemon's own address; without it nothing changes
 *   WEIR_FAULT_PORTS=18003,18006    the ports that have a link there
 *
 * Its use of the process is small: no threads, no memory, no output.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PORTS_MAX 64

typedef int connect_fn(int fd, const struct sockaddr *to, socklen_t len);

/* A name of its own, since glibc declares the real one with a type that C17 can not write. */
int link_shim_connect(int fd, const struct sockaddr *to, socklen_t len) __asm__("connect");

static connect_fn *real_connect;
static in_addr_t own_address;
static unsigned long watched[PORTS_MAX];
static size_t n_watched;

__attribute__((constructor)) static void begin(void)
{
    /* C has no conversion from an object pointer to a function pointer; POSIX wants this one. */
    void *found = dlsym(RTLD_NEXT, "connect");
    memcpy(&real_connect, &found, sizeof found);
    const char *address = getenv("WEIR_FAULT_ADDRESS");
    const char *ports = getenv("WEIR_FAULT_PORTS");
    struct in_addr parsed;
    if (address != NULL && ports != NULL && inet_pton(AF_INET, address, &parsed) == 1) {
        char *at = NULL;
        do {
            watched[n_watched++] = strtoul(ports, &at, 10);
            ports = at + 1;
        } while (*at == ',' && n_watched < PORTS_MAX);
        own_address = parsed.s_addr;
    }
}

static bool is_watched(const struct sockaddr_in *to)
{
    size_t i = 0;
    while (i < n_watched && watched[i] != ntohs(to->sin_port)) {
        i++;
    }
    return i < n_watched && to->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

int link_shim_connect(int fd, const struct sockaddr *to, socklen_t len)
{
    if (real_connect == NULL) {
        errno = ENOSYS;
        return -1;
    }
    struct sockaddr_in other;
    if (own_address != 0 && to != NULL && to->sa_family == AF_INET && len >= sizeof other) {
        memcpy(&other, to, sizeof other);
        if (is_watched(&other)) {
            other.sin_addr.s_addr = own_address;
            return real_connect(fd, (const struct sockaddr *)&other, sizeof other);
        }
    }
    return real_connect(fd, to, len);
}
