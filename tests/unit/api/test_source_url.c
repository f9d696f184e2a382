/* SPDX-License-Identifier: Apache-2.0 */
#include "api/source_url.h"

#include <string.h>

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
        "rtsp://2130706433/x",
        "rtsp://0x7f000001/x",
        "rtsp://0177.0.0.1/x",
        "rtsp://127.1/x",
        "rtsp://127.0.0.1./x",
        "rtsp://[fe80::1%25eth0]/x",
        "rtsp://[fe80::1%eth0]/x",
        "rtsp://%31%32%37.0.0.1/x",
        "rtsp://fe80::1/x",
    };
    char host[API_HOST_MAX + 1];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (api_source_url_check(bad[i], host, NULL) != WEIR_ESEMANTIC) {
            fail_msg("taken: %s", bad[i]);
        }
    }
}

static void a_literal_address_is_judged_and_the_answer_says_what_to_do(void **state)
{
    (void)state;
    struct weir_reach reach = {0};
    struct weir_err err = {0};
    ASSERT_OK(weir_networks_parse("public 192.168.0.0/16", &reach.tenant, &err), &err);
    ASSERT_OK(api_source_url_judge("192.168.1.64", &reach, &err), &err);
    ASSERT_OK(api_source_url_judge("[2606:4700::1]", &reach, &err), &err);
    ASSERT_OK(api_source_url_judge("cam.example.com", &reach, &err), &err);
    assert_int_equal(api_source_url_judge("127.0.0.1", &reach, &err), WEIR_ESEMANTIC);
    assert_non_null(strstr(err.msg, "a loopback address"));
    assert_int_equal(api_source_url_judge("[::ffff:169.254.169.254]", &reach, &err),
                     WEIR_ESEMANTIC);
    assert_non_null(strstr(err.msg, "a metadata service's address"));
    assert_int_equal(api_source_url_judge("localhost.", &reach, &err), WEIR_ESEMANTIC);
    assert_int_equal(api_source_url_judge("10.0.0.9", &reach, &err), WEIR_ESEMANTIC);
    assert_non_null(strstr(err.msg, "names 10.0.0.9,"));
    assert_non_null(strstr(err.msg, "(public 192.168.0.0/16)"));
    assert_non_null(strstr(err.msg, "camera_networks"));
    reach.allow_local = true;
    ASSERT_OK(api_source_url_judge("127.0.0.1", &reach, &err), &err);
    ASSERT_OK(api_source_url_judge("localhost", &reach, &err), &err);
    assert_int_equal(api_source_url_judge("169.254.169.254", &reach, &err), WEIR_ESEMANTIC);
}

static void a_long_list_is_cut_in_the_answer(void **state)
{
    (void)state;
    struct weir_reach reach = {0};
    struct weir_err err = {0};
    ASSERT_OK(weir_networks_parse("10.0.0.0/24 10.0.1.0/24 10.0.2.0/24 10.0.3.0/24 10.0.4.0/24 "
                                  "10.0.5.0/24 10.0.6.0/24 10.0.7.0/24 10.0.8.0/24 10.0.9.0/24 "
                                  "10.1.5.0/24 10.1.6.0/24 10.1.7.0/24 10.1.8.0/24 10.1.9.0/24 "
                                  "10.2.5.0/24 10.2.6.0/24 10.2.7.0/24 10.2.8.0/24 10.2.9.0/24",
                                  &reach.tenant, &err),
              &err);
    assert_int_equal(api_source_url_judge("10.9.0.1", &reach, &err), WEIR_ESEMANTIC);
    assert_non_null(strstr(err.msg, " ...); give an address"));
    assert_non_null(strstr(err.msg, "camera_networks"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_cameras_are_taken_and_their_host_is_told),
        cmocka_unit_test(other_addresses_are_refused),
        cmocka_unit_test(a_literal_address_is_judged_and_the_answer_says_what_to_do),
        cmocka_unit_test(a_long_list_is_cut_in_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
