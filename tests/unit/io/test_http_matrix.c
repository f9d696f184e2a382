/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thirty malformed or ambiguous requests, each followed by a well-formed probe on the same
 * connection: none may reach a handler, none may let the probe through, none may hang. Run it again
 * whenever libmicrohttpd changes: what the gate sees of a broken line depends on how it parses.
 */
#include <stdatomic.h>
#include <string.h>

#include "lib/io/http_server.h"
#include "tests/unit/check.h"
#include "tests/unit/io/http_raw.h"

#define PROBE "GET /probe HTTP/1.1\r\nHost: t\r\n\r\n"

struct bad_request {
    const char *what;
    const char *bytes;
    size_t len;
};
#define BAD(what, bytes)                                                                           \
    {                                                                                              \
        what, bytes, sizeof(bytes) - 1                                                             \
    }

static const struct bad_request matrix[] = {
    BAD("two Content-Length", "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n"
                              "Content-Length: 6\r\n\r\nhello"),
    BAD("two equal Content-Length", "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n"
                                    "Content-Length: 5\r\n\r\nhello"),
    BAD("Content-Length and Transfer-Encoding",
        "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD("chunked body", "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "5\r\nhello\r\n0\r\n\r\n"),
    BAD("two Transfer-Encoding", "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n"
                                 "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    BAD("unknown Transfer-Encoding",
        "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    BAD("list of Transfer-Encodings",
        "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    BAD("hexadecimal chunk size prefix",
        "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0x5\r\nhello\r\n0\r\n\r\n"),
    BAD("Content-Length with a plus",
        "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: +5\r\n\r\nhello"),
    BAD("Content-Length negative",
        "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: -5\r\n\r\nhello"),
    BAD("Content-Length in hexadecimal",
        "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 0x5\r\n\r\nhello"),
    BAD("Content-Length as a list",
        "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5, 5\r\n\r\nhello"),
    BAD("Content-Length empty", "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length:\r\n\r\nhello"),
    BAD("Content-Length past 64 bits",
        "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 18446744073709551621\r\n\r\nhello"),
    BAD("space before the colon",
        "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length : 5\r\n\r\nhello"),
    BAD("folded header", "GET /echo HTTP/1.1\r\nHost: t\r\nX-A: b\r\n c\r\n\r\n"),
    BAD("first header begins with a space", "GET /echo HTTP/1.1\r\n Host: t\r\nX-A: b\r\n\r\n"),
    BAD("bare CR in a value", "GET /echo HTTP/1.1\r\nHost: t\r\nX-A: b\rX-C: d\r\n\r\n"),
    BAD("header without a colon", "GET /echo HTTP/1.1\r\nHost: t\r\nnonsense\r\n\r\n"),
    BAD("header name with a slash", "GET /echo HTTP/1.1\r\nHost: t\r\nX/A: b\r\n\r\n"),
    BAD("no Host", "GET /echo HTTP/1.1\r\nX-A: b\r\n\r\n"),
    BAD("two Host", "GET /echo HTTP/1.1\r\nHost: t\r\nHost: u\r\n\r\n"),
    BAD("two Authorization", "GET /echo HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer a\r\n"
                             "Authorization: Bearer b\r\n\r\n"),
    BAD("NUL escaped in the target", "GET /echo%00 HTTP/1.1\r\nHost: t\r\n\r\n"),
    BAD("space in the target", "GET /echo a HTTP/1.1\r\nHost: t\r\n\r\n"),
    BAD("absolute target", "GET http://t/echo HTTP/1.1\r\nHost: t\r\n\r\n"),
    BAD("method in lower case", "get /echo HTTP/1.1\r\nHost: t\r\n\r\n"),
    BAD("unknown version", "GET /echo HTTP/3.7\r\nHost: t\r\n\r\n"),
    BAD("bare LF line ends", "GET /echo HTTP/1.1\nHost: t\n\n"),
    BAD("NUL in a value", "GET /echo HTTP/1.1\r\nHost: t\r\nX-A: b\0c\r\n\r\n"),
};

static atomic_int echo_calls;
static atomic_int probe_calls;

static void echo(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)ctx;
    (void)req;
    atomic_fetch_add(&echo_calls, 1);
    weir_http_text(res, 200, "echo\n");
}

static void probe(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)ctx;
    (void)req;
    atomic_fetch_add(&probe_calls, 1);
    weir_http_text(res, 200, "probe\n");
}

static void check_one(int port, const struct bad_request *bad)
{
    char bytes[1024];
    memcpy(bytes, bad->bytes, bad->len);
    memcpy(bytes + bad->len, PROBE, sizeof(PROBE) - 1);
    atomic_store(&echo_calls, 0);
    atomic_store(&probe_calls, 0);

    static struct http_raw_answer answer;
    http_raw_exchange(port, bytes, bad->len + sizeof(PROBE) - 1, 3000, &answer);
    int status = http_raw_status(&answer);
    if (atomic_load(&echo_calls) || atomic_load(&probe_calls) ||
        strstr(answer.bytes, "HTTP/1.1 200")) {
        fail_msg("%s: reached a handler: %s", bad->what, answer.bytes);
    }
    if (!answer.is_closed || (status != 0 && status < 400)) {
        fail_msg("%s: answered %d, closed %d", bad->what, status, answer.is_closed);
    }
}

static void ambiguous_requests_reach_no_handler(void **state)
{
    (void)state;
    static const struct weir_http_route routes[] = {
        {"GET", "/echo", echo, 0}, {"POST", "/echo", echo, 0}, {"GET", "/probe", probe, 0}};
    struct weir_http_server_config config = {
        .listen = "127.0.0.1:0", .routes = routes, .n_routes = 3, .pool_threads = 2};
    struct weir_http_server *server = NULL;
    struct weir_err err = {0};
    ASSERT_OK(weir_http_server_open(&config, &server, &err), &err);
    for (size_t i = 0; i < sizeof(matrix) / sizeof(matrix[0]); i++) {
        check_one(weir_http_server_port(server), &matrix[i]);
    }
    weir_http_server_close(&server, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ambiguous_requests_reach_no_handler)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
