/* SPDX-License-Identifier: Apache-2.0 */
#include "api/source_url.h"

#include "tests/unit/check.h"

static void addresses_of_cameras_are_taken_and_their_host_is_told(void **state)
{
    (void)state;
    static const char *const good[][2] = {
        {"rtsp://10.0.0.9/live", "10.0.0.9"},
        {"RTSPS://Cam-1.Example.com:322/a/b?channel=1&x=%20", "cam-1.example.com"},
        {"rtsp://[2001:db8::1]:8554/x", "[2001:db8::1]"},
        {"rtsp://[::1]", "[::1]"},
        {"rtsp://host", "host"},
        {"rtsp://host?x=1", "host"},
        {"rtsp://host/a@b:c", "host"},
    };
    char host[API_HOST_MAX + 1];
    struct weir_err err = {0};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ASSERT_OK(api_source_url_check(good[i][0], host, &err), &err);
        assert_string_equal(host, good[i][1]);
    }
}

static void other_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "rtsp://",
        "rtsp:///x",
        "http://h/x",
        "file:///etc/passwd",
        "rtsp:/h/x",
        " rtsp://h/x",
        "rtsp://u:p@h/x",
        "rtsp://u@h/x",
        "rtsp://@h/x",
        "rtsp://h:0/x",
        "rtsp://h:65536/x",
        "rtsp://h:/x",
        "rtsp://h:+1/x",
        "rtsp://h:1:2/x",
        "rtsp://h /x",
        "rtsp://h/x y",
        "rtsp://h/x\r\nX: y",
        "rtsp://h/x#frag",
        "rtsp://h\\x",
        "rtsp://[::1/x",
        "rtsp://[]/x",
        "rtsp://[::g]/x",
        "rtsp://-h/x",
        "rtsp://h%40x/",
        "rtsp://h\xc3\xa4/x",
    };
    char host[API_HOST_MAX + 1];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (api_source_url_check(bad[i], host, NULL) != WEIR_ESEMANTIC) {
            fail_msg("taken: %s", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_cameras_are_taken_and_their_host_is_told),
        cmocka_unit_test(other_addresses_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
