/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/ip.h"

#include <string.h>

#include "tests/unit/check.h"

static struct weir_ip ip_of(const char *text)
{
    struct weir_ip ip;
    if (!weir_ip_parse(text, &ip))
        fail_msg("no address: %s", text);
    return ip;
}

static void both_spellings_of_an_ipv4_address_are_one(void **state)
{
    (void)state;
    char text[WEIR_IP_TEXT_MAX];
    struct weir_ip plain = ip_of("192.168.1.64");
    struct weir_ip mapped = ip_of("::FFFF:c0a8:0140");
    assert_true(weir_ip_equal(&plain, &mapped) && weir_ip_is_v4(&mapped));
    assert_string_equal(weir_ip_format(&mapped, text), "192.168.1.64");
    struct weir_ip v6 = ip_of("2001:DB8::1");
    assert_false(weir_ip_is_v4(&v6));
    assert_string_equal(weir_ip_format(&v6, text), "2001:db8::1");
}

static void what_a_resolver_would_guess_is_no_address(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",           "127.1",    "0177.0.0.1", "0x7f.0.0.1", "2130706433",
        "127.0.0.1.", "1.2.3.04", " 1.2.3.4",   "1.2.3.4 ",   "1.2.3",
        "[::1]",      "::1%lo",   "fe80::1%",   "1.2.3.4.5",  "256.1.1.1",
        ":::",        "::1/128",  "1.2.3.4/8",  "localhost",  "1.2.3.4\n",
    };
    struct weir_ip ip;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (weir_ip_parse(bad[i], &ip))
            fail_msg("taken: '%s'", bad[i]);
    }
}

static void networks_are_read_and_written(void **state)
{
    (void)state;
    static const char *const good[][2] = {
        {"10.0.0.0/8", "10.0.0.0/8"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"192.168.1.64", "192.168.1.64/32"},
        {"2001:DB8::/32", "2001:db8::/32"},
        {"::/0", "::/0"},
        {"fd00::1", "fd00::1/128"},
        {"172.16.0.0/12", "172.16.0.0/12"},
        {"128.0.0.0/1", "128.0.0.0/1"},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct weir_cidr cidr;
        struct weir_err err = {0};
        char text[WEIR_CIDR_TEXT_MAX];
        ASSERT_OK(weir_cidr_parse(good[i][0], &cidr, &err), &err);
        assert_string_equal(weir_cidr_format(&cidr, text), good[i][1]);
    }
}

static void what_is_no_network_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/ 8",
        "10.0.0.0/8/8",
        "10.0.0.1/8",
        "10/8",
        "::/129",
        "fd00::1/64",
        "::ffff:10.0.0.0/104",
        "host/8",
        "10.0.0.0/08x",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/1",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct weir_cidr cidr;
        struct weir_err err = {0};
        if (weir_cidr_parse(bad[i], &cidr, &err) != WEIR_EINVAL)
            fail_msg("taken: '%s'", bad[i]);
        assert_true(err.msg[0] != '\0');
    }
}

static bool has(const char *network, const char *address)
{
    struct weir_cidr cidr;
    struct weir_err err = {0};
    ASSERT_OK(weir_cidr_parse(network, &cidr, &err), &err);
    struct weir_ip ip = ip_of(address);
    return weir_cidr_has(&cidr, &ip);
}

static void a_network_holds_its_own_and_nothing_of_the_other_family(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.255.255"));
    assert_false(has("10.0.0.0/8", "11.0.0.0"));
    assert_true(has("172.16.0.0/12", "172.31.255.255"));
    assert_false(has("172.16.0.0/12", "172.32.0.0"));
    assert_true(has("192.168.1.64/32", "192.168.1.64"));
    assert_false(has("192.168.1.64/32", "192.168.1.65"));
    assert_true(has("0.0.0.0/0", "8.8.8.8"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_true(has("::/0", "2001:db8::1"));
    assert_false(has("::/0", "8.8.8.8"));
    assert_true(has("fc00::/7", "fdff::1"));
    assert_false(has("fc00::/7", "fe00::1"));
    assert_true(has("10.0.0.0/8", "::ffff:10.1.2.3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_spellings_of_an_ipv4_address_are_one),
        cmocka_unit_test(what_a_resolver_would_guess_is_no_address),
        cmocka_unit_test(networks_are_read_and_written),
        cmocka_unit_test(what_is_no_network_is_refused),
        cmocka_unit_test(a_network_holds_its_own_and_nothing_of_the_other_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
