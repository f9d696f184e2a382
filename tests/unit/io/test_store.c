/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a redis-server of its own on a free loopback port. */
#include "lib/io/store.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"

struct server {
    pid_t pid;
    int port;
    char url[128];
};

/* A port that was free a moment ago. */
static int free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void start_server(struct server *server)
{
    char port[8];
    snprintf(port, sizeof(port), "%d", server->port);
    server->pid = fork();
    if (server->pid == 0) {
        execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
               "--requirepass", "p@ss:w/rd", "--logfile", "/dev/null", "--dir", "/tmp",
               (char *)NULL);
        _exit(127);
    }
    snprintf(server->url, sizeof(server->url), "redis://:p%%40ss%%3Aw%%2Frd@127.0.0.1:%d/1",
             server->port);
}

static void stop_server(struct server *server)
{
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
        server->pid = 0;
    }
}

static enum weir_code call(struct weir_store *store, struct weir_arena *arena,
                           struct weir_store_value *ret, struct weir_err *err, size_t n,
                           const char *const *args)
{
    size_t lens[8];
    for (size_t i = 0; i < n; i++)
        lens[i] = strlen(args[i]);
    return weir_store_call(store, args, lens, n, arena, ret, err);
}

#define CALL(store, arena, ret, err, ...)                                                          \
    call(store, arena, ret, err, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *),           \
         (const char *[]){__VA_ARGS__})

static struct weir_store *open_store(const char *url)
{
    struct weir_store *store = NULL;
    struct weir_store_config config = {.url = url, .retry_ms = 50};
    assert_int_equal(weir_store_open(&config, &store, NULL), WEIR_OK);
    return store;
}

static void wait_until_up(struct weir_store *store, struct weir_arena *arena)
{
    struct weir_store_value value;
    struct weir_err err = {0};
    int64_t end_ms = weir_clock_mono_ms() + 10000;
    while (CALL(store, arena, &value, &err, "PING") != WEIR_OK) {
        if (weir_clock_mono_ms() > end_ms)
            fail_msg("%s", err.msg);
        usleep(20000);
    }
}

static void answers_of_every_kind_are_understood(void **state)
{
    struct server *server = *state;
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_store *store = open_store(server->url);
    struct weir_store_value value;
    struct weir_err err = {0};
    wait_until_up(store, arena);
    assert_int_equal(CALL(store, arena, &value, &err, "SET", "a", "x y"), WEIR_OK);
    assert_string_equal(value.text, "OK");
    assert_int_equal(CALL(store, arena, &value, &err, "GET", "a"), WEIR_OK);
    assert_int_equal(value.type, WEIR_STORE_TEXT);
    assert_string_equal(value.text, "x y");
    assert_int_equal(CALL(store, arena, &value, &err, "GET", "none"), WEIR_OK);
    assert_int_equal(value.type, WEIR_STORE_NIL);
    assert_int_equal(CALL(store, arena, &value, &err, "INCR", "n"), WEIR_OK);
    assert_int_equal(value.type, WEIR_STORE_INT);
    assert_int_equal(value.integer, 1);
    assert_int_equal(CALL(store, arena, &value, &err, "MGET", "a", "none"), WEIR_OK);
    assert_int_equal(value.type, WEIR_STORE_ARRAY);
    assert_int_equal(value.n_items, 2);
    assert_int_equal(value.items[1].type, WEIR_STORE_NIL);
    assert_int_equal(CALL(store, arena, &value, &err, "INCR", "a"), WEIR_EINVAL);
    assert_int_equal(CALL(store, arena, &value, &err, "INCR", "n"), WEIR_OK);
    weir_store_close(&store);
    assert_null(store);
    weir_arena_free(arena);
}

static void a_batch_tells_how_many_commands_were_refused(void **state)
{
    struct server *server = *state;
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_store *store = open_store(server->url);
    wait_until_up(store, arena);
    const char *const set[] = {"SET", "b", "text"};
    const char *const incr[] = {"INCR", "b"};
    weir_store_queue(store, set, (const size_t[]){3, 1, 4}, 3);
    weir_store_queue(store, incr, (const size_t[]){4, 1}, 2);
    weir_store_queue(store, set, (const size_t[]){3, 1, 4}, 3);
    size_t errors = 0;
    assert_int_equal(weir_store_flush(store, &errors, NULL), WEIR_OK);
    assert_int_equal(errors, 1);
    weir_store_close(&store);
    weir_arena_free(arena);
}

static void it_comes_back_by_itself_after_the_server_was_away(void **state)
{
    struct server *server = *state;
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_store *store = open_store(server->url);
    struct weir_store_value value;
    struct weir_err err = {0};
    wait_until_up(store, arena);
    stop_server(server);
    assert_int_equal(CALL(store, arena, &value, &err, "PING"), WEIR_EUNAVAILABLE);
    const char *const ping[] = {"PING"};
    weir_store_queue(store, ping, NULL, 1);
    assert_int_equal(weir_store_flush(store, NULL, &err), WEIR_EUNAVAILABLE);
    start_server(server);
    wait_until_up(store, arena);
    weir_store_close(&store);
    weir_arena_free(arena);
}

static void a_server_that_hangs_costs_one_timeout_not_one_a_call(void **state)
{
    struct server *server = *state;
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_store *store = NULL;
    struct weir_store_config config = {.url = server->url, .command_ms = 100, .retry_ms = 5000};
    struct weir_store_value value;
    assert_int_equal(weir_store_open(&config, &store, NULL), WEIR_OK);
    wait_until_up(store, arena);
    kill(server->pid, SIGSTOP);
    int64_t start_ms = weir_clock_mono_ms();
    assert_int_equal(CALL(store, arena, &value, NULL, "PING"), WEIR_ETIMEOUT);
    for (int i = 0; i < 100; i++)
        assert_int_equal(CALL(store, arena, &value, NULL, "PING"), WEIR_EUNAVAILABLE);
    assert_true(weir_clock_mono_ms() - start_ms < 1000);
    kill(server->pid, SIGCONT);
    weir_store_close(&store);
    weir_arena_free(arena);
}

static void a_wrong_password_is_said_without_showing_it(void **state)
{
    struct server *server = *state;
    struct weir_arena *arena = weir_arena_new(0);
    char url[128];
    snprintf(url, sizeof(url), "redis://:hunter2@127.0.0.1:%d", server->port);
    struct weir_store *store = open_store(url);
    struct weir_store_value value;
    struct weir_err err = {0};
    assert_int_equal(CALL(store, arena, &value, &err, "PING"), WEIR_EUNAUTH);
    assert_null(strstr(err.msg, "hunter2"));
    weir_store_close(&store);
    weir_arena_free(arena);
}

static void malformed_urls_are_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "http://127.0.0.1",         "redis://",         "redis://host:0",    "redis://host:65536",
        "redis://h:99999999999999", "redis://h:6379/x", "redis://nocolon@h", "redis://u:%4@h",
        "redis://:%zz@h:1"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct weir_store *store = NULL;
        struct weir_store_config config = {.url = urls[i]};
        assert_int_equal(weir_store_open(&config, &store, NULL), WEIR_EINVAL);
        assert_null(store);
    }
}

static struct server the_server;

static int start_all(void **state)
{
    the_server.port = free_port();
    start_server(&the_server);
    *state = &the_server;
    return 0;
}

static int stop_all(void **state)
{
    stop_server(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_of_every_kind_are_understood),
        cmocka_unit_test(a_batch_tells_how_many_commands_were_refused),
        cmocka_unit_test(it_comes_back_by_itself_after_the_server_was_away),
        cmocka_unit_test(a_server_that_hangs_costs_one_timeout_not_one_a_call),
        cmocka_unit_test(a_wrong_password_is_said_without_showing_it),
        cmocka_unit_test(malformed_urls_are_refused),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
