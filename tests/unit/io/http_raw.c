/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/io/http_raw.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/check.h"

int http_raw_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

void http_raw_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        bytes += n;
        len -= (size_t)n;
    }
}

void http_raw_read(int fd, int64_t quiet_ms, struct http_raw_answer *answer)
{
    *answer = (struct http_raw_answer){0};
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    while (answer->len < sizeof(answer->bytes) - 1 && poll(&poller, 1, (int)quiet_ms) > 0) {
        ssize_t n =
            recv(fd, answer->bytes + answer->len, sizeof(answer->bytes) - 1 - answer->len, 0);
        if (n <= 0) {
            answer->is_closed = true;
            return;
        }
        answer->len += (size_t)n;
    }
}

void http_raw_exchange(int port, const char *bytes, size_t len, int64_t quiet_ms,
                       struct http_raw_answer *answer)
{
    int fd = http_raw_connect(port);
    http_raw_send(fd, bytes, len);
    http_raw_read(fd, quiet_ms, answer);
    close(fd);
}

int http_raw_status(const struct http_raw_answer *answer)
{
    return strncmp(answer->bytes, "HTTP/1.", 7) == 0 ? atoi(answer->bytes + 9) : 0;
}

int http_raw_count(const struct http_raw_answer *answer)
{
    int n = 0;
    for (const char *at = answer->bytes; (at = strstr(at, "HTTP/1.")) != NULL; at += 7) {
        n++;
    }
    return n;
}
