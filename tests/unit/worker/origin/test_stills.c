/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/origin/stills.h"

#include <string.h>

#include "lib/io/http_server.h"
#include "tests/unit/check.h"

/* The loop does not run: nothing is ever answered by weir-still. */
struct scene {
    struct weir_http_server *server;
    struct weir_loop *loop;
    struct stills *stills;
    struct ask *asks[2 * STILLS_MAX];
    size_t n_asks;
};

static const struct weir_http_route routes[] = {{"GET", "/", NULL, 0}};

static void begin(struct scene *scene)
{
    const struct weir_http_server_config config = {
        .listen = "127.0.0.1:0", .routes = routes, .n_routes = 1, .pool_threads = 1};
    *scene = (struct scene){.loop = weir_loop_new()};
    scene->stills = stills_new(scene->loop, "/nonexistent/still.sock");
    assert_int_equal(weir_http_server_open(&config, &scene->server, NULL), WEIR_OK);
}

static void end(struct scene *scene)
{
    stills_free(scene->stills);
    for (size_t i = 0; i < scene->n_asks; i++) {
        assert_true(ask_is_answered(scene->asks[i]));
        assert_int_equal(scene->asks[i]->status, 503);
        ask_unref(&scene->asks[i]);
    }
    weir_http_server_close(&scene->server, 1000);
    weir_loop_free(scene->loop);
}

/* Whether it is passed on. */
static bool is_taken(struct scene *scene, uint8_t tenant, uint8_t camera)
{
    struct ask *ask = ask_new();
    ask->tenant_id = (struct weir_id){{tenant}};
    ask->camera_id = (struct weir_id){{tenant, camera}};
    ask->server = scene->server;
    strcpy(ask->still, "/v1/still");
    atomic_fetch_add(&ask->refs, 1); /* the loop's, beside ours */
    stills_ask(scene->stills, ask);
    scene->asks[scene->n_asks++] = ask;
    return !ask_is_answered(ask);
}

static void no_camera_and_no_tenant_has_all_places(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    for (uint8_t camera = 0; camera < STILLS_TENANT_MAX / STILLS_CAMERA_MAX; camera++) {
        for (int i = 0; i < STILLS_CAMERA_MAX; i++) {
            assert_true(is_taken(&scene, 1, camera));
        }
        assert_false(is_taken(&scene, 1, camera));
    }
    assert_false(is_taken(&scene, 1, 100)); /* another one of the same tenant */
    assert_true(is_taken(&scene, 2, 1));
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_camera_and_no_tenant_has_all_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
