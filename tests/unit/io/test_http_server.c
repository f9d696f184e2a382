/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/http_server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tests/unit/check.h"
#include "tests/unit/io/http_raw.h"

struct fixture {
    struct weir_http_server *server;
    int port;
    atomic_ullong token;
    atomic_int runs;
    atomic_int streams_freed;
};

static void hello(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)ctx;
    (void)req;
    weir_http_text(res, 200, "hello\n");
}

static void echo(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)ctx;
    size_t len;
    const char *body = weir_http_body(req, &len);
    weir_http_json(res, 200, body, len);
}

static void show(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)ctx;
    const char *color = weir_http_query(req, "color");
    weir_http_text(res, 200,
                   weir_arena_printf(weir_http_arena(req), "%s|%s|%s", weir_http_route(req),
                                     weir_http_param(req, "name"), color ? color : "-"));
}

static void rest(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)ctx;
    weir_http_text(res, 200, weir_http_param(req, "tail"));
}

static void wait_for_wake(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct fixture *fixture = ctx;
    atomic_fetch_add(&fixture->runs, 1);
    if (weir_http_attempt(req) > 0) {
        weir_http_text(res, 200, "woken\n");
        return;
    }
    atomic_store(&fixture->token, weir_http_wait(req, weir_clock_mono_ms() + 400));
}

/* Runs in the pool when it cannot answer on the server's thread. */
static void later(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct fixture *fixture = ctx;
    atomic_fetch_add(&fixture->runs, 1);
    if (weir_http_is_inline(req)) {
        weir_http_later(req);
        return;
    }
    weir_http_text(res, 200, "later\n");
}

static void wait_for_ever(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)res;
    struct fixture *fixture = ctx;
    atomic_fetch_add(&fixture->runs, 1);
    atomic_store(&fixture->token, weir_http_wait(req, weir_clock_mono_ms() + 60000));
}

static void slow(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)ctx;
    (void)req;
    usleep(300 * 1000);
    weir_http_text(res, 200, "slow\n");
}

static void silent(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)ctx;
    (void)req;
    (void)res;
}

struct counter {
    struct fixture *fixture;
    int left;
    bool breaks;
};

static ssize_t count_down(void *ctx, char *buf, size_t max)
{
    struct counter *counter = ctx;
    if (counter->left == 0) {
        return counter->breaks ? -1 : 0;
    }
    usleep(20 * 1000);
    return snprintf(buf, max, "%d ", counter->left--);
}

static void free_counter(void *ctx)
{
    struct counter *counter = ctx;
    atomic_fetch_add(&counter->fixture->streams_freed, 1);
}

static void stream(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct counter *counter = weir_arena_alloc(weir_http_arena(req), sizeof(*counter));
    counter->fixture = ctx;
    counter->left = 5;
    counter->breaks = weir_http_query(req, "break") != NULL;
    res->status = 200;
    res->content_type = "text/plain";
    res->stream = count_down;
    res->stream_free = free_counter;
    res->stream_ctx = counter;
    if (weir_http_query(req, "known")) {
        res->stream_len = 10;
    }
}

static const struct weir_http_route routes[] = {
    {"GET", "/hello", hello, WEIR_HTTP_INLINE},
    {"POST", "/echo", echo, 0},
    {"GET", "/things/{name}", show, 0},
    {"GET", "/files/{tail...}", rest, 0},
    {"GET", "/wait", wait_for_wake, 0},
    {"GET", "/wait-inline", wait_for_wake, WEIR_HTTP_INLINE},
    {"GET", "/later", later, WEIR_HTTP_INLINE},
    {"GET", "/for-ever", wait_for_ever, 0},
    {"GET", "/slow", slow, 0},
    {"GET", "/silent", silent, 0},
    {"GET", "/stream", stream, 0},
};

static int start_with(void **state, unsigned threads, unsigned queue_max, const char *listen)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct weir_http_server_config config = {
        .listen = listen,
        .routes = routes,
        .n_routes = sizeof(routes) / sizeof(routes[0]),
        .ctx = fixture,
        .body_max_bytes = 1000,
        .target_max_bytes = 200,
        .header_deadline_ms = 600,
        .body_deadline_ms = 600,
        .pool_threads = threads,
        .queue_max = queue_max,
    };
    struct weir_err err = {0};
    ASSERT_OK(weir_http_server_open(&config, &fixture->server, &err), &err);
    fixture->port = weir_http_server_port(fixture->server);
    *state = fixture;
    return 0;
}

static int start(void **state)
{
    return start_with(state, 4, 0, "127.0.0.1:0");
}

static int start_tiny(void **state)
{
    return start_with(state, 1, 1, "127.0.0.1:0");
}

static int stop(void **state)
{
    struct fixture *fixture = *state;
    weir_http_server_close(&fixture->server, 1000);
    free(fixture);
    return 0;
}

static struct http_raw_answer answer;

static int get(const struct fixture *fixture, const char *target, const char *extra)
{
    char bytes[4096];
    int len = snprintf(bytes, sizeof(bytes),
                       "GET %s HTTP/1.1\r\nHost: t\r\nConnection: close\r\n%s\r\n", target, extra);
    http_raw_exchange(fixture->port, bytes, (size_t)len, 5000, &answer);
    return http_raw_status(&answer);
}

static void an_answer_has_a_request_id_and_safe_headers(void **state)
{
    assert_int_equal(get(*state, "/hello", ""), 200);
    assert_non_null(strstr(answer.bytes, "hello\n"));
    assert_non_null(strstr(answer.bytes, "X-Request-Id: "));
    assert_non_null(strstr(answer.bytes, "Cache-Control: no-store"));
    assert_non_null(strstr(answer.bytes, "X-Content-Type-Options: nosniff"));
}

static void a_request_id_is_kept_when_it_is_a_uuid(void **state)
{
    get(*state, "/hello", "X-Request-Id: 01234567-89ab-cdef-0123-456789abcdef\r\n");
    assert_non_null(strstr(answer.bytes, "X-Request-Id: 01234567-89ab-cdef-0123-456789abcdef"));
    get(*state, "/hello", "X-Request-Id: <script>\r\n");
    assert_null(strstr(answer.bytes, "<script>"));
}

static void paths_and_queries_are_decoded_once(void **state)
{
    assert_int_equal(get(*state, "/things/a%20b%2525?color=light+blue&x", ""), 200);
    assert_non_null(strstr(answer.bytes, "/things/{name}|a b%25|light blue"));
    assert_int_equal(get(*state, "/files/a/b.m3u8?x=1", ""), 200);
    assert_non_null(strstr(answer.bytes, "\r\n\r\na/b.m3u8"));
}

static void a_path_that_is_unknown_is_404_and_a_method_405(void **state)
{
    const struct fixture *fixture = *state;
    assert_int_equal(get(fixture, "/nothing", ""), 404);
    assert_non_null(strstr(answer.bytes, "application/problem+json"));
    assert_non_null(strstr(answer.bytes, "\"code\":\"not_found\""));
    assert_int_equal(get(fixture, "/echo", ""), 405);
    assert_non_null(strstr(answer.bytes, "Allow: POST"));
    assert_int_equal(get(fixture, "/things/", ""), 404);
    assert_int_equal(get(fixture, "/things/a/b", ""), 404);
}

static void broken_or_repeated_query_parameters_are_refused(void **state)
{
    assert_int_equal(get(*state, "/things/a?color=%zz", ""), 400);
    assert_int_equal(get(*state, "/things/a?color=a&color=b", ""), 400);
    assert_int_equal(get(*state, "/things/a?color=%0a", ""), 400);
    assert_int_equal(get(*state, "/things/%2e%2e", ""), 400);
    assert_int_equal(get(*state, "/files/../a", ""), 400);
}

static void a_long_target_is_414_naming_the_limit(void **state)
{
    char target[400] = "/things/";
    memset(target + 8, 'a', 300);
    assert_int_equal(get(*state, target, ""), 414);
    assert_non_null(strstr(answer.bytes, "the limit is 200"));
}

static int post(const struct fixture *fixture, size_t body_len)
{
    static char bytes[200000];
    int len = snprintf(bytes, sizeof(bytes),
                       "POST /echo HTTP/1.1\r\nHost: t\r\nConnection: close\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       body_len);
    memset(bytes + len, 'b', body_len);
    http_raw_exchange(fixture->port, bytes, (size_t)len + body_len, 3000, &answer);
    return http_raw_status(&answer);
}

static void a_body_at_the_limit_arrives_and_one_above_is_413(void **state)
{
    assert_int_equal(post(*state, 1000), 200);
    assert_int_equal(strlen(strstr(answer.bytes, "\r\n\r\n") + 4), 1000);
    assert_int_equal(post(*state, 1001), 413);
    assert_non_null(strstr(answer.bytes, "the limit is 1000"));
    assert_int_equal(post(*state, 150000), 413);
    assert_int_equal(post(*state, 0), 200);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    const struct fixture *fixture = *state;
    const char bytes[] =
        "GET /slow HTTP/1.1\r\nHost: t\r\n\r\nGET /hello HTTP/1.1\r\nHost: t\r\n\r\n"
        "HEAD /hello HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    http_raw_exchange(fixture->port, bytes, sizeof(bytes) - 1, 2000, &answer);
    assert_int_equal(http_raw_count(&answer), 3);
    char *slow_at = strstr(answer.bytes, "slow\n");
    assert_non_null(slow_at);
    char *hello_at = strstr(slow_at, "hello\n");
    assert_non_null(hello_at);
    assert_null(strstr(hello_at + 1, "hello\n"));
}

static int64_t drip(int port, const char *head)
{
    int fd = http_raw_connect(port);
    http_raw_send(fd, head, strlen(head));
    int64_t begin_ms = weir_clock_mono_ms();
    do {
        http_raw_send(fd, "a", 1);
        http_raw_read(fd, 50, &answer);
    } while (!answer.is_closed && weir_clock_mono_ms() - begin_ms < 5000);
    close(fd);
    return weir_clock_mono_ms() - begin_ms;
}

static void a_request_that_comes_in_pieces_is_read(void **state)
{
    const struct fixture *fixture = *state;
    char bytes[9000];
    char filler[4000];
    memset(filler, 'f', sizeof(filler) - 1);
    filler[sizeof(filler) - 1] = '\0';
    int len = snprintf(bytes, sizeof(bytes),
                       "POST /echo HTTP/1.1\r\nHost:t\r\nX-A:  %s\r\nX-B: %s \r\nX-Empty:\r\n"
                       "Connection: close\r\nContent-Length: 5\r\n\r\nhello",
                       filler, filler);
    for (size_t piece = 1; piece <= 1000; piece = piece * 10 + 3) {
        int fd = http_raw_connect(fixture->port);
        int at = piece < 1000 ? len - 100 : 0;
        http_raw_send(fd, bytes, (size_t)at);
        for (; at < len; at += (int)piece) {
            usleep(500);
            http_raw_send(fd, bytes + at, (size_t)(len - at) < piece ? (size_t)(len - at) : piece);
        }
        http_raw_read(fd, 1000, &answer);
        assert_int_equal(http_raw_status(&answer), 200);
        assert_non_null(strstr(answer.bytes, "\r\n\r\nhello"));
        close(fd);
    }
}

static void requests_on_one_connection_are_each_gated(void **state)
{
    const struct fixture *fixture = *state;
    const char good[] = "GET /things/a HTTP/1.1\r\nHost: t\r\nX-A: b\r\n\r\n";
    const char bad[] = "GET /things/b HTTP/1.1\r\nHost: t\r\nX-A: b\r\n c\r\n\r\n";
    int fd = http_raw_connect(fixture->port);
    for (int i = 0; i < 3; i++) {
        http_raw_send(fd, good, sizeof(good) - 1);
        http_raw_read(fd, 100, &answer);
        assert_int_equal(http_raw_status(&answer), 200);
        assert_false(answer.is_closed);
    }
    http_raw_send(fd, bad, sizeof(bad) - 1);
    http_raw_read(fd, 100, &answer);
    assert_int_equal(http_raw_status(&answer), 400);
    assert_true(answer.is_closed);
    close(fd);
}

static void a_client_that_drips_is_closed_at_the_deadline(void **state)
{
    const struct fixture *fixture = *state;
    assert_in_range(drip(fixture->port, ""), 300, 1600);
    assert_in_range(drip(fixture->port, "GET /hello HTTP/1.1\r\nHost: t\r\nX-"), 300, 1600);
    assert_in_range(
        drip(fixture->port, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 900\r\n\r\n"), 300,
        1600);
}

struct waker {
    struct fixture *fixture;
    int delay_ms;
};

static void *wake_later(void *ctx)
{
    struct waker *waker = ctx;
    usleep((useconds_t)waker->delay_ms * 1000);
    weir_http_wake(waker->fixture->server, atomic_load(&waker->fixture->token));
    return NULL;
}

static void a_waiting_request_is_answered_when_it_is_woken(void **state)
{
    struct fixture *fixture = *state;
    struct waker waker = {fixture, 100};
    pthread_t thread;
    pthread_create(&thread, NULL, wake_later, &waker);
    int64_t begin_ms = weir_clock_mono_ms();
    assert_int_equal(get(fixture, "/wait", ""), 200);
    assert_in_range(weir_clock_mono_ms() - begin_ms, 80, 300);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&fixture->runs), 2);
    weir_http_wake(fixture->server, atomic_load(&fixture->token)); /* finished: nothing */
    weir_http_wake(fixture->server, 12345);
}

static void a_waiting_request_runs_again_at_its_deadline(void **state)
{
    int64_t begin_ms = weir_clock_mono_ms();
    assert_int_equal(get(*state, "/wait", ""), 200);
    assert_in_range(weir_clock_mono_ms() - begin_ms, 350, 1200);
}

static void an_inline_handler_may_wait(void **state)
{
    struct fixture *fixture = *state;
    struct waker waker = {fixture, 100};
    pthread_t thread;
    pthread_create(&thread, NULL, wake_later, &waker);
    assert_int_equal(get(fixture, "/wait-inline", ""), 200);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&fixture->runs), 2);
    assert_int_equal(get(fixture, "/wait-inline", ""), 200); /* at its deadline */
    assert_int_equal(atomic_load(&fixture->runs), 4);
}

static void an_inline_handler_may_go_on_in_the_pool(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(get(fixture, "/later", ""), 200);
    assert_int_equal(atomic_load(&fixture->runs), 2);
}

static void waiting_requests_hold_no_thread(void **state)
{
    struct fixture *fixture = *state;
    int fds[20];
    const char bytes[] = "GET /for-ever HTTP/1.1\r\nHost: t\r\n\r\n";
    for (size_t i = 0; i < 20; i++) {
        fds[i] = http_raw_connect(fixture->port);
        http_raw_send(fds[i], bytes, sizeof(bytes) - 1);
        for (int tries = 0; atomic_load(&fixture->runs) <= (int)i && tries < 200; tries++) {
            usleep(5000);
        }
    }
    assert_int_equal(atomic_load(&fixture->runs), 20);
    assert_int_equal(get(fixture, "/things/a", ""), 200);
    weir_http_server_close(&fixture->server, 2000);
    for (size_t i = 0; i < 20; i++) {
        http_raw_read(fds[i], 1000, &answer);
        assert_int_equal(http_raw_status(&answer), 503);
        assert_non_null(strstr(answer.bytes, "Retry-After"));
        close(fds[i]);
    }
}

static void a_full_queue_is_503_with_retry_after(void **state)
{
    struct fixture *fixture = *state;
    int fds[4];
    const char bytes[] = "GET /slow HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    int counts[2] = {0};
    for (size_t i = 0; i < 4; i++) {
        fds[i] = http_raw_connect(fixture->port);
        http_raw_send(fds[i], bytes, sizeof(bytes) - 1);
        usleep(30 * 1000);
    }
    for (size_t i = 0; i < 4; i++) {
        http_raw_read(fds[i], 3000, &answer);
        counts[http_raw_status(&answer) == 503]++;
        close(fds[i]);
    }
    assert_int_equal(counts[0], 2);
    assert_int_equal(counts[1], 2);
}

static void a_stream_of_unknown_length_is_chunked(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(get(fixture, "/stream", ""), 200);
    assert_non_null(strstr(answer.bytes, "Transfer-Encoding: chunked"));
    assert_non_null(strstr(answer.bytes, "5 "));
    assert_non_null(strstr(answer.bytes, "1 "));
    assert_non_null(strstr(answer.bytes, "\r\n0\r\n"));
    usleep(50 * 1000);
    assert_int_equal(atomic_load(&fixture->streams_freed), 1);
}

static void a_stream_of_known_length_is_sent_as_it_is(void **state)
{
    assert_int_equal(get(*state, "/stream?known", ""), 200);
    assert_non_null(strstr(answer.bytes, "Content-Length: 10"));
    assert_non_null(strstr(answer.bytes, "\r\n\r\n5 4 3 2 1 "));
}

static void a_stream_that_breaks_cuts_the_connection(void **state)
{
    assert_int_equal(get(*state, "/stream?break", ""), 200);
    assert_true(answer.is_closed);
    assert_null(strstr(answer.bytes, "\r\n0\r\n"));
}

static void a_handler_without_an_answer_is_500(void **state)
{
    assert_int_equal(get(*state, "/silent", ""), 500);
}

static void running_requests_finish_when_the_server_closes(void **state)
{
    struct fixture *fixture = *state;
    int fd = http_raw_connect(fixture->port);
    const char bytes[] = "GET /slow HTTP/1.1\r\nHost: t\r\n\r\n";
    http_raw_send(fd, bytes, sizeof(bytes) - 1);
    usleep(50 * 1000);
    weir_http_server_close(&fixture->server, 2000);
    http_raw_read(fd, 1000, &answer);
    assert_int_equal(http_raw_status(&answer), 200);
    close(fd);
}

static void a_unix_socket_serves_too(void **state)
{
    struct fixture *fixture;
    char path[] = "/tmp/weir-http-XXXXXX";
    assert_non_null(mkdtemp(path));
    char listen[64];
    snprintf(listen, sizeof(listen), "unix:%s/s", path);
    start_with((void **)&fixture, 1, 0, listen);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", listen + 5);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    const char bytes[] = "GET /things/a HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    http_raw_send(fd, bytes, sizeof(bytes) - 1);
    http_raw_read(fd, 1000, &answer);
    assert_int_equal(http_raw_status(&answer), 200);
    close(fd);
    stop((void **)&fixture);
    unlink(listen + 5);
    rmdir(path);
    (void)state;
}

static void a_port_in_use_is_an_error_with_its_name(void **state)
{
    const struct fixture *fixture = *state;
    char listen[64];
    snprintf(listen, sizeof(listen), "127.0.0.1:%d", fixture->port);
    struct weir_http_server_config config = {.listen = listen, .routes = routes, .n_routes = 1};
    struct weir_http_server *server = NULL;
    struct weir_err err = {0};
    assert_int_equal(weir_http_server_open(&config, &server, &err), WEIR_EUNAVAILABLE);
    assert_non_null(strstr(err.msg, listen));
    config.listen = "nonsense";
    assert_int_equal(weir_http_server_open(&config, &server, &err), WEIR_EINVAL);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(an_answer_has_a_request_id_and_safe_headers),
        SERVED(a_request_id_is_kept_when_it_is_a_uuid),
        SERVED(paths_and_queries_are_decoded_once),
        SERVED(a_path_that_is_unknown_is_404_and_a_method_405),
        SERVED(broken_or_repeated_query_parameters_are_refused),
        SERVED(a_long_target_is_414_naming_the_limit),
        SERVED(a_body_at_the_limit_arrives_and_one_above_is_413),
        SERVED(pipelined_requests_are_answered_in_order),
        SERVED(a_request_that_comes_in_pieces_is_read),
        SERVED(requests_on_one_connection_are_each_gated),
        SERVED(a_client_that_drips_is_closed_at_the_deadline),
        SERVED(a_waiting_request_is_answered_when_it_is_woken),
        SERVED(a_waiting_request_runs_again_at_its_deadline),
        SERVED(an_inline_handler_may_wait),
        SERVED(an_inline_handler_may_go_on_in_the_pool),
        SERVED(waiting_requests_hold_no_thread),
        cmocka_unit_test_setup_teardown(a_full_queue_is_503_with_retry_after, start_tiny, stop),
        SERVED(a_stream_of_unknown_length_is_chunked),
        SERVED(a_stream_of_known_length_is_sent_as_it_is),
        SERVED(a_stream_that_breaks_cuts_the_connection),
        SERVED(a_handler_without_an_answer_is_500),
        SERVED(running_requests_finish_when_the_server_closes),
        cmocka_unit_test(a_unix_socket_serves_too),
        SERVED(a_port_in_use_is_an_error_with_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
