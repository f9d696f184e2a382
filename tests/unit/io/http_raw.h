/* SPDX-License-Identifier: Apache-2.0 */
/* Raw sockets for the HTTP tests: bytes in, bytes out, with a clock. */
#ifndef TESTS_UNIT_IO_HTTP_RAW_H
#define TESTS_UNIT_IO_HTTP_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_raw_answer {
    char bytes[65536]; /* NUL-terminated */
    size_t len;
    bool is_closed; /* the server closed the connection in time */
};

/* Connects to 127.0.0.1; fails the test when that does not work. */
int http_raw_connect(int port);

/* Sends all bytes; a reset meanwhile is fine. */
void http_raw_send(int fd, const char *bytes, size_t len);

/* Reads until the server closes or nothing came for `quiet_ms`. */
void http_raw_read(int fd, int64_t quiet_ms, struct http_raw_answer *answer);

/* Connects, sends, reads, closes. */
void http_raw_exchange(int port, const char *bytes, size_t len, int64_t quiet_ms,
                       struct http_raw_answer *answer);

/* Status of the first answer, 0 when there is none; how many answers came. */
int http_raw_status(const struct http_raw_answer *answer);
int http_raw_count(const struct http_raw_answer *answer);

#endif
