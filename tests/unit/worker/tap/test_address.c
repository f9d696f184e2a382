/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "tests/unit/check.h"

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage addr = {0};
    bool is_v6 = strchr(text, ':') != NULL;
    addr.ss_family = is_v6 ? AF_INET6 : AF_INET;
    void *ip = is_v6 ? (void *)&((struct sockaddr_in6 *)(void *)&addr)->sin6_addr
                     : (void *)&((struct sockaddr_in *)(void *)&addr)->sin_addr;
    assert_int_equal(inet_pton(addr.ss_family, text, ip), 1);
    return addr;
}

static bool is_denied(const char *text)
{
    struct sockaddr_storage addr = address(text);
    return tap_address_is_denied((const struct sockaddr *)(const void *)&addr);
}

static void what_is_no_camera_is_denied_in_every_disguise(void **state)
{
    (void)state;
    static const char *const denied[] = {
        "127.0.0.1",        "127.255.0.1", "0.0.0.0",
        "0.1.2.3",          "224.0.0.1",   "239.255.255.250",
        "255.255.255.255",  "240.0.0.1",   "169.254.169.254",
        "100.100.100.200",  "::",          "::1",
        "fe80::1",          "ff02::1",     "fd00:ec2::254",
        "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
        "2002:7f00:1::",    "febf::1",     "::ffff:169.254.169.254",
    };
    static const char *const allowed[] = {"10.1.2.3",    "172.16.0.9",  "192.168.1.64",
                                          "203.0.113.9", "2001:db8::1", "fd12:3456::1",
                                          "128.0.0.1",   "100.64.0.1",  "::ffff:192.168.1.64"};
    for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
        assert_true(is_denied(denied[i]));
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
        assert_false(is_denied(allowed[i]));
}

static void a_good_url_is_taken_apart(void **state)
{
    (void)state;
    struct tap_url url;
    assert_int_equal(tap_url_parse("rtsp://nvr.example:8554/a/b?c=1&d=2", &url, NULL), WEIR_OK);
    assert_string_equal(url.host, "nvr.example");
    assert_int_equal(url.port, 8554);
    assert_string_equal(url.rest, "/a/b?c=1&d=2");
    assert_false(url.is_tls);
    assert_int_equal(tap_url_parse("RTSPS://[2001:db8::1]", &url, NULL), WEIR_OK);
    assert_string_equal(url.host, "2001:db8::1");
    assert_int_equal(url.port, 322);
    assert_string_equal(url.rest, "/");
    assert_int_equal(tap_url_parse("rtsp://h?x", &url, NULL), WEIR_OK);
    assert_string_equal(url.rest, "/?x");
}

static void a_bad_url_is_refused_without_being_repeated(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "http://secret/x",
        "file:///secret",
        "rtsp://",
        "rtsp:///secret",
        "rtsp://secret@host/",
        "rtsp://user:secret@host/",
        "rtsp://host:0/secret",
        "rtsp://host:65536/secret",
        "rtsp://host:12ab/secret",
        "rtsp://host:/secret",
        "rtsp://[::1/secret",
        "rtsp://[::1]x/secret",
        "rtsp://ho st/secret",
        "rtsp://host/secret\r\nX: y",
        "rtsp://host/secret#fragment",
        "rtsp://host\\@secret/",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct tap_url url;
        struct weir_err err = {0};
        assert_int_equal(tap_url_parse(bad[i], &url, &err), WEIR_EINVAL);
        assert_null(strstr(err.msg, "secret"));
    }
}

static void credentials_are_escaped_where_they_would_end_early(void **state)
{
    (void)state;
    struct tap_url url;
    struct weir_buf out = {0};
    struct sockaddr_storage addr = address("192.0.2.1");
    assert_int_equal(tap_url_parse("rtsp://cam/s", &url, NULL), WEIR_OK);
    assert_int_equal(tap_url_write(&url, &addr, "a:d@m", "p@ss:w/ö rd", &out, NULL), WEIR_OK);
    assert_string_equal(out.bytes, "rtsp://a%3Ad%40m:p%40ss%3Aw%2Fö%20rd@192.0.2.1:554/s");
    weir_buf_clear(&out);
    addr = address("2001:db8::1");
    assert_int_equal(tap_url_write(&url, &addr, NULL, NULL, &out, NULL), WEIR_OK);
    assert_string_equal(out.bytes, "rtsp://[2001:db8::1]:554/s");
    weir_buf_done(&out);
}

static void credentials_that_the_reader_would_cut_are_refused(void **state)
{
    (void)state;
    struct tap_url url;
    struct weir_buf out = {0};
    char password[128];
    memset(password, 'x', sizeof(password) - 1);
    password[127] = '\0';
    struct sockaddr_storage addr = address("192.0.2.1");
    assert_int_equal(tap_url_parse("rtsp://cam/s", &url, NULL), WEIR_OK);
    assert_int_equal(tap_url_write(&url, &addr, "u", password, &out, NULL), WEIR_ELIMIT);
    weir_buf_done(&out);
}

static void every_address_of_a_name_is_checked(void **state)
{
    (void)state;
    struct tap_url url;
    struct sockaddr_storage addr;
    assert_int_equal(tap_url_parse("rtsp://localhost/s", &url, NULL), WEIR_OK);
    assert_int_equal(tap_address_resolve(&url, false, 0, &addr, NULL), WEIR_EFORBIDDEN);
    assert_int_equal(tap_address_resolve(&url, true, 7, &addr, NULL), WEIR_OK);
    assert_int_equal(tap_url_parse("rtsp://239.0.0.1/s", &url, NULL), WEIR_OK);
    assert_int_equal(tap_address_resolve(&url, true, 0, &addr, NULL), WEIR_EFORBIDDEN);
    assert_int_equal(tap_url_parse("rtsp://10.0.0.1:99/s", &url, NULL), WEIR_OK);
    assert_int_equal(tap_address_resolve(&url, false, 3, &addr, NULL), WEIR_OK);
    assert_int_equal(ntohs(((struct sockaddr_in *)(void *)&addr)->sin_port), 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_camera_is_denied_in_every_disguise),
        cmocka_unit_test(a_good_url_is_taken_apart),
        cmocka_unit_test(a_bad_url_is_refused_without_being_repeated),
        cmocka_unit_test(credentials_are_escaped_where_they_would_end_early),
        cmocka_unit_test(credentials_that_the_reader_would_cut_are_refused),
        cmocka_unit_test(every_address_of_a_name_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
