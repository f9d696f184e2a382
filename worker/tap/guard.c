/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/guard.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "worker/tap/address.h"
#include "worker/tap/group.h"

#define ALIVE_IDLE_S  10
#define ALIVE_EVERY_S 5
#define ALIVE_TIMES   3

#define HANDFUL_BYTES (48 * 1024)

#define HTTP_UNAUTHORIZED 401
#define HTTP_ASKED_MAX    2 /* without and with the password */

/* Names of their own, since glibc declares the real ones with types that C17 can not write. */
int tap_guard_connect(int fd, const struct sockaddr *addr, socklen_t len) __asm__("connect");
ssize_t tap_guard_sendto(int fd, const void *bytes, size_t n, int flags,
                         const struct sockaddr *addr, socklen_t len) __asm__("sendto");
ssize_t tap_guard_recv(int fd, void *bytes, size_t n, int flags) __asm__("recv");
int tap_guard_poll(struct pollfd *fds, nfds_t n, int timeout_ms) __asm__("poll");
int tap_guard_bind(int fd, const struct sockaddr *addr, socklen_t len) __asm__("bind");
int tap_guard_setsockopt(int fd, int level, int name, const void *value,
                         socklen_t len) __asm__("setsockopt");
int tap_guard_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                          struct addrinfo **ret) __asm__("getaddrinfo");

int tap_guard_handshake(void *session) __asm__("gnutls_handshake");
ssize_t tap_guard_receive(void *session, void *bytes, size_t n) __asm__("gnutls_record_recv");

/* gnutls_datum_t and the calls that take it, as GnuTLS has had them since version 3.4. */
struct tls_datum {
    unsigned char *data;
    unsigned int size;
};
typedef int handshake_fn(void *session);
typedef ssize_t receive_fn(void *session, void *bytes, size_t n);
typedef const struct tls_datum *peers_fn(const void *session, unsigned int *ret_n);
/* GNUTLS_E_UNEXPECTED_PACKET and GNUTLS_E_CERTIFICATE_ERROR; either ends the connection. */
#define TLS_UNEXPECTED_PACKET (-15)
#define TLS_CERTIFICATE_ERROR (-43)

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

void tap_guard_begin_anew(struct tap_guard *guard)
{
    guard->is_connected = guard->has_out = false;
    guard->received = 0;
    guard->asked = 0;
    guard->http_status = 0;
    guard->n_groups = 0;
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

static bool is_tunnel(const struct tap_guard *guard)
{
    return guard->is_http && guard->http_status / 100 == 2;
}

/* The first one; over HTTP the same once more with the password, and the one that is written. */
static bool is_due(const struct tap_guard *guard)
{
    if (!guard->is_connected)
        return guard->connect_errno == 0;
    return is_tunnel(guard) ? !guard->has_out
                            : guard->is_http && guard->http_status == HTTP_UNAUTHORIZED &&
                                  guard->asked < HTTP_ASKED_MAX;
}

static void note_connected(struct tap_guard *guard, int fd)
{
    guard->has_out = is_tunnel(guard);
    if (guard->has_out)
        return;
    guard->fd = fd;
    guard->ahead_at = guard->ahead_end = 0;
    guard->session = NULL;
    guard->asked++;
    guard->head_len = 0;
    guard->http_status = 0;
}

static int guarded_connect(struct tap_guard *guard, int fd, const struct sockaddr *addr,
                           socklen_t len)
{
    if (!is_due(guard) || !is_the_address(guard, addr)) {
        bool is_refused = guard->is_http && !is_tunnel(guard);
        guard->was_led_away |= guard->is_connected && !is_refused;
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
    if (error == 0)
        note_connected(guard, fd);
    errno = error;
    return error == 0 ? 0 : -1;
}

static const struct sockaddr *camera_of(const struct tap_guard *guard)
{
    return (const struct sockaddr *)(const void *)&guard->addr;
}

static bool is_stream(int fd)
{
    int type = SOCK_STREAM;
    socklen_t size = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type == SOCK_STREAM;
}

int tap_guard_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    if (current == NULL)
        return raw_connect(fd, addr, len);
    if (is_stream(fd))
        return guarded_connect(current, fd, addr, len);
    if (tap_address_is_same_host(camera_of(current), addr))
        return raw_connect(fd, addr, len);
    errno = EACCES;
    return -1;
}

static int raw_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    return (int)syscall(SYS_bind, fd, addr, len);
}

/* libavformat binds to the group, and to any address where that fails. */
static int bind_to_group(struct tap_guard *guard, int fd, const struct sockaddr *addr,
                         socklen_t len)
{
    bool is_fit =
        tap_group_is_fit(addr, camera_of(guard)) && guard->n_groups < TAP_GUARD_GROUPS_MAX;
    guard->is_bad_group |= !is_fit;
    if (!is_fit) {
        errno = EACCES;
        return -1;
    }
    guard->n_groups++;
    return tap_group_shut(fd, addr->sa_family) == 0 ? raw_bind(fd, addr, len) : -1;
}

int tap_guard_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    return current != NULL && current->is_multicast && !is_stream(fd)
               ? bind_to_group(current, fd, addr, len)
               : raw_bind(fd, addr, len);
}

static int raw_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

/* The socket is bound to the group already, by us. What libavformat asks for is a membership for
 * all sources; it gets the one that is meant. */
static int join(const struct tap_guard *guard, int fd)
{
    struct sockaddr_storage group = {0};
    socklen_t len = sizeof(group);
    if (guard->is_multicast && getsockname(fd, (struct sockaddr *)&group, &len) == 0 &&
        tap_group_is_fit((const struct sockaddr *)&group, camera_of(guard)))
        return tap_group_join(fd, (const struct sockaddr *)&group, camera_of(guard),
                              tap_group_interface(guard->fd));
    errno = EACCES;
    return -1;
}

int tap_guard_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    bool is_join = (level == IPPROTO_IP && name == IP_ADD_MEMBERSHIP) ||
                   (level == IPPROTO_IPV6 && name == IPV6_ADD_MEMBERSHIP);
    bool is_ip = level == IPPROTO_IP || level == IPPROTO_IPV6;
    bool is_other_join = (level == IPPROTO_IP && name == IP_ADD_SOURCE_MEMBERSHIP) ||
                         (is_ip && (name == MCAST_JOIN_GROUP || name == MCAST_JOIN_SOURCE_GROUP));
    if (current == NULL || !(is_join || is_other_join))
        return raw_setsockopt(fd, level, name, value, len);
    if (is_join)
        return join(current, fd);
    errno = EACCES;
    return -1;
}

ssize_t tap_guard_sendto(int fd, const void *bytes, size_t n, int flags,
                         const struct sockaddr *addr, socklen_t len)
{
    if (current != NULL && addr != NULL && !tap_address_is_same_host(camera_of(current), addr)) {
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

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* As libavformat reads it: "HTTP/1.x NNN". False: it is to see nothing of that; errno is set. */
static bool check_http(struct tap_guard *guard, const char *bytes, size_t n)
{
    static const char start[] = "HTTP/1.";
    size_t room = sizeof(guard->head) - guard->head_len;
    const char *head = guard->head;
    memcpy(guard->head + guard->head_len, bytes, n < room ? n : room);
    guard->head_len += n < room ? n : room;
    size_t len = guard->head_len < sizeof(start) - 1 ? guard->head_len : sizeof(start) - 1;
    bool is_whole = guard->head_len == sizeof(guard->head);
    bool is_good = memcmp(head, start, len) == 0 &&
                   (!is_whole || (is_digit(head[7]) && head[8] == ' ' && head[9] >= '1' &&
                                  head[9] <= '5' && is_digit(head[10]) && is_digit(head[11])));
    guard->is_not_rtsp |= !is_good;
    if (is_good && is_whole)
        guard->http_status = (head[9] - '0') * 100 + (head[10] - '0') * 10 + head[11] - '0';
    guard->was_led_away |= guard->http_status / 100 == 3;
    errno = is_good ? EACCES : EPROTO;
    return is_good && guard->http_status / 100 != 3;
}

static bool awaits_status(const struct tap_guard *guard)
{
    return guard->is_http && guard->head_len < sizeof(guard->head);
}

static ssize_t checked_recv(struct tap_guard *guard, int fd, void *bytes, size_t n, int flags)
{
    ssize_t got = syscall(SYS_recvfrom, fd, bytes, n, flags, NULL, NULL);
    if (got <= 0)
        return got;
    bool is_answer = !guard->is_tls && fd == guard->fd && awaits_status(guard);
    if (is_answer && !check_http(guard, bytes, (size_t)got))
        return -1;
    if (guard->received == 0 && !guard->is_tls && !guard->is_http &&
        !looks_like_rtsp(bytes, (size_t)got)) {
        guard->is_not_rtsp = true;
        errno = EPROTO;
        return -1;
    }
    guard->received += (uint64_t)got;
    return got;
}

static void note_ahead(struct tap_guard *guard, size_t got)
{
    guard->ahead_at = 0;
    guard->ahead_end = got;
    guard->handful += got;
}

static bool has_ahead(const struct tap_guard *guard, int fd)
{
    return guard->is_connected && fd == guard->fd && guard->ahead_at < guard->ahead_end;
}

ssize_t tap_guard_recv(int fd, void *bytes, size_t n, int flags)
{
    struct tap_guard *guard = current;
    if (guard == NULL)
        return syscall(SYS_recvfrom, fd, bytes, n, flags, NULL, NULL);
    if (!guard->is_connected || fd != guard->fd || flags != 0)
        return checked_recv(guard, fd, bytes, n, flags);
    if (!has_ahead(guard, fd)) {
        ssize_t got = checked_recv(guard, fd, guard->ahead, sizeof(guard->ahead), 0);
        if (got <= 0)
            return got;
        note_ahead(guard, (size_t)got);
    }
    size_t left = guard->ahead_end - guard->ahead_at;
    size_t taken = n < left ? n : left;
    memcpy(bytes, guard->ahead + guard->ahead_at, taken);
    guard->ahead_at += taken;
    return (ssize_t)taken;
}

static int raw_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    return (int)syscall(SYS_ppoll, fds, n, timeout_ms < 0 ? NULL : &timeout, NULL, 0);
}

static bool is_of_ahead(const struct tap_guard *guard, const struct pollfd *one)
{
    return (one->events & POLLIN) != 0 && has_ahead(guard, one->fd);
}

/* What is there already is there, whatever the others say. */
static int poll_with_ahead(const struct tap_guard *guard, struct pollfd *fds, nfds_t n)
{
    if (n > 1 && raw_poll(fds, n, 0) < 0)
        return -1;
    int ready = 0;
    for (nfds_t i = 0; i < n; i++) {
        short others = n > 1 ? fds[i].revents : 0;
        fds[i].revents = is_of_ahead(guard, &fds[i]) ? (short)(others | POLLIN) : others;
        ready += fds[i].revents != 0;
    }
    return ready;
}

static bool is_read_up(const struct tap_guard *guard)
{
    return guard->ahead_end < sizeof(guard->ahead);
}

/* Only where all that had come was read; and never where the kernel would throw away what it cannot
 * keep meanwhile, as it does with UDP. After a large handful the next one is to be smaller, so that
 * no camera has to wait until there is room. */
static void nap(struct tap_guard *guard)
{
    int nap_ms = guard->nap_ms != NULL ? atomic_load(guard->nap_ms) : 0;
    if (nap_ms <= 0 || !is_read_up(guard))
        return;
    int64_t us = (int64_t)nap_ms * (guard->handful > HANDFUL_BYTES ? 500 : 1000);
    struct timespec most = {us / 1000000, us % 1000000 * 1000};
    guard->handful = 0;
    syscall(SYS_futex, guard->nap_ms, FUTEX_WAIT_PRIVATE, nap_ms, &most, NULL, 0);
}

void tap_guard_rouse(atomic_int *nap_ms)
{
    syscall(SYS_futex, nap_ms, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* What is there already need not be asked for first. */
static bool fetch_ahead(struct tap_guard *guard)
{
    ssize_t got = syscall(SYS_recvfrom, guard->fd, guard->ahead, sizeof(guard->ahead), MSG_DONTWAIT,
                          NULL, NULL);
    if (got <= 0)
        return false;
    note_ahead(guard, (size_t)got);
    guard->received += (uint64_t)got;
    return true;
}

/* The connection that is played from, with nothing else to wait for. */
static bool is_playing(const struct tap_guard *guard, const struct pollfd *fds, nfds_t n)
{
    return guard != NULL && n == 1 && fds->events == POLLIN && guard->nap_ms != NULL &&
           guard->is_connected && fds->fd == guard->fd && guard->received > 0;
}

int tap_guard_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    struct tap_guard *guard = current;
    bool has_any = false;
    for (nfds_t i = 0; guard != NULL && i < n; i++)
        has_any = has_any || is_of_ahead(guard, &fds[i]);
    if (!has_any && is_playing(guard, fds, n)) {
        nap(guard);
        has_any = fetch_ahead(guard);
    }
    int ready = has_any ? poll_with_ahead(guard, fds, n) : raw_poll(fds, n, timeout_ms);
    if (guard != NULL)
        guard->waits = ready == 0;
    return ready;
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
    if (!current->is_other_pin && !current->has_out)
        current->session = session;
    return current->is_other_pin ? TLS_CERTIFICATE_ERROR : 0;
}

/* Asked for each packet, and several times: looked up once. */
static receive_fn *real_receive(void)
{
    static _Atomic(receive_fn *) known;
    receive_fn *receive = atomic_load_explicit(&known, memory_order_relaxed);
    if (receive == NULL) {
        receive = (receive_fn *)(uintptr_t)dlsym(RTLD_NEXT, "gnutls_record_recv");
        atomic_store_explicit(&known, receive, memory_order_relaxed);
    }
    return receive;
}

ssize_t tap_guard_receive(void *session, void *bytes, size_t n)
{
    struct tap_guard *guard = current;
    receive_fn *receive = real_receive();
    ssize_t got = receive != NULL ? receive(session, bytes, n) : TLS_UNEXPECTED_PACKET;
    bool is_answer = got > 0 && guard != NULL && session == guard->session && awaits_status(guard);
    if (!is_answer || check_http(guard, bytes, (size_t)got))
        return got;
    memset(bytes, 0, (size_t)got);
    return TLS_UNEXPECTED_PACKET;
}

bool tap_guard_sees_tls(void)
{
    return dlsym(RTLD_DEFAULT, "gnutls_handshake") == (void *)(uintptr_t)&tap_guard_handshake &&
           dlsym(RTLD_DEFAULT, "gnutls_record_recv") == (void *)(uintptr_t)&tap_guard_receive &&
           dlsym(RTLD_NEXT, "gnutls_handshake") != NULL &&
           dlsym(RTLD_NEXT, "gnutls_record_recv") != NULL &&
           dlsym(RTLD_NEXT, "gnutls_certificate_get_peers") != NULL;
}

bool tap_guard_is_in_place(void)
{
    return dlsym(RTLD_DEFAULT, "connect") == (void *)(uintptr_t)&tap_guard_connect &&
           dlsym(RTLD_DEFAULT, "sendto") == (void *)(uintptr_t)&tap_guard_sendto &&
           dlsym(RTLD_DEFAULT, "recv") == (void *)(uintptr_t)&tap_guard_recv &&
           dlsym(RTLD_DEFAULT, "poll") == (void *)(uintptr_t)&tap_guard_poll &&
           dlsym(RTLD_DEFAULT, "bind") == (void *)(uintptr_t)&tap_guard_bind &&
           dlsym(RTLD_DEFAULT, "setsockopt") == (void *)(uintptr_t)&tap_guard_setsockopt &&
           dlsym(RTLD_DEFAULT, "getaddrinfo") == (void *)(uintptr_t)&tap_guard_getaddrinfo;
}
