/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/guard.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "worker/tap/address.h"

#define ALIVE_IDLE_S  10
#define ALIVE_EVERY_S 5
#define ALIVE_TIMES   3

/* Names of their own, since glibc declares the real ones with types that C17 can not write. */
int tap_guard_connect(int fd, const struct sockaddr *addr, socklen_t len) __asm__("connect");
ssize_t tap_guard_sendto(int fd, const void *bytes, size_t n, int flags,
                         const struct sockaddr *addr, socklen_t len) __asm__("sendto");
ssize_t tap_guard_recv(int fd, void *bytes, size_t n, int flags) __asm__("recv");
int tap_guard_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                          struct addrinfo **ret) __asm__("getaddrinfo");

int tap_guard_handshake(void *session) __asm__("gnutls_handshake");

/* gnutls_datum_t and the calls that take it, as GnuTLS has had them since version 3.4. */
struct tls_datum {
    unsigned char *data;
    unsigned int size;
};
typedef int handshake_fn(void *session);
typedef const struct tls_datum *peers_fn(const void *session, unsigned int *ret_n);
#define TLS_CERTIFICATE_ERROR (-43) /* GNUTLS_E_CERTIFICATE_ERROR, which ends the connection */

typedef int resolve_fn(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret);

static _Thread_local struct tap_guard *current;

void tap_guard_enter(struct tap_guard *guard)
{
    current = guard;
}

void tap_guard_leave(void)
{
    current = NULL;
}

static int raw_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    return (int)syscall(SYS_connect, fd, addr, len);
}

static bool is_the_address(const struct tap_guard *guard, const struct sockaddr *addr)
{
    const struct sockaddr *allowed = (const struct sockaddr *)(const void *)&guard->addr;
    if (!tap_address_is_same_host(allowed, addr))
        return false;
    /* The port lies at the same place in both families. */
    return ((const struct sockaddr_in *)(const void *)allowed)->sin_port ==
           ((const struct sockaddr_in *)(const void *)addr)->sin_port;
}

/* Waits in short steps, so that a cancelled reader goes at once. Returns an errno or 0. */
static int wait_connected(const struct tap_guard *guard, int fd)
{
    int64_t deadline = weir_clock_mono_ms() + guard->connect_ms;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if (poll(&p, 1, 50) > 0) {
            int error = 0;
            socklen_t len = sizeof(error);
            return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
        }
        if (atomic_load(guard->is_cancelled))
            return ECANCELED;
        if (weir_clock_mono_ms() >= deadline)
            return ETIMEDOUT;
    }
}

/* A camera that lost its power says nothing; whoever waits for it must learn that it is gone. */
static void keep_alive(int fd)
{
    static const struct {
        int level;
        int name;
        int value;
    } options[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                   {IPPROTO_TCP, TCP_KEEPIDLE, ALIVE_IDLE_S},
                   {IPPROTO_TCP, TCP_KEEPINTVL, ALIVE_EVERY_S},
                   {IPPROTO_TCP, TCP_KEEPCNT, ALIVE_TIMES}};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        WEIR_IGNORE(setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                               sizeof(options[i].value)),
                    "then it is found by its silence");
}

static int guarded_connect(struct tap_guard *guard, int fd, const struct sockaddr *addr,
                           socklen_t len)
{
    if (guard->is_connected || guard->connect_errno != 0 || !is_the_address(guard, addr)) {
        guard->was_led_away = guard->is_connected;
        errno = EACCES;
        return -1;
    }
    int flags = fcntl(fd, F_GETFL);
    int one = 1;
    WEIR_IGNORE(fcntl(fd, F_SETFL, flags | O_NONBLOCK), "then the connect blocks, and works");
    WEIR_IGNORE(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), "only slower");
    keep_alive(fd);
    int error = raw_connect(fd, addr, len) == 0 ? 0 : errno;
    if (error == EINPROGRESS)
        error = wait_connected(guard, fd);
    guard->connect_errno = error;
    guard->is_connected = error == 0;
    errno = error;
    return error == 0 ? 0 : -1;
}

int tap_guard_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    int type = SOCK_STREAM;
    socklen_t size = sizeof(type);
    if (current == NULL)
        return raw_connect(fd, addr, len);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type != SOCK_STREAM) {
        if (tap_address_is_same_host((const struct sockaddr *)(const void *)&current->addr, addr))
            return raw_connect(fd, addr, len);
        errno = EACCES;
        return -1;
    }
    return guarded_connect(current, fd, addr, len);
}

ssize_t tap_guard_sendto(int fd, const void *bytes, size_t n, int flags,
                         const struct sockaddr *addr, socklen_t len)
{
    if (current != NULL && addr != NULL &&
        !tap_address_is_same_host((const struct sockaddr *)(const void *)&current->addr, addr)) {
        errno = EACCES;
        return -1;
    }
    return syscall(SYS_sendto, fd, bytes, n, flags, addr, len);
}

/* The first bytes tell RTSP from anything else that listens on that port. */
static bool looks_like_rtsp(const char *bytes, size_t n)
{
    static const char start[] = "RTSP/";
    size_t len = n < sizeof(start) - 1 ? n : sizeof(start) - 1;
    return memcmp(bytes, start, len) == 0;
}

ssize_t tap_guard_recv(int fd, void *bytes, size_t n, int flags)
{
    ssize_t got = syscall(SYS_recvfrom, fd, bytes, n, flags, NULL, NULL);
    if (current == NULL || got <= 0)
        return got;
    if (current->received == 0 && !current->is_tls && !looks_like_rtsp(bytes, (size_t)got)) {
        current->is_not_rtsp = true;
        errno = EPROTO;
        got = -1;
    } else {
        current->received += (uint64_t)got;
    }
    return got;
}

int tap_guard_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                          struct addrinfo **ret)
{
    resolve_fn *resolve = (resolve_fn *)(uintptr_t)dlsym(RTLD_NEXT, "getaddrinfo");
    struct addrinfo numeric = {0};
    if (hints != NULL)
        numeric = *hints;
    if (current != NULL)
        numeric.ai_flags |= AI_NUMERICHOST;
    return resolve != NULL
               ? resolve(node, service, hints != NULL || current != NULL ? &numeric : NULL, ret)
               : EAI_FAIL;
}

/* The first certificate is the peer's own, which the handshake proved that it has the key of. */
static bool has_the_pin(const struct tap_guard *guard, const void *session)
{
    unsigned int n = 0;
    peers_fn *get_peers = (peers_fn *)(uintptr_t)dlsym(RTLD_NEXT, "gnutls_certificate_get_peers");
    const struct tls_datum *certificates = get_peers != NULL ? get_peers(session, &n) : NULL;
    return guard->pin != NULL && certificates != NULL && n > 0 &&
           weir_tls_pin_matches(guard->pin, certificates[0].data, certificates[0].size);
}

int tap_guard_handshake(void *session)
{
    handshake_fn *shake = (handshake_fn *)(uintptr_t)dlsym(RTLD_NEXT, "gnutls_handshake");
    int code = shake != NULL ? shake(session) : TLS_CERTIFICATE_ERROR;
    if (current == NULL || code != 0)
        return code;
    current->is_other_pin = !has_the_pin(current, session);
    return current->is_other_pin ? TLS_CERTIFICATE_ERROR : 0;
}

bool tap_guard_sees_tls(void)
{
    return dlsym(RTLD_DEFAULT, "gnutls_handshake") == (void *)(uintptr_t)&tap_guard_handshake &&
           dlsym(RTLD_NEXT, "gnutls_handshake") != NULL &&
           dlsym(RTLD_NEXT, "gnutls_certificate_get_peers") != NULL;
}

bool tap_guard_is_in_place(void)
{
    return dlsym(RTLD_DEFAULT, "connect") == (void *)(uintptr_t)&tap_guard_connect &&
           dlsym(RTLD_DEFAULT, "sendto") == (void *)(uintptr_t)&tap_guard_sendto &&
           dlsym(RTLD_DEFAULT, "recv") == (void *)(uintptr_t)&tap_guard_recv &&
           dlsym(RTLD_DEFAULT, "getaddrinfo") == (void *)(uintptr_t)&tap_guard_getaddrinfo;
}
