/* SPDX-License-Identifier: Apache-2.0 */
#include "tally/socket.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/check.h"

static void only_loopback_is_listened_on(void **state)
{
    (void)state;
    static const char *const bad[] = {"",          "127.0.0.1",       "127.0.0.1:",
                                      "0.0.0.0:0", "192.0.2.1:0",     "localhost:0",
                                      "[::1]:0",   "127.0.0.1:70000", "127.0.0.1.1.1.1.1.1.1:0"};
    int fd = -1;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(tally_socket_open(bad[i], &fd, NULL), WEIR_EINVAL);
    }
    assert_int_equal(fd, -1);
}

/* The kernel drops what does not fit, and its count comes with the next datagram. */
static void what_the_kernel_drops_is_counted(void **state)
{
    (void)state;
    struct weir_err err = {0};
    struct sockaddr_in addr = {0};
    socklen_t len = sizeof(addr);
    int small = 4096;
    int fd = -1;
    ASSERT_OK(tally_socket_open("127.0.0.1:0", &fd, &err), &err);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    int from = socket(AF_INET, SOCK_DGRAM, 0);
    uint32_t dropped = 0;
    char buf[64];
    int n = 0;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(sendto(from, "line", 4, 0, (struct sockaddr *)&addr, len), 4);
    }
    while (tally_socket_read(fd, buf, sizeof(buf), &dropped) == 4) {
        n++;
    }
    assert_true(n > 0 && n < 1000);
    assert_int_equal(sendto(from, "x", 1, 0, (struct sockaddr *)&addr, len), 1);
    assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 10000), 1);
    assert_int_equal(tally_socket_read(fd, buf, sizeof(buf), &dropped), 1);
    assert_int_equal(n + (int)dropped, 1000);
    close(from);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_loopback_is_listened_on),
        cmocka_unit_test(what_the_kernel_drops_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
