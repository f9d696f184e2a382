/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/rtsp.h"

#include <string.h>

#include "tests/unit/check.h"

static enum tap_rtsp_item next(const char *text, struct tap_rtsp_answer *answer, size_t *used)
{
    return tap_rtsp_next(text, strlen(text), answer, used);
}

static void an_answer_is_read_with_its_session_and_body(void **state)
{
    (void)state;
    const char *text = "RTSP/1.0 200 OK\r\nCSeq: 3\r\nsession:  abc123 ;timeout=60\r\n"
                       "Content-Length: 4\r\n\r\nbodyRTSP/1.0";
    struct tap_rtsp_answer answer;
    size_t used = 0;
    assert_int_equal(next(text, &answer, &used), TAP_RTSP_ANSWER);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.cseq, 3);
    assert_string_equal(answer.session, "abc123");
    assert_int_equal(used, strlen(text) - strlen("RTSP/1.0"));
}

static void every_cut_needs_more_bytes(void **state)
{
    (void)state;
    const char *text = "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nContent-Length: 2\r\n\r\nxx";
    struct tap_rtsp_answer answer;
    size_t used = 0;
    for (size_t n = 0; n < strlen(text); n++)
        assert_int_equal(tap_rtsp_next(text, n, &answer, &used), TAP_RTSP_MORE);
    assert_int_equal(next(text, &answer, &used), TAP_RTSP_ANSWER);
    assert_int_equal(answer.status, 401);
}

static void interleaved_frames_and_requests_are_told_apart(void **state)
{
    (void)state;
    struct tap_rtsp_answer answer;
    size_t used = 0;
    assert_int_equal(tap_rtsp_next("$\1\0\3abcR", 8, &answer, &used), TAP_RTSP_FRAME);
    assert_int_equal(used, 7);
    assert_int_equal(tap_rtsp_next("$\1\0\3ab", 6, &answer, &used), TAP_RTSP_MORE);
    assert_int_equal(next("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", &answer, &used), TAP_RTSP_ASKED);
}

static void nonsense_is_broken(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\r\n\r\n",
        "RTSP/1.0 20 OK\r\n\r\n",
        "RTSP/1.0 999 OK\r\n\r\n",
        "RTSP/1.0 200x\r\n\r\n",
        "RTSP/2.0 200 OK\r\n\r\n",
        "\r\n\r\n",
        "RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        "RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        "RTSP/1.0 200 OK\r\nSession: 012345678901234567890123456789012345678901234567890123456789"
        "0123456789\r\n\r\n",
        "RTSP/1.0 200 OK\r\nSession: a\tb\r\n\r\n",
    };
    struct tap_rtsp_answer answer = {.status = 1};
    size_t used = 77;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(next(texts[i], &answer, &used), TAP_RTSP_BROKEN);
    assert_int_equal(answer.status, 1);
    assert_int_equal(used, 77);
}

static void an_endless_head_is_broken(void **state)
{
    (void)state;
    static char text[TAP_RTSP_HEAD_MAX];
    struct tap_rtsp_answer answer;
    size_t used;
    memset(text, 'A', sizeof(text));
    memcpy(text, "RTSP/1.0 200 OK\r\nX: ", 20);
    assert_int_equal(tap_rtsp_next(text, sizeof(text) - 1, &answer, &used), TAP_RTSP_MORE);
    assert_int_equal(tap_rtsp_next(text, sizeof(text), &answer, &used), TAP_RTSP_BROKEN);
}

static void an_http_status_is_read(void **state)
{
    (void)state;
    assert_int_equal(tap_http_status("HTTP/1.1 200 OK\r\n", 17), 200);
    assert_int_equal(tap_http_status("HTTP/1.1 404 Not Found", 22), 404);
    assert_int_equal(tap_http_status("HTTP/1.1 2", 10), 0);
    assert_int_equal(tap_http_status("", 0), 0);
    assert_int_equal(tap_http_status("SSH-2.0-OpenSSH", 15), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read_with_its_session_and_body),
        cmocka_unit_test(every_cut_needs_more_bytes),
        cmocka_unit_test(interleaved_frames_and_requests_are_told_apart),
        cmocka_unit_test(nonsense_is_broken),
        cmocka_unit_test(an_endless_head_is_broken),
        cmocka_unit_test(an_http_status_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
