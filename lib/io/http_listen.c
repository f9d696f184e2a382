/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/http_listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/str.h"

#define BACKLOG     1024
#define SOCKET_TYPE (SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

static enum weir_code listen_unix(const char *path, int *ret_fd, struct weir_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!WEIR_STR_SET(address.sun_path, path) || !path[0]) {
        return weir_fail(err, WEIR_EINVAL, "'%s' is no path for a socket (1 to %zu bytes)", path,
                         sizeof(address.sun_path) - 1);
    }
    int fd = socket(AF_UNIX, SOCKET_TYPE, 0);
    if (fd < 0) {
        return weir_fail(err, WEIR_EUNAVAILABLE, "socket: %s", strerror(errno));
    }
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || chmod(path, 0600) != 0 ||
        listen(fd, BACKLOG) != 0) {
        enum weir_code code =
            weir_fail(err, WEIR_EUNAVAILABLE, "cannot listen on %s: %s", path, strerror(errno));
        close(fd);
        return code;
    }
    *ret_fd = fd;
    return WEIR_OK;
}

/* Splits at the last colon; brackets around the host are cut. */
static enum weir_code split(const char *text, char host[static 256], const char **ret_port,
                            struct weir_err *err)
{
    const char *colon = strrchr(text, ':');
    int64_t port;
    if (!colon || colon == text || (size_t)(colon - text) >= 256 ||
        weir_str_to_int(colon + 1, 0, 65535, &port, NULL) != WEIR_OK) {
        return weir_fail(err, WEIR_EINVAL, "'%s' is not host:port", text);
    }
    size_t len = (size_t)(colon - text);
    bool has_brackets = text[0] == '[' && colon[-1] == ']' && len > 2;
    snprintf(host, 256, "%.*s", (int)(has_brackets ? len - 2 : len), text + has_brackets);
    *ret_port = colon + 1;
    return WEIR_OK;
}

static int bind_one(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, SOCKET_TYPE, 0);
    int on = 1;
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    getsockname(fd, (struct sockaddr *)&address, &len);
    /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): all of it was zero before */
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

enum weir_code weir_http_listen(const char *text, int *ret_fd, int *ret_port, struct weir_err *err)
{
    if (weir_str_starts_with(text, "unix:")) {
        *ret_port = 0;
        return listen_unix(text + 5, ret_fd, err);
    }
    char host[256];
    const char *port = "";
    enum weir_code code = split(text, host, &port, err);
    if (code != WEIR_OK) {
        return code;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *infos = NULL;
    int failed = getaddrinfo(host, port, &hints, &infos);
    if (failed) {
        return weir_fail(err, WEIR_EINVAL, "'%s': %s", text, gai_strerror(failed));
    }
    int fd = bind_one(infos);
    freeaddrinfo(infos);
    if (fd < 0) {
        return weir_fail(err, WEIR_EUNAVAILABLE, "cannot listen on %s: %s", text, strerror(errno));
    }
    *ret_fd = fd;
    *ret_port = port_of(fd);
    return WEIR_OK;
}
