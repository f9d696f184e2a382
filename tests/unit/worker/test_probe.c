/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"

#define N_PROBES 5

/* An engine's socket: it answers each question with `answer`, or takes it and says nothing. */
struct scene {
    struct weir_loop *loop;
    char folder[32];
    char path[64];
    int listener;
    const char *answer;
    int taken[N_PROBES];
    int n_taken;
    int statuses[N_PROBES];
    int n_done;
    int stop_at;
};

static void on_question(void *ctx, unsigned events)
{
    struct scene *scene = ctx;
    (void)events;
    int fd = accept(scene->listener, NULL, NULL);
    assert_true(fd >= 0 && scene->n_taken < N_PROBES);
    scene->taken[scene->n_taken++] = fd;
    if (scene->answer) {
        WEIR_IGNORE(send(fd, scene->answer, strlen(scene->answer), MSG_NOSIGNAL), "may be gone");
    }
}

static void on_done(void *ctx, int status)
{
    struct scene *scene = ctx;
    scene->statuses[scene->n_done++] = status;
    if (scene->n_done == scene->stop_at) {
        weir_loop_stop(scene->loop);
    }
}

static int set_up(void **state)
{
    static struct scene scene;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    scene = (struct scene){.loop = weir_loop_new(), .stop_at = 1};
    snprintf(scene.folder, sizeof(scene.folder), "/tmp/weir-probe-XXXXXX");
    if (!mkdtemp(scene.folder)) {
        return -1;
    }
    snprintf(scene.path, sizeof(scene.path), "%s/api", scene.folder);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", scene.path);
    scene.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(scene.listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
        listen(scene.listener, N_PROBES) < 0) {
        return -1;
    }
    weir_loop_watch(scene.loop, scene.listener, WEIR_LOOP_IN, on_question, &scene);
    *state = &scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < scene->n_taken; i++) {
        close(scene->taken[i]);
    }
    close(scene->listener);
    unlink(scene->path);
    rmdir(scene->folder);
    weir_loop_free(scene->loop);
    return 0;
}

static void the_status_of_an_answer_is_told(void **state)
{
    struct scene *scene = *state;
    scene->answer = "HTTP/1.1 404 Not Found\r\n\r\n";
    probe_get(scene->loop, scene->path, "/v3/x", 5000, on_done, scene);
    weir_loop_run(scene->loop);
    assert_int_equal(scene->statuses[0], 404);
}

static void what_is_no_http_is_no_answer(void **state)
{
    struct scene *scene = *state;
    scene->answer = "RTSP/1.0 200 OK\r\n\r\n";
    probe_get(scene->loop, scene->path, "/v3/x", 5000, on_done, scene);
    weir_loop_run(scene->loop);
    assert_int_equal(scene->statuses[0], 0);
}

static void a_missing_engine_is_told_at_once_but_not_from_inside(void **state)
{
    struct scene *scene = *state;
    probe_get(scene->loop, "/nonexistent/api", "/v3/x", 60000, on_done, scene);
    assert_int_equal(scene->n_done, 0);
    weir_loop_run(scene->loop);
    assert_int_equal(scene->statuses[0], 0);
}

static void many_hung_engines_cost_the_time_of_one(void **state)
{
    struct scene *scene = *state;
    int64_t begun_ms = weir_clock_mono_ms();
    scene->stop_at = N_PROBES;
    for (int i = 0; i < N_PROBES; i++) {
        probe_get(scene->loop, scene->path, "/v3/x", 400, on_done, scene);
    }
    weir_loop_run(scene->loop);
    assert_true(weir_clock_mono_ms() - begun_ms < 4 * 400);
    for (int i = 0; i < N_PROBES; i++) {
        assert_int_equal(scene->statuses[i], 0);
    }
}

static void an_answer_that_came_while_this_process_stood_still_counts(void **state)
{
    struct scene *scene = *state;
    probe_get(scene->loop, scene->path, "/v3/x", 50, on_done, scene);
    int fd = accept(scene->listener, NULL, NULL);
    assert_true(write(fd, "HTTP/1.1 200 OK\r\n\r\n", 19) == 19);
    usleep(200000);
    weir_loop_run(scene->loop);
    close(fd);
    assert_int_equal(scene->statuses[0], 200);
}

static void a_cancelled_question_is_never_answered(void **state)
{
    struct scene *scene = *state;
    scene->answer = "HTTP/1.1 200 OK\r\n\r\n";
    struct probe *probe = probe_get(scene->loop, scene->path, "/v3/x", 5000, on_done, scene);
    probe_cancel(&probe);
    assert_null(probe);
    probe_cancel(&probe);
    probe_get(scene->loop, scene->path, "/v3/x", 5000, on_done, scene);
    weir_loop_run(scene->loop);
    assert_int_equal(scene->n_done, 1);
}

#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCENE(the_status_of_an_answer_is_told),
        IN_SCENE(what_is_no_http_is_no_answer),
        IN_SCENE(a_missing_engine_is_told_at_once_but_not_from_inside),
        IN_SCENE(many_hung_engines_cost_the_time_of_one),
        IN_SCENE(an_answer_that_came_while_this_process_stood_still_counts),
        IN_SCENE(a_cancelled_question_is_never_answered),
    };
    return cmocka_run_group_tests_name("worker probe", tests, NULL, NULL);
}
