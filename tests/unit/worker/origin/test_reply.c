/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include <stdio.h>
#include <string.h>

#include "worker/origin/reply.h"

#define BODY_MAX 64

static enum weir_code fed(struct reply *reply, const char *text, size_t step)
{
    size_t len = strlen(text);
    reply_init(reply, BODY_MAX);
    for (size_t at = 0; at < len; at += step) {
        size_t n = len - at < step ? len - at : step;
        enum weir_code code = reply_feed(reply, text + at, n, NULL);
        if (code != WEIR_OK) {
            return code;
        }
    }
    return WEIR_OK;
}

/* In one piece and byte by byte must come to the same. */
static void expect_body(const char *text, int status, const char *body, bool keeps_alive)
{
    for (size_t step = 1; step < 200; step += 99) {
        struct reply reply;
        assert_int_equal(fed(&reply, text, step), WEIR_OK);
        assert_true(reply.is_done);
        assert_int_equal(reply.status, status);
        assert_int_equal(reply.body.len, strlen(body));
        assert_memory_equal(reply.body.len > 0 ? reply.body.bytes : "", body, strlen(body));
        assert_int_equal(reply.keeps_alive, keeps_alive);
        reply_done(&reply);
    }
}

static void expect_refused(const char *text, enum weir_code code)
{
    struct reply reply;
    assert_int_equal(fed(&reply, text, 1000), code);
    reply_done(&reply);
    assert_int_equal(fed(&reply, text, 1), code);
    reply_done(&reply);
}

static void a_body_with_a_length_is_read(void **state)
{
    (void)state;
    expect_body("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: x\r\n\r\nhello", 200, "hello",
                true);
    expect_body("HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n", 404, "", true);
    expect_body("HTTP/1.1 200\nContent-Length: 1 \n\nx", 200, "x", true);
}

static void a_chunked_body_is_put_together(void **state)
{
    (void)state;
    expect_body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n"
                "0\r\n\r\n",
                200, "hello!", true);
    expect_body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: 1\r\n\r\n", 200,
                "", true);
}

static void an_answer_without_a_body_ends_with_its_header(void **state)
{
    (void)state;
    expect_body("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", 204, "", false);
    expect_body("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, "", true);
}

static void what_is_no_http_is_refused(void **state)
{
    (void)state;
    expect_refused("HTTP/1.0 200 OK\r\n", WEIR_EPARSE);
    expect_refused("HTTP/1.1 100 Continue\r\n", WEIR_EPARSE);
    expect_refused("HTTP/1.1 2000 OK\r\n", WEIR_EPARSE);
    expect_refused("HTTP/1.1 2x0 OK\r\n", WEIR_EPARSE);
    expect_refused("\r\n", WEIR_EPARSE);
    expect_refused("SSH-2.0-x\r\n", WEIR_EPARSE);
}

static void a_body_of_unclear_length_is_refused(void **state)
{
    (void)state;
    expect_refused("HTTP/1.1 200 OK\r\n\r\n", WEIR_EPARSE);
    expect_refused("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
                   WEIR_EPARSE);
    expect_refused("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                   WEIR_EPARSE);
    expect_refused("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", WEIR_EPARSE);
    expect_refused("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", WEIR_EPARSE);
    expect_refused("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", WEIR_EPARSE);
    expect_refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", WEIR_EPARSE);
}

static void bad_chunks_are_refused(void **state)
{
    (void)state;
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    static const char *const chunks[] = {"x\r\n",  "\r\n",          "-1\r\n",
                                         "1 \r\n", "fffffffff\r\n", "1\r\nab\r\n"};
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "%s%s", head, chunks[i]);
        expect_refused(text, WEIR_EPARSE);
    }
}

static void more_than_the_answer_is_refused(void **state)
{
    (void)state;
    expect_refused("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", WEIR_EPARSE);
    expect_refused("HTTP/1.1 204 x\r\n\r\nHTTP/1.1 200 OK\r\n", WEIR_EPARSE);
}

static void limits_hold(void **state)
{
    char text[8192];
    (void)state;
    expect_refused("HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n", WEIR_ELIMIT);
    expect_refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n"
                   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
                   WEIR_ELIMIT);
    int n = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nX: ");
    memset(text + n, 'a', REPLY_LINE_MAX);
    text[n + REPLY_LINE_MAX] = '\0';
    expect_refused(text, WEIR_ELIMIT);
    size_t at = (size_t)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i <= REPLY_LINES_MAX; i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "X: y\r\n");
    }
    expect_refused(text, WEIR_ELIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_with_a_length_is_read),
        cmocka_unit_test(a_chunked_body_is_put_together),
        cmocka_unit_test(an_answer_without_a_body_ends_with_its_header),
        cmocka_unit_test(what_is_no_http_is_refused),
        cmocka_unit_test(a_body_of_unclear_length_is_refused),
        cmocka_unit_test(bad_chunks_are_refused),
        cmocka_unit_test(more_than_the_answer_is_refused),
        cmocka_unit_test(limits_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
