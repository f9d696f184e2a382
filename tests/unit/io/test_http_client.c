/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/http_client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/io/http_server.h"
#include "tests/unit/check.h"

static void mirror(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)ctx;
    size_t len;
    const char *body = weir_http_body(req, &len);
    const char *color = weir_http_header(req, "X-Color");
    weir_http_add_header(res, "ETag", "\"7\"");
    weir_http_add_header(res, "Cache-Control", "max-age=5");
    weir_http_text(res, 201,
                   weir_arena_printf(weir_http_arena(req), "%s %s %s", weir_http_method(req),
                                     color ? color : "-", body));
}

static void redirect(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)ctx;
    (void)req;
    weir_http_add_header(res, "Location", "/mirror");
    weir_http_text(res, 302, "");
}

static void slow(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)ctx;
    (void)req;
    usleep(500 * 1000);
    weir_http_text(res, 200, "late");
}

static const struct weir_http_route routes[] = {
    {"GET", "/mirror", mirror, 0},   {"POST", "/mirror", mirror, 0},
    {"PATCH", "/mirror", mirror, 0}, {"GET", "/redirect", redirect, 0},
    {"GET", "/slow", slow, 0},
};

static struct weir_http_server *server;
static struct weir_http_client *client;
static struct weir_arena *arena;

static int begin(void **state)
{
    (void)state;
    struct weir_http_server_config config = {
        .listen = "127.0.0.1:0", .routes = routes, .n_routes = 5, .pool_threads = 2};
    struct weir_err err = {0};
    ASSERT_OK(weir_http_server_open(&config, &server, &err), &err);
    client = weir_http_client_new();
    arena = weir_arena_new(0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    weir_arena_free(arena);
    weir_http_client_free(client);
    weir_http_server_close(&server, 1000);
    return 0;
}

static struct weir_http_call call_to(const char *path)
{
    return (struct weir_http_call){
        .url =
            weir_arena_printf(arena, "http://127.0.0.1:%d%s", weir_http_server_port(server), path),
        .timeout_ms = 2000,
        .max_bytes = 1000,
    };
}

static void an_answer_has_status_body_and_headers(void **state)
{
    (void)state;
    struct weir_http_call call = call_to("/mirror");
    const char *const headers[] = {"X-Color: blue", NULL};
    struct weir_http_answer answer;
    struct weir_err err = {0};
    call.headers = headers;
    ASSERT_OK(weir_http_client_call(client, &call, arena, &answer, &err), &err);
    assert_int_equal(answer.status, 201);
    assert_string_equal(answer.body, "GET blue ");
    assert_string_equal(answer.etag, "\"7\"");
    assert_string_equal(answer.cache_control, "max-age=5");
    assert_string_equal(answer.location, "");
    call.method = "PATCH";
    call.body = "hello";
    call.body_len = 5;
    ASSERT_OK(weir_http_client_call(client, &call, arena, &answer, &err), &err);
    assert_string_equal(answer.body, "PATCH blue hello");
}

static void redirects_are_told_and_not_followed(void **state)
{
    (void)state;
    struct weir_http_call call = call_to("/redirect");
    struct weir_http_answer answer;
    struct weir_err err = {0};
    ASSERT_OK(weir_http_client_call(client, &call, arena, &answer, &err), &err);
    assert_int_equal(answer.status, 302);
    assert_string_equal(answer.location, "/mirror");
}

static void a_large_answer_and_a_late_one_are_errors(void **state)
{
    (void)state;
    struct weir_http_call call = call_to("/mirror");
    struct weir_http_answer answer;
    call.max_bytes = 3;
    assert_int_equal(weir_http_client_call(client, &call, arena, &answer, NULL), WEIR_ELIMIT);
    call = call_to("/slow");
    call.timeout_ms = 100;
    int64_t begin_ms = weir_clock_mono_ms();
    assert_int_equal(weir_http_client_call(client, &call, arena, &answer, NULL), WEIR_ETIMEOUT);
    assert_in_range(weir_clock_mono_ms() - begin_ms, 80, 400);
}

static void other_schemes_and_closed_ports_are_errors(void **state)
{
    (void)state;
    struct weir_http_call call = {.url = "file:///etc/hostname", .timeout_ms = 500, .max_bytes = 9};
    struct weir_http_answer answer;
    assert_int_equal(weir_http_client_call(client, &call, arena, &answer, NULL), WEIR_EUNAVAILABLE);
    call.url = "http://127.0.0.1:1/";
    assert_int_equal(weir_http_client_call(client, &call, arena, &answer, NULL), WEIR_EUNAVAILABLE);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(an_answer_has_status_body_and_headers),
        SERVED(redirects_are_told_and_not_followed),
        SERVED(a_large_answer_and_a_late_one_are_errors),
        SERVED(other_schemes_and_closed_ports_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
