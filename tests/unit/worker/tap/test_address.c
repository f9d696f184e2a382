/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>
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

static void over_http_the_port_is_that_of_https_where_none_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int port;
    } cases[] = {{"rtsps://cam/s", 443},
                 {"rtsps://cam:322/s", 322},
                 {"rtsps://[2001:db8::1]:8443", 8443},
                 {"rtsp://cam/s", 554},
                 {"rtsp://cam:80/s", 80}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tap_url url;
        assert_int_equal(tap_url_parse(cases[i].text, &url, NULL), WEIR_OK);
        tap_url_use_http(&url);
        assert_int_equal(url.port, cases[i].port);
    }
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
        "rtsp://2130706433/secret",
        "rtsp://0x7f.1/secret",
        "rtsp://127.0.0.1./secret",
        "rtsp://fe80::1/secret",
        "rtsp://[fe80::1%eth0]/secret",
        "rtsp://ho%73t/secret",
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

static enum weir_code resolve(const char *text, const struct weir_reach *reach, unsigned turn,
                              struct sockaddr_storage *ret)
{
    struct tap_url url;
    struct weir_err err = {0};
    ASSERT_OK(tap_url_parse(text, &url, &err), &err);
    return tap_address_resolve(&url, reach, turn, ret, NULL);
}

static void every_address_of_a_name_is_checked(void **state)
{
    (void)state;
    struct sockaddr_storage addr;
    struct weir_reach strict = {.tenant = {.has_public = true}};
    struct weir_reach local = {.allow_local = true};
    assert_int_equal(resolve("rtsp://localhost/s", &strict, 0, &addr), WEIR_EFORBIDDEN);
    assert_int_equal(resolve("rtsp://localhost/s", &local, 7, &addr), WEIR_OK);
    assert_int_equal(resolve("rtsp://239.0.0.1/s", &local, 0, &addr), WEIR_EFORBIDDEN);
    assert_int_equal(resolve("rtsp://10.0.0.1/s", &strict, 0, &addr), WEIR_EFORBIDDEN);
    assert_int_equal(weir_networks_add(&strict.tenant, "10.0.0.0/8", NULL), WEIR_OK);
    assert_int_equal(resolve("rtsp://10.0.0.1:99/s", &strict, 3, &addr), WEIR_OK);
    assert_int_equal(ntohs(((struct sockaddr_in *)(void *)&addr)->sin_port), 99);
    assert_int_equal(resolve("rtsp://[::ffff:10.0.0.1]/s", &strict, 0, &addr), WEIR_OK);
    assert_int_equal(resolve("rtsp://[::ffff:11.0.0.1]/s", &strict, 0, &addr), WEIR_OK);
    assert_int_equal(resolve("rtsp://[::ffff:127.0.0.1]/s", &strict, 0, &addr), WEIR_EFORBIDDEN);
    assert_int_equal(resolve("rtsp://no-such-name.invalid/s", &strict, 0, &addr), WEIR_ENOTFOUND);
}

/* Its services listen there as much as on loopback. */
static void this_machines_own_addresses_are_no_cameras(void **state)
{
    (void)state;
    struct ifaddrs *list = NULL;
    struct sockaddr_storage addr;
    struct weir_reach reach = {0};
    assert_int_equal(weir_networks_parse("0.0.0.0/0", &reach.tenant, NULL), WEIR_OK);
    assert_int_equal(getifaddrs(&list), 0);
    for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
        struct weir_ip ip;
        char url[WEIR_IP_TEXT_MAX + 16];
        char text[WEIR_IP_TEXT_MAX];
        if (at->ifa_addr != NULL && weir_ip_of(at->ifa_addr, &ip) && weir_ip_is_v4(&ip)) {
            snprintf(url, sizeof(url), "rtsp://%s/s", weir_ip_format(&ip, text));
            assert_int_equal(resolve(url, &reach, 0, &addr), WEIR_EFORBIDDEN);
        }
    }
    freeifaddrs(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_url_is_taken_apart),
        cmocka_unit_test(over_http_the_port_is_that_of_https_where_none_is_said),
        cmocka_unit_test(a_bad_url_is_refused_without_being_repeated),
        cmocka_unit_test(credentials_are_escaped_where_they_would_end_early),
        cmocka_unit_test(credentials_that_the_reader_would_cut_are_refused),
        cmocka_unit_test(every_address_of_a_name_is_checked),
        cmocka_unit_test(this_machines_own_addresses_are_no_cameras),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
