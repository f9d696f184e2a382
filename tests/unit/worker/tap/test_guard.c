/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/guard.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tests/unit/check.h"

#define TEXT "RTSP/1.0 200 OK\r\n\r\n"

/* A camera that listens, and the guard of a reader that may only reach it. */
struct house {
    struct tap_guard guard;
    atomic_bool is_cancelled;
    int listener;
    int camera; /* the camera's end of the newest connection */
    int fd;     /* and ours */
};

static struct sockaddr *addr_of(struct house *house)
{
    return (struct sockaddr *)(void *)&house->guard.addr;
}

static void connect_it(struct house *house)
{
    house->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(house->fd, addr_of(house), sizeof(struct sockaddr_in)), 0);
    house->camera = accept(house->listener, NULL, NULL);
    assert_true(house->camera >= 0);
}

static void disconnect_it(const struct house *house)
{
    close(house->fd);
    close(house->camera);
}

static int open_house(void **state)
{
    struct house *house = calloc(1, sizeof(*house));
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(addr);
    if (house == NULL)
        return -1;
    house->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(house->listener, (struct sockaddr *)(void *)&addr, len), 0);
    assert_int_equal(listen(house->listener, 4), 0);
    assert_int_equal(getsockname(house->listener, (struct sockaddr *)(void *)&addr, &len), 0);
    memcpy(&house->guard.addr, &addr, sizeof(addr));
    house->guard.connect_ms = 30000;
    house->guard.is_cancelled = &house->is_cancelled;
    tap_guard_enter(&house->guard);
    connect_it(house);
    *state = house;
    return 0;
}

static int close_house(void **state)
{
    struct house *house = *state;
    tap_guard_leave();
    disconnect_it(house);
    close(house->listener);
    free(house);
    return 0;
}

static int ready(int fd, int timeout_ms)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    int n = poll(&one, 1, timeout_ms);
    assert_int_equal(one.revents, n > 0 ? POLLIN : 0);
    return n;
}

static void say(const struct house *house, const char *text)
{
    assert_int_equal(write(house->camera, text, strlen(text)), (ssize_t)strlen(text));
}

static void what_came_is_handed_on_in_pieces_and_whole(void **state)
{
    struct house *house = *state;
    char text[sizeof(TEXT)] = "";
    char *volatile to = text; /* of a known size, _FORTIFY_SOURCE would call another recv */
    assert_int_equal(ready(house->fd, 0), 0);
    say(house, TEXT);
    for (size_t at = 0; at < strlen(TEXT); at += at < 4 ? 1 : 3) {
        assert_int_equal(ready(house->fd, 30000), 1);
        size_t want = at < 4 ? 1 : 3;
        assert_true(recv(house->fd, to + at, want, 0) > 0);
    }
    assert_string_equal(text, TEXT);
    assert_int_equal(ready(house->fd, 0), 0);
    assert_int_equal(house->guard.received, strlen(TEXT));
}

static void it_is_read_ahead_and_said_to_be_there(void **state)
{
    struct house *house = *state;
    char byte;
    int pipes[2];
    say(house, TEXT);
    assert_int_equal(recv(house->fd, &byte, 1, 0), 1);
    assert_int_equal(house->guard.received, strlen(TEXT));
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(write(pipes[1], "x", 1), 1);
    struct pollfd all[3] = {{.fd = pipes[0], .events = POLLIN},
                            {.fd = house->fd, .events = POLLIN},
                            {.fd = pipes[0], .events = POLLOUT}};
    assert_int_equal(poll(all, 3, -1), 2);
    assert_int_equal(all[0].revents, POLLIN);
    assert_int_equal(all[1].revents, POLLIN);
    assert_int_equal(all[2].revents, 0);
    all[1].events = POLLOUT; /* what was read ahead says nothing of writing */
    assert_int_equal(poll(&all[1], 1, 30000), 1);
    assert_int_equal(all[1].revents, POLLOUT);
    close(pipes[0]);
    close(pipes[1]);
}

static void the_end_comes_behind_what_was_read_ahead(void **state)
{
    struct house *house = *state;
    char text[64];
    say(house, TEXT);
    assert_int_equal(ready(house->fd, 30000), 1);
    assert_int_equal(shutdown(house->camera, SHUT_WR), 0);
    assert_int_equal(recv(house->fd, text, 5, 0), 5);
    assert_int_equal(recv(house->fd, text, sizeof(text), 0), (ssize_t)strlen(TEXT) - 5);
    assert_int_equal(ready(house->fd, 30000), 1);
    assert_int_equal(recv(house->fd, text, sizeof(text), 0), 0);
}

static void another_connection_has_nothing_of_the_one_before(void **state)
{
    struct house *house = *state;
    char byte;
    say(house, TEXT "rest");
    assert_int_equal(recv(house->fd, &byte, 1, 0), 1);
    disconnect_it(house);
    tap_guard_begin_anew(&house->guard);
    connect_it(house);
    assert_int_equal(ready(house->fd, 0), 0);
    say(house, "no RTSP");
    assert_int_equal(recv(house->fd, &byte, 1, 0), -1);
    assert_int_equal(errno, EPROTO);
    assert_true(house->guard.is_not_rtsp);
}

static void a_nap_lets_more_come_in_but_never_leaves_anything_waiting_twice(void **state)
{
    struct house *house = *state;
    static char much[3 * TAP_GUARD_AHEAD_BYTES] = TEXT;
    static char got[sizeof(much)];
    char *volatile to = got;
    atomic_int nap_ms = 50;
    assert_int_equal(write(house->camera, much, 1), 1);
    assert_int_equal(recv(house->fd, to, 1, 0), 1);
    house->guard.nap_ms = &nap_ms;
    assert_int_equal(write(house->camera, much + 1, sizeof(much) - 1), (ssize_t)sizeof(much) - 1);
    int64_t began = weir_clock_mono_ms();
    size_t n = 1;
    while (n < sizeof(much) && ready(house->fd, 30000) == 1) {
        ssize_t more = recv(house->fd, to + n, sizeof(got) - n, 0);
        assert_true(more > 0);
        n += (size_t)more;
    }
    assert_memory_equal(got, much, sizeof(much));
    assert_int_equal(house->guard.received, sizeof(much));
    assert_true(weir_clock_mono_ms() - began >= 50);
}

struct sleeper {
    struct house *house;
    atomic_int nap_ms;
    atomic_bool is_awake;
    bool is_said;
};

/* Again and again: the nap may not have begun. */
static void *rouse_it(void *arg)
{
    struct sleeper *sleeper = arg;
    sleeper->is_said = write(sleeper->house->camera, "more", 4) == 4;
    while (!atomic_load(&sleeper->is_awake)) {
        usleep(5000);
        tap_guard_rouse(&sleeper->nap_ms);
    }
    return NULL;
}

static void a_nap_ends_when_somebody_waits(void **state)
{
    struct house *house = *state;
    struct sleeper sleeper = {.house = house, .nap_ms = 3600000}; /* an hour would be noticed */
    pthread_t thread;
    char text[64];
    char *volatile to = text;
    say(house, TEXT);
    assert_int_equal(recv(house->fd, to, sizeof(text), 0), (ssize_t)strlen(TEXT));
    house->guard.nap_ms = &sleeper.nap_ms;
    assert_int_equal(pthread_create(&thread, NULL, rouse_it, &sleeper), 0);
    assert_int_equal(ready(house->fd, 30000), 1);
    atomic_store(&sleeper.is_awake, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(sleeper.is_said);
    assert_int_equal(recv(house->fd, to, sizeof(text), 0), 4);
    assert_memory_equal(text, "more", 4);
}

static void the_end_is_seen_behind_a_nap(void **state)
{
    struct house *house = *state;
    atomic_int nap_ms = 1;
    char text[64];
    char *volatile to = text;
    say(house, TEXT);
    assert_int_equal(recv(house->fd, to, sizeof(text), 0), (ssize_t)strlen(TEXT));
    house->guard.nap_ms = &nap_ms;
    assert_int_equal(ready(house->fd, 0), 0);
    assert_int_equal(shutdown(house->camera, SHUT_WR), 0);
    assert_int_equal(ready(house->fd, 30000), 1);
    assert_int_equal(recv(house->fd, to, sizeof(text), 0), 0);
}

static void nobody_else_is_reached(void **state)
{
    struct house *house = *state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, addr_of(house), sizeof(struct sockaddr_in)), -1);
    assert_int_equal(errno, EACCES);
    assert_true(house->guard.was_led_away);
    close(fd);
}

/* A socket as libavformat makes it: bound to the group, or to any address where that fails. */
static int group_socket(struct sockaddr_in *group)
{
    socklen_t len = sizeof(*group);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)(void *)group, len) != 0) {
        assert_int_equal(errno, EACCES);
        close(fd);
        return -1;
    }
    return fd;
}

static bool joins(int fd, const struct sockaddr_in *group)
{
    struct ip_mreq all = {.imr_multiaddr = group->sin_addr};
    int code = setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &all, sizeof(all));
    assert_true(code == 0 || errno == EACCES);
    return code == 0;
}

static void a_group_is_joined_where_that_is_meant(void **state)
{
    struct house *house = *state;
    struct sockaddr_in group = {.sin_family = AF_INET, .sin_addr = {htonl(0xef4d0607)}};
    struct group_source_req req = {0};
    int fd = group_socket(&group); /* by UDP the port is ours */
    assert_true(fd >= 0 && !joins(fd, &group));
    close(fd);
    house->guard.is_multicast = true;
    assert_int_equal(group_socket(&group), -1); /* port 0 */
    assert_true(house->guard.is_bad_group);
    group.sin_port = htons(45678);
    int fds[TAP_GUARD_GROUPS_MAX];
    for (unsigned i = 0; i < TAP_GUARD_GROUPS_MAX; i++) {
        fds[i] = group_socket(&group);
        group.sin_port = htons((uint16_t)(ntohs(group.sin_port) + 1));
        assert_true(fds[i] >= 0 && joins(fds[i], &group));
    }
    assert_int_equal(group_socket(&group), -1); /* one too many */
    /* For sources that somebody else chose. */
    assert_int_equal(setsockopt(fds[0], IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, &req, sizeof(req)),
                     -1);
    assert_int_equal(errno, EACCES);
    assert_int_equal(sendto(fds[0], "x", 1, 0, (struct sockaddr *)(void *)&group, sizeof(group)),
                     -1);
    assert_int_equal(errno, EACCES);
    for (unsigned i = 0; i < TAP_GUARD_GROUPS_MAX; i++)
        close(fds[i]);
}

/* Over HTTP: the camera's answer on the connection that is read, a byte at a time. */
static ssize_t answered(struct house *house, const char *text)
{
    char byte;
    ssize_t got = 1;
    for (size_t i = 0; text[i] != '\0' && got == 1; i++) {
        assert_int_equal(write(house->camera, text + i, 1), 1);
        got = recv(house->fd, &byte, 1, 0);
        assert_true(got != 1 || byte == text[i]);
    }
    return got;
}

static int open_http_house(void **state)
{
    open_house(state);
    struct house *house = *state;
    disconnect_it(house);
    tap_guard_begin_anew(&house->guard);
    house->guard.is_http = true;
    connect_it(house);
    return 0;
}

/* Another connection, which is let through (and closed), or not. */
static bool may_connect(struct house *house)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int code = connect(fd, addr_of(house), sizeof(struct sockaddr_in));
    assert_true(code == 0 || errno == EACCES);
    close(fd);
    return code == 0;
}

static void over_http_there_are_two_connections_and_no_third(void **state)
{
    struct house *house = *state;
    char byte;
    assert_int_equal(answered(house, "HTTP/1.0 200 OK\r\n"), 1);
    int out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(out, addr_of(house), sizeof(struct sockaddr_in)), 0);
    assert_false(house->guard.was_led_away);
    /* What is read ahead is that of the first one still. */
    say(house, "RTSP/");
    assert_int_equal(ready(house->fd, 30000), 1);
    assert_int_equal(recv(house->fd, &byte, 1, 0), 1);
    assert_int_equal(ready(house->fd, 0), 1);
    assert_int_equal(ready(out, 0), 0);
    assert_false(may_connect(house));
    assert_true(house->guard.was_led_away);
    close(out);
}

static void over_http_nothing_is_written_before_the_answer(void **state)
{
    struct house *house = *state;
    assert_int_equal(answered(house, "HTTP/1.0 20"), 1);
    assert_false(may_connect(house));
}

static void over_http_the_password_is_sent_once(void **state)
{
    struct house *house = *state;
    assert_int_equal(answered(house, "HTTP/1.1 401 No\r\n"), 1);
    disconnect_it(house);
    connect_it(house);
    assert_int_equal(house->guard.asked, 2);
    assert_int_equal(answered(house, "HTTP/1.1 401 No\r\n"), 1);
    assert_false(may_connect(house));
    assert_int_equal(house->guard.http_status, 401);
    assert_false(house->guard.was_led_away);
}

static void over_http_nobody_leads_elsewhere(void **state)
{
    struct house *house = *state;
    struct sockaddr_in other;
    memcpy(&other, &house->guard.addr, sizeof(other));
    other.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    assert_int_equal(answered(house, "HTTP/1.1 200 OK\r\n"), 1);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)(void *)&other, sizeof(other)), -1);
    assert_int_equal(errno, EACCES);
    assert_true(house->guard.was_led_away);
    close(fd);
}

static void over_http_a_redirect_is_not_seen(void **state)
{
    struct house *house = *state;
    assert_int_equal(answered(house, "HTTP/1.1 302 Found\r\n"), -1);
    assert_int_equal(errno, EACCES);
    assert_true(house->guard.was_led_away);
    assert_false(may_connect(house));
}

static void what_is_no_http_is_not_read(void **state)
{
    static const char *const answers[] = {"RTSP/1.0 200 OK", "HTTP/2.0 200 OK", "HTTP/1.1  302 ",
                                          "HTTP/1.x 200 OK", "HTTP/1.1 2x0 ",   "HTTP/1.11 302"};
    struct house *house = *state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        assert_int_equal(answered(house, answers[i]), -1);
        assert_int_equal(errno, EPROTO);
        assert_true(house->guard.is_not_rtsp);
        assert_false(may_connect(house));
        disconnect_it(house);
        tap_guard_begin_anew(&house->guard);
        house->guard.is_not_rtsp = false;
        connect_it(house);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_came_is_handed_on_in_pieces_and_whole, open_house,
                                        close_house),
        cmocka_unit_test_setup_teardown(it_is_read_ahead_and_said_to_be_there, open_house,
                                        close_house),
        cmocka_unit_test_setup_teardown(the_end_comes_behind_what_was_read_ahead, open_house,
                                        close_house),
        cmocka_unit_test_setup_teardown(another_connection_has_nothing_of_the_one_before,
                                        open_house, close_house),
        cmocka_unit_test_setup_teardown(
            a_nap_lets_more_come_in_but_never_leaves_anything_waiting_twice, open_house,
            close_house),
        cmocka_unit_test_setup_teardown(a_nap_ends_when_somebody_waits, open_house, close_house),
        cmocka_unit_test_setup_teardown(the_end_is_seen_behind_a_nap, open_house, close_house),
        cmocka_unit_test_setup_teardown(nobody_else_is_reached, open_house, close_house),
        cmocka_unit_test_setup_teardown(a_group_is_joined_where_that_is_meant, open_house,
                                        close_house),
        cmocka_unit_test_setup_teardown(over_http_there_are_two_connections_and_no_third,
                                        open_http_house, close_house),
        cmocka_unit_test_setup_teardown(over_http_nothing_is_written_before_the_answer,
                                        open_http_house, close_house),
        cmocka_unit_test_setup_teardown(over_http_the_password_is_sent_once, open_http_house,
                                        close_house),
        cmocka_unit_test_setup_teardown(over_http_nobody_leads_elsewhere, open_http_house,
                                        close_house),
        cmocka_unit_test_setup_teardown(over_http_a_redirect_is_not_seen, open_http_house,
                                        close_house),
        cmocka_unit_test_setup_teardown(what_is_no_http_is_not_read, open_http_house, close_house),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
