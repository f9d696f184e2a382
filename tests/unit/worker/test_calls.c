/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/calls.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/io/http_server.h"
#include "tests/unit/check.h"

/* Two apis, of which the first may be told to fail or to be slow. */
struct scene {
    struct weir_loop *loop;
    struct weir_http_server *servers[2];
    struct calls *calls;
    int status; /* the first api's */
    int pause_ms;
    int asked[2];
    int got;
    char body[32];
};

static void answer_first(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct scene *scene = ctx;
    (void)req;
    scene->asked[0]++;
    usleep((useconds_t)scene->pause_ms * 1000);
    weir_http_text(res, scene->status, "first");
}

static void answer_second(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct scene *scene = ctx;
    (void)req;
    scene->asked[1]++;
    weir_http_text(res, 200, "second");
}

static const struct weir_http_route first_routes[] = {{"GET", "/x", answer_first, 0}};
static const struct weir_http_route second_routes[] = {{"GET", "/x", answer_second, 0}};

static void open_server(struct scene *scene, int i)
{
    struct weir_err err = {0};
    const struct weir_http_server_config config = {.listen = "127.0.0.1:0",
                                                   .routes = i ? second_routes : first_routes,
                                                   .n_routes = 1,
                                                   .pool_threads = 2,
                                                   .ctx = scene};
    ASSERT_OK(weir_http_server_open(&config, &scene->servers[i], &err), &err);
}

static int set_up(void **state)
{
    static struct scene scene;
    char apis[128];
    scene = (struct scene){.loop = weir_loop_new(), .status = 200};
    open_server(&scene, 0);
    open_server(&scene, 1);
    snprintf(apis, sizeof(apis), "http://127.0.0.1:%d, http://127.0.0.1:%d",
             (int)weir_http_server_port(scene.servers[0]),
             (int)weir_http_server_port(scene.servers[1]));
    scene.calls = calls_new(scene.loop, apis);
    *state = &scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    calls_free(scene->calls);
    weir_http_server_close(&scene->servers[0], 0);
    weir_http_server_close(&scene->servers[1], 0);
    weir_loop_free(scene->loop);
    return 0;
}

static void on_done(void *ctx, const struct call *call, const struct weir_http_answer *answer,
                    const struct weir_err *err)
{
    struct scene *scene = ctx;
    (void)call;
    (void)err;
    scene->got = answer ? answer->status : 0;
    snprintf(scene->body, sizeof(scene->body), "%s", answer ? answer->body : "");
    weir_loop_stop(scene->loop);
}

static void ask(struct scene *scene)
{
    calls_post(
        scene->calls,
        &(struct call){
            .path = "/x", .timeout_ms = 300, .max_bytes = 1000, .fn = on_done, .ctx = scene});
    weir_loop_run(scene->loop);
}

static void one_api_is_asked_while_it_answers(void **state)
{
    struct scene *scene = *state;
    ask(scene);
    ask(scene);
    assert_string_equal(scene->body, "first");
    assert_int_equal(scene->asked[1], 0);
}

static void a_refusal_is_an_answer(void **state)
{
    struct scene *scene = *state;
    scene->status = 404;
    ask(scene);
    assert_int_equal(scene->got, 404);
    assert_int_equal(scene->asked[1], 0);
}

static void an_api_in_trouble_is_left_for_the_other(void **state)
{
    struct scene *scene = *state;
    scene->status = 503;
    ask(scene);
    assert_string_equal(scene->body, "second");
    ask(scene);
    assert_int_equal(scene->asked[0], 1);
    assert_int_equal(scene->asked[1], 2);
}

static void an_api_that_stands_still_delays_one_call_only(void **state)
{
    struct scene *scene = *state;
    scene->pause_ms = 1500;
    ask(scene);
    assert_string_equal(scene->body, "second");
    int64_t begun_ms = weir_clock_mono_ms();
    ask(scene);
    assert_string_equal(scene->body, "second");
    assert_true(weir_clock_mono_ms() - begun_ms < 300);
}

static void without_any_api_the_last_failure_is_told(void **state)
{
    struct scene *scene = *state;
    scene->got = -1;
    weir_http_server_close(&scene->servers[0], 0);
    weir_http_server_close(&scene->servers[1], 0);
    ask(scene);
    assert_int_equal(scene->got, 0);
}

#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCENE(one_api_is_asked_while_it_answers),
        IN_SCENE(a_refusal_is_an_answer),
        IN_SCENE(an_api_in_trouble_is_left_for_the_other),
        IN_SCENE(an_api_that_stands_still_delays_one_call_only),
        IN_SCENE(without_any_api_the_last_failure_is_told),
    };
    return cmocka_run_group_tests_name("worker calls", tests, NULL, NULL);
}
