/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/group.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/check.h"

static struct sockaddr_storage address(const char *text, uint16_t port)
{
    struct sockaddr_storage addr = {0};
    bool is_v6 = strchr(text, ':') != NULL;
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&addr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&addr;
    addr.ss_family = is_v6 ? AF_INET6 : AF_INET;
    assert_int_equal(
        inet_pton(addr.ss_family, text, is_v6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr), 1);
    v4->sin_port = htons(port); /* at the same place in both */
    return addr;
}

static bool is_fit(const char *group, uint16_t port, const char *camera)
{
    struct sockaddr_storage at = address(group, port);
    struct sockaddr_storage from = address(camera, 554);
    return tap_group_is_fit((const struct sockaddr *)&at, (const struct sockaddr *)&from);
}

static void a_group_of_a_camera_is_fit(void **state)
{
    static const char *const v4[] = {"224.0.2.0", "224.1.2.4", "232.0.0.1", "239.255.255.255"};
    static const char *const v6[] = {"ff14::1", "ff15::1:2", "ff18::1", "ff1e::1", "ff3e::8000:1"};
    (void)state;
    for (size_t i = 0; i < sizeof(v4) / sizeof(v4[0]); i++)
        assert_true(is_fit(v4[i], 1024, "192.168.1.64"));
    for (size_t i = 0; i < sizeof(v6) / sizeof(v6[0]); i++)
        assert_true(is_fit(v6[i], 65534, "fd00::64"));
}

static void what_is_no_group_or_runs_a_network_is_not(void **state)
{
    static const char *const v4[] = {
        "192.168.1.64", "127.0.0.1",   "0.0.0.0",   "223.255.255.255", "240.0.0.1",
        "224.0.0.1",    "224.0.0.251", "224.0.1.1", "255.255.255.255", "224.0.1.255"};
    static const char *const v6[] = {
        "fd00::64", "::",      "ff02::1", "ff05::101", "ff0e::101",
        "ff11::1",  "ff12::1", "ff13::1", "fe80::1",   "::ffff:239.1.1.1"};
    (void)state;
    for (size_t i = 0; i < sizeof(v4) / sizeof(v4[0]); i++)
        assert_false(is_fit(v4[i], 5000, "192.168.1.64"));
    for (size_t i = 0; i < sizeof(v6) / sizeof(v6[0]); i++)
        assert_false(is_fit(v6[i], 5000, "fd00::64"));
    assert_false(is_fit("239.1.1.1", 1023, "192.168.1.64"));
    assert_false(is_fit("239.1.1.1", 0, "192.168.1.64"));
    assert_false(is_fit("239.1.1.1", 5000, "fd00::64"));
    assert_false(is_fit("ff1e::1", 5000, "192.168.1.64"));
}

static void send_from(const char *source, const struct sockaddr_storage *group)
{
    struct sockaddr_storage from = address(source, 0);
    struct in_addr loopback = {htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(struct sockaddr_in)), 0);
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof(loopback)), 0);
    assert_int_equal(sendto(fd, source, strlen(source), 0, (const struct sockaddr *)group,
                            sizeof(struct sockaddr_in)),
                     (ssize_t)strlen(source));
    close(fd);
}

/* Another socket of this host joined the group for everybody: that opens nothing here. */
static void only_the_cameras_own_packets_come(void **state)
{
    struct sockaddr_storage group = address("239.77.6.5", 0);
    struct sockaddr_storage camera = address("127.0.0.3", 0);
    struct sockaddr *at = (struct sockaddr *)&group;
    socklen_t len = sizeof(struct sockaddr_in);
    struct ip_mreq everybody = {.imr_interface = {htonl(INADDR_LOOPBACK)}};
    char got[32] = "";
    (void)state;
    int near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage loopback = address("127.0.0.1", 0);
    assert_int_equal(bind(near, (struct sockaddr *)&loopback, len), 0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(tap_group_shut(fd, AF_INET), 0);
    assert_int_equal(bind(fd, at, len), 0);
    assert_int_equal(getsockname(fd, at, &len), 0);
    int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    everybody.imr_multiaddr = ((struct sockaddr_in *)(void *)&group)->sin_addr;
    assert_int_equal(
        setsockopt(other, IPPROTO_IP, IP_ADD_MEMBERSHIP, &everybody, sizeof(everybody)), 0);
    send_from("127.0.0.3", &group);
    assert_int_equal(tap_group_join(fd, at, (struct sockaddr *)&camera, 0), -1);
    assert_int_equal(errno, ENODEV);
    assert_int_equal(tap_group_join(fd, at, (struct sockaddr *)&camera, tap_group_interface(near)),
                     0);
    send_from("127.0.0.2", &group);
    assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), -1);
    send_from("127.0.0.3", &group);
    assert_int_equal(recv(fd, got, sizeof(got), 0), 9);
    assert_string_equal(got, "127.0.0.3");
    close(near);
    close(other);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_of_a_camera_is_fit),
        cmocka_unit_test(what_is_no_group_or_runs_a_network_is_not),
        cmocka_unit_test(only_the_cameras_own_packets_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
