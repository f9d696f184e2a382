/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/reach.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

static struct weir_reach reach_of(const char *tenant, const char *service, const char *site)
{
    struct weir_reach reach = {0};
    struct weir_err err = {0};
    ASSERT_OK(weir_networks_parse(tenant, &reach.tenant, &err), &err);
    ASSERT_OK(weir_networks_parse(service, &reach.service, &err), &err);
    ASSERT_OK(weir_networks_parse(site, &reach.site, &err), &err);
    return reach;
}

static bool allows(const struct weir_reach *reach, const char *text)
{
    struct weir_ip ip;
    if (!weir_ip_parse(text, &ip))
        fail_msg("no address: %s", text);
    return weir_reach_allows(reach, &ip);
}

/* Given everything there is, these stay out of reach, in every dress. */
static const char *const never[] = {
    /* unspecified, this network */
    "0.0.0.0",
    "0.0.0.1",
    "0.255.255.255",
    "::",
    /* loopback */
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::127.0.0.1",
    "::7f00:1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2002:7f00:1::1",
    "::ffff:0:127.0.0.1",
    /* link-local, and with it the metadata services */
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.255.255",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "fe80::1",
    "fe80::a9fe:a9fe",
    "febf:ffff::1",
    /* metadata elsewhere */
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
    "::ffff:100.100.100.200",
    "64:ff9b::6464:64c8",
    "192.0.0.192",
    /* multicast and broadcast */
    "224.0.0.1",
    "224.0.0.251",
    "239.255.255.250",
    "239.1.1.1",
    "255.255.255.255",
    "::ffff:224.0.0.1",
    "::ffff:255.255.255.255",
    "64:ff9b::e000:1",
    "ff02::1",
    "ff05::2",
    "ff0e::1",
    "ff01::1",
    /* documentation, benchmarking, reserved */
    "192.0.2.1",
    "198.51.100.7",
    "203.0.113.9",
    "2001:db8::1",
    "3fff::1",
    "198.18.0.1",
    "198.19.255.255",
    "192.0.0.1",
    "192.88.99.1",
    "240.0.0.1",
    "254.1.2.3",
    /* Teredo, ORCHID, 6to4, discard, local NAT64, site-local, what is not given out */
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:10::1",
    "2001:20::1",
    "2001:2::1",
    "2002:808:808::1",
    "2002:a00:1::",
    "100::1",
    "64:ff9b:1::1",
    "fec0::1",
    "feff::1",
    "4000::1",
    "5f00::1",
    "::8.8.8.8",
    "::10.0.0.1",
    "1::1",
};

static const char *const private[] = {
    "10.0.0.1",     "10.255.255.254",      "172.16.0.9",        "172.31.255.1",
    "192.168.1.64", "100.64.0.1",          "100.127.255.254",   "fd12:3456::1",
    "fc00::1",      "::ffff:192.168.1.64", "64:ff9b::10.1.2.3",
};

static const char *const public[] = {
    "8.8.8.8",         "1.1.1.1",     "172.15.0.1",     "172.32.0.1",       "192.167.1.1",
    "192.169.1.1",     "100.63.0.1",  "100.128.0.1",    "128.0.0.1",        "126.255.255.255",
    "223.255.255.255", "169.253.1.1", "9.9.9.9",        "2606:4700::1",     "2a00:1450::1",
    "3ffe::1",         "2003::1",     "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

static void what_no_camera_has_is_out_of_reach_whatever_a_tenant_was_given(void **state)
{
    (void)state;
    struct weir_reach all = reach_of("public 0.0.0.0/0 ::/0", "", "");
    print_message("%zu addresses that no camera has\n", N(never));
    assert_true(N(never) >= 60);
    for (size_t i = 0; i < N(never); i++) {
        if (allows(&all, never[i]))
            fail_msg("allowed: %s", never[i]);
    }
    for (size_t i = 0; i < N(private); i++) {
        if (!allows(&all, private[i]))
            fail_msg("not allowed: %s", private[i]);
    }
}

static void private_networks_are_reached_where_they_are_listed(void **state)
{
    (void)state;
    struct weir_reach internet = reach_of("public", "", "");
    struct weir_reach house = reach_of("192.168.0.0/16,fd12:3456::/32", "", "");
    struct weir_reach nobody = reach_of("", "", "");
    for (size_t i = 0; i < N(private); i++) {
        if (allows(&internet, private[i]) || allows(&nobody, private[i]))
            fail_msg("allowed: %s", private[i]);
    }
    for (size_t i = 0; i < N(public); i++) {
        if (!allows(&internet, public[i]))
            fail_msg("not allowed: %s", public[i]);
        if (allows(&house, public[i]) || allows(&nobody, public[i]))
            fail_msg("allowed: %s", public[i]);
    }
    assert_true(allows(&house, "192.168.1.64") && allows(&house, "::ffff:192.168.1.64"));
    assert_true(allows(&house, "fd12:3456::9") && allows(&house, "64:ff9b::192.168.1.64"));
    assert_false(allows(&house, "fd12:3457::9") || allows(&house, "10.0.0.1"));
}

static void the_deployments_own_networks_are_nobodys(void **state)
{
    (void)state;
    struct weir_reach reach =
        reach_of("public 10.0.0.0/8", "10.9.0.0/16 127.66.0.0/16 8.8.8.8", "");
    assert_true(allows(&reach, "10.8.0.1") && allows(&reach, "9.9.9.9"));
    assert_false(allows(&reach, "10.9.0.1") || allows(&reach, "8.8.8.8"));
    assert_false(allows(&reach, "64:ff9b::10.9.0.1") || allows(&reach, "::ffff:8.8.8.8"));
    reach.allow_local = true;
    assert_true(allows(&reach, "127.0.0.1"));
    assert_false(allows(&reach, "127.66.0.1"));
}

static void a_site_narrows_what_its_tenants_were_given(void **state)
{
    (void)state;
    struct weir_reach reach = reach_of("public 10.0.0.0/8 192.168.0.0/16", "", "10.1.0.0/16");
    assert_true(allows(&reach, "10.1.0.1"));
    assert_false(allows(&reach, "10.2.0.1") || allows(&reach, "8.8.8.8"));
    reach = reach_of("10.0.0.0/8", "", "10.1.0.0/16 public");
    assert_false(allows(&reach, "8.8.8.8"));
}

static void the_development_switch_opens_loopback_and_link_local_only(void **state)
{
    (void)state;
    struct weir_reach reach = reach_of("", "", "");
    reach.allow_local = true;
    assert_true(allows(&reach, "127.0.0.1") && allows(&reach, "::1"));
    assert_true(allows(&reach, "169.254.1.1") && allows(&reach, "fe80::1"));
    assert_false(allows(&reach, "169.254.169.254") || allows(&reach, "fd00:ec2::254"));
    assert_false(allows(&reach, "0.0.0.0") || allows(&reach, "224.0.0.1"));
    assert_false(allows(&reach, "10.0.0.1") || allows(&reach, "8.8.8.8"));
}

static void every_kind_is_told_in_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(never); i++) {
        struct weir_ip ip;
        const char *what = NULL;
        assert_true(weir_ip_parse(never[i], &ip));
        enum weir_ip_kind kind = weir_ip_kind(&ip, &what);
        assert_true(kind == WEIR_IP_LOCAL || kind == WEIR_IP_NEVER);
        assert_true(what[0] != '\0');
    }
}

static void lists_are_written_as_they_are_read(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"", ""},
        {" , ", ""},
        {"public", "public"},
        {"10.0.0.0/8, Public", "public 10.0.0.0/8"},
        {"192.168.1.64", "192.168.1.64/32"},
        {"FD00:1::/32  10.0.0.0/8", "fd00:1::/32 10.0.0.0/8"},
    };
    for (size_t i = 0; i < N(texts); i++) {
        struct weir_networks list;
        struct weir_err err = {0};
        char text[WEIR_NETWORKS_TEXT_MAX];
        ASSERT_OK(weir_networks_parse(texts[i][0], &list, &err), &err);
        assert_string_equal(weir_networks_format(&list, text), texts[i][1]);
    }
}

static void a_bad_entry_is_named_by_its_number(void **state)
{
    (void)state;
    struct weir_networks list;
    struct weir_err err = {0};
    assert_int_equal(weir_networks_parse("public, 10.0.0.1/8", &list, &err), WEIR_EINVAL);
    assert_non_null(strstr(err.msg, "entry 2"));
    assert_int_equal(weir_networks_parse("any", &list, &err), WEIR_EINVAL);
    assert_int_equal(weir_networks_parse("10.0.0.0/8;11.0.0.0/8", &list, &err), WEIR_EINVAL);
    char many[1024] = "";
    for (int i = 0; i < WEIR_NETWORKS_MAX + 1; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many), "10.0.0.%d ", i);
    assert_int_equal(weir_networks_parse(many, &list, &err), WEIR_ELIMIT);
}

static void the_longest_list_fits_its_text(void **state)
{
    (void)state;
    struct weir_networks list = {.has_public = true};
    for (int i = 0; i < WEIR_NETWORKS_MAX; i++) {
        char entry[64];
        snprintf(entry, sizeof(entry), "fdff:1111:2222:3333:4444:5555:6666:%04x/128", 0x1000 + i);
        assert_int_equal(weir_networks_add(&list, entry, NULL), WEIR_OK);
    }
    struct weir_networks again;
    char text[WEIR_NETWORKS_TEXT_MAX];
    assert_int_equal(weir_networks_parse(weir_networks_format(&list, text), &again, NULL), WEIR_OK);
    assert_int_equal(again.n, WEIR_NETWORKS_MAX);
    assert_int_equal(weir_networks_add(&list, "10.0.0.0/8", NULL), WEIR_ELIMIT);
}

static void a_tenant_is_not_given_what_would_have_no_effect(void **state)
{
    (void)state;
    static const char *const useless[] = {
        "127.0.0.0/8", "169.254.169.254", "224.0.0.0/4",   "ff00::/8",
        "::1",         "fd00:ec2::/48",   "2001:db8::/32", "0.0.0.0/8",
        "fe80::/64",   "203.0.113.0/24",  "127.0.0.1"};
    for (size_t i = 0; i < N(useless); i++) {
        struct weir_networks list = {0};
        assert_int_equal(weir_networks_add(&list, useless[i], NULL), WEIR_EINVAL);
    }
    struct weir_networks list = {0};
    assert_int_equal(weir_networks_add(&list, "0.0.0.0/0", NULL), WEIR_OK);
    assert_int_equal(weir_networks_add(&list, "100.64.0.0/10", NULL), WEIR_OK);
}

static enum weir_host_kind host_kind(const char *host)
{
    struct weir_ip ip;
    return weir_host_read(host, strlen(host), &ip);
}

static const char *const disguised[] = {
    /* what inet_aton takes: decimal, octal, hexadecimal, short */
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0X7F000001",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f.1",
    "0177.1",
    "127.0.0.01",
    "127.0.0.0x1",
    "3232235841",
    "0",
    "0x",
    "00000000177.0.0.1",
    "10.0.1",
    "4294967295",
    "0.0",
    "1",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "0xa9.0xfe.0xa9.0xfe",
    /* a last dot, too many parts, parts too large */
    "127.0.0.1.",
    "10.0.0.1.",
    "1.2.3.4.5",
    "256.256.256.256",
    "1.2.3.256",
    "127.0.0.1..",
    /* zones, ports, brackets */
    "[fe80::1%eth0]",
    "[::1%25lo]",
    "[fe80::1%1]",
    "fe80::1",
    "::1",
    "[127.0.0.1]",
    "[::1",
    "::1]",
    "[]",
    "[:]",
    "[::ffff:127.1]",
    "[::ffff:0x7f.0.0.1]",
    "[::1]x",
    "[[::1]]",
    /* escapes and characters that are none of a name */
    "127.0.0.1%00",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "loc%61lhost",
    "a b",
    "a\tb",
    "a@b",
    "a/b",
    "a\\b",
    "a:b",
    "a;b",
    "a'b",
    "$(id)",
    "a\n",
    "\xef\xbc\x91.0.0.1",
    "127\xe3\x80\x82"
    "0.0.1",
    "h\xc3\xa4",
    "",
    ".",
    "..",
    "a..b",
    ".a",
    "-a",
    "a.-b",
    "a..",
};

static void addresses_in_disguise_are_no_hosts(void **state)
{
    (void)state;
    print_message("%zu hosts in disguise\n", N(disguised));
    for (size_t i = 0; i < N(disguised); i++) {
        if (host_kind(disguised[i]) != WEIR_HOST_BAD)
            fail_msg("taken: '%s'", disguised[i]);
    }
    char longest[257];
    memset(longest, 'a', sizeof(longest));
    longest[256] = '\0';
    assert_int_equal(host_kind(longest), WEIR_HOST_BAD);
    struct weir_ip ip;
    assert_int_equal(weir_host_read("a\0b", 3, &ip), WEIR_HOST_BAD);
    assert_int_equal(weir_host_read("[::1\0]", 6, &ip), WEIR_HOST_BAD);
}

static void names_and_plain_addresses_are_told_apart(void **state)
{
    (void)state;
    static const char *const names[] = {
        "localhost", "cam",          "cam-1.example.com", "a.b.", "1cam", "cam.1x",
        "x0",        "my_cam.local", "1.2.3.4.nip.io",    "0xg",  "a-.b", "127.0.0.1.x"};
    static const char *const literals[] = {"127.0.0.1",     "10.0.0.9",          "[::1]",
                                           "[2001:DB8::1]", "[::ffff:10.0.0.1]", "255.255.255.255"};
    for (size_t i = 0; i < N(names); i++) {
        if (host_kind(names[i]) != WEIR_HOST_NAME)
            fail_msg("no name: %s", names[i]);
    }
    for (size_t i = 0; i < N(literals); i++) {
        if (host_kind(literals[i]) != WEIR_HOST_LITERAL)
            fail_msg("no address: %s", literals[i]);
    }
}

static void this_machines_name_is_known_in_every_case(void **state)
{
    (void)state;
    assert_true(weir_host_is_localhost("localhost") && weir_host_is_localhost("LocalHost."));
    assert_true(weir_host_is_localhost("x.localhost") && weir_host_is_localhost("a.b.LOCALHOST."));
    assert_false(weir_host_is_localhost("notlocalhost") || weir_host_is_localhost(""));
    assert_false(weir_host_is_localhost("localhost.example.com") || weir_host_is_localhost("."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_camera_has_is_out_of_reach_whatever_a_tenant_was_given),
        cmocka_unit_test(private_networks_are_reached_where_they_are_listed),
        cmocka_unit_test(the_deployments_own_networks_are_nobodys),
        cmocka_unit_test(a_site_narrows_what_its_tenants_were_given),
        cmocka_unit_test(the_development_switch_opens_loopback_and_link_local_only),
        cmocka_unit_test(every_kind_is_told_in_words),
        cmocka_unit_test(lists_are_written_as_they_are_read),
        cmocka_unit_test(a_bad_entry_is_named_by_its_number),
        cmocka_unit_test(the_longest_list_fits_its_text),
        cmocka_unit_test(a_tenant_is_not_given_what_would_have_no_effect),
        cmocka_unit_test(addresses_in_disguise_are_no_hosts),
        cmocka_unit_test(names_and_plain_addresses_are_told_apart),
        cmocka_unit_test(this_machines_name_is_known_in_every_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
