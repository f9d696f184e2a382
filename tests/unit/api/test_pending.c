/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's wait for Kafka's word, on a real server; the words come from the test. What is left
 * over is found by the leak check of the sanitized run.
 */
#include "tests/unit/check.h"

#include <pthread.h>
#include <stdatomic.h>

#include "api/pending.h"
#include "lib/base/clock.h"
#include "lib/io/http_server.h"
#include "tests/unit/io/http_raw.h"

static struct weir_http_server *server;
static struct api_pending *_Atomic pending;
static atomic_int n_released;

static void release(void *ctx)
{
    atomic_fetch_add(&n_released, 1);
    api_pending_unref(ctx);
}

/* Waits once for the outcome, then tells it. */
static void wait_for_word(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)ctx;
    struct api_pending *mine = *weir_http_slot(req);
    if (!mine) {
        uint64_t token = weir_http_wait(req, weir_clock_mono_ms() + 300);
        mine = api_pending_new(server, token);
        *weir_http_slot(req) = mine;
        weir_http_on_end(req, release, mine);
        api_pending_ref(mine);
        atomic_store(&pending, mine);
        return;
    }
    enum weir_code code = WEIR_OK;
    int64_t offset = -1;
    bool is_known = api_pending_outcome(mine, &code, &offset);
    weir_http_text(res, is_known && code == WEIR_OK ? 200 + (int)offset : 503, "");
}

static const struct weir_http_route routes[] = {{"GET", "/", wait_for_word, 0}};

static int begin(void **state)
{
    (void)state;
    const struct weir_http_server_config config = {
        .listen = "127.0.0.1:0", .routes = routes, .n_routes = 1, .pool_threads = 2};
    atomic_store(&pending, NULL);
    atomic_store(&n_released, 0);
    return weir_http_server_open(&config, &server, NULL) == WEIR_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    weir_http_server_close(&server, 1000);
    return 0;
}

static int ask(void)
{
    static const char bytes[] = "GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    static struct http_raw_answer answer;
    http_raw_exchange(weir_http_server_port(server), bytes, sizeof(bytes) - 1, 5000, &answer);
    return http_raw_status(&answer);
}

static void *deliver(void *ctx)
{
    const struct weir_bus_delivery *delivery = ctx;
    struct api_pending *waited;
    while (!(waited = atomic_load(&pending))) {
    }
    api_pending_delivered(waited, delivery);
    return NULL;
}

static void the_word_wakes_its_request_and_brings_the_offset(void **state)
{
    (void)state;
    struct weir_bus_delivery delivery = {.code = WEIR_OK, .offset = 4};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, deliver, &delivery), 0);
    assert_int_equal(ask(), 204);
    pthread_join(thread, NULL);
    weir_http_server_close(&server, 1000);
    assert_int_equal(atomic_load(&n_released), 1);
}

static void a_word_that_comes_too_late_wakes_nobody_and_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(ask(), 503);
    weir_http_server_close(&server, 1000);
    assert_int_equal(atomic_load(&n_released), 1);
    struct weir_bus_delivery delivery = {.code = WEIR_OK, .offset = 4};
    api_pending_delivered(atomic_load(&pending), &delivery);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_word_wakes_its_request_and_brings_the_offset, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_word_that_comes_too_late_wakes_nobody_and_leaves_nothing,
                                        begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
