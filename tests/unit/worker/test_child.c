/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/log.h"

/* A shell script plays the child; the scene ends at the first thing a test waits for. */
struct scene {
    struct weir_loop *loop;
    struct weir_timer *deadline;
    struct child *child;
    char program[64];
    int starts;
    int exits;
    int lines;
    int stop_at_starts;
    int stop_at_lines;
    int64_t port;
    int64_t silence_max_ms;
};

static void on_deadline(void *ctx)
{
    struct scene *scene = ctx;
    weir_loop_stop(scene->loop);
    fail_msg("nothing happened in time");
}

static void say_drop(struct scene *scene)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_DROP};
    child_send(scene->child, &ctl);
}

static void on_start(void *ctx)
{
    struct scene *scene = ctx;
    scene->starts++;
    say_drop(scene);
    if (scene->starts == scene->stop_at_starts) {
        weir_loop_stop(scene->loop);
    }
}

static void on_exit_seen(void *ctx)
{
    struct scene *scene = ctx;
    scene->exits++;
}

static void on_line(void *ctx, const struct weir_ctl *ctl)
{
    struct scene *scene = ctx;
    scene->lines++;
    if (ctl->type == WEIR_CTL_ORIGIN_LISTENING) {
        scene->port = ctl->u.origin_listening.port;
    }
    if (scene->lines == scene->stop_at_lines) {
        weir_loop_stop(scene->loop);
    }
}

static void play(struct scene *scene, const char *script)
{
    weir_log_init("test", WEIR_LOG_ERROR);
    strcpy(scene->program, "/tmp/weir-child-XXXXXX");
    int fd = mkstemp(scene->program);
    assert_true(fd >= 0);
    assert_int_equal(dprintf(fd, "#!/bin/sh\n%s\n", script), (int)strlen(script) + 11);
    assert_int_equal(fchmod(fd, 0700), 0);
    close(fd);
    scene->loop = weir_loop_new();
    scene->deadline = weir_timer_new(scene->loop, on_deadline, scene);
    weir_timer_set(scene->deadline, 20000);
    scene->child = child_new(&(struct child_config){.name = "test-child",
                                                    .path = scene->program,
                                                    .loop = scene->loop,
                                                    .silence_max_ms = scene->silence_max_ms,
                                                    .on_start = on_start,
                                                    .on_line = on_line,
                                                    .on_exit = on_exit_seen,
                                                    .ctx = scene});
    weir_loop_run(scene->loop);
}

static void done(struct scene *scene)
{
    child_free(scene->child);
    weir_loop_free(scene->loop);
    unlink(scene->program);
}

static void a_child_hears_and_is_heard(void **state)
{
    (void)state;
    struct scene scene = {.stop_at_lines = 1};
    play(&scene, "read line <&3; case $line in *tap.drop*) "
                 "echo '{\"type\":\"origin.listening\",\"port\":1234}' >&3;; esac; sleep 60");
    assert_int_equal(scene.port, 1234);
    assert_int_equal(scene.exits, 0);
    assert_true(child_is_up(scene.child));
    done(&scene);
}

static void a_child_that_ended_is_started_again(void **state)
{
    (void)state;
    struct scene scene = {.stop_at_starts = 3};
    play(&scene, "exit 1");
    assert_int_equal(scene.exits, 2);
    assert_int_equal(child_starts(scene.child), 3);
    done(&scene);
}

static void lines_nobody_can_read_are_left_out(void **state)
{
    (void)state;
    struct scene scene = {.stop_at_lines = 1};
    weir_log_init("test", WEIR_LOG_ERROR);
    play(&scene, "printf 'nonsense\\n{}\\n{\"type\":\"origin.lis' >&3; sleep 0.1; "
                 "printf 'tening\",\"port\":7}\\n' >&3; sleep 60");
    assert_int_equal(scene.port, 7);
    done(&scene);
}

static void a_line_without_end_ends_the_child(void **state)
{
    (void)state;
    struct scene scene = {.stop_at_starts = 2};
    play(&scene, "head -c 200000 /dev/zero | tr '\\0' x >&3; sleep 60");
    assert_int_equal(scene.exits, 1);
    done(&scene);
}

static void a_child_that_does_not_listen_is_killed(void **state)
{
    (void)state;
    struct scene scene = {.stop_at_lines = 1, .stop_at_starts = 2};
    play(&scene, "[ -e $0.once ] && exec sleep 60; touch $0.once; "
                 "echo '{\"type\":\"origin.listening\",\"port\":9}' >&3; exec sleep 60");
    for (int i = 0; i < 200000; i++) {
        say_drop(&scene);
    }
    weir_loop_run(scene.loop);
    assert_int_equal(scene.exits, 1);
    assert_int_equal(scene.starts, 2);
    char once[80];
    snprintf(once, sizeof(once), "%s.once", scene.program);
    unlink(once);
    done(&scene);
}

static void a_child_that_falls_silent_is_killed_and_started_again(void **state)
{
    (void)state;
    struct scene scene = {.stop_at_starts = 2, .silence_max_ms = 1000};
    play(&scene, "echo '{\"type\":\"origin.listening\",\"port\":9}' >&3; kill -STOP $$");
    assert_int_equal(scene.exits, 1);
    done(&scene);
}

static void a_child_is_not_blamed_for_the_time_its_parent_stood_still(void **state)
{
    (void)state;
    struct scene scene = {.stop_at_lines = 1, .silence_max_ms = 1000};
    play(&scene, "while echo '{\"type\":\"origin.listening\",\"port\":9}' >&3; "
                 "do sleep 0.1; done");
    sleep(3);
    scene.stop_at_lines = 50;
    weir_loop_run(scene.loop);
    assert_int_equal(scene.exits, 0);
    done(&scene);
}

static void a_missing_program_is_tried_again(void **state)
{
    (void)state;
    struct scene scene = {.stop_at_starts = 99};
    weir_log_init("test", WEIR_LOG_ERROR);
    scene.loop = weir_loop_new();
    scene.child = child_new(&(struct child_config){.name = "nothing",
                                                   .path = "/nonexistent/weir-nothing",
                                                   .loop = scene.loop,
                                                   .on_start = on_start,
                                                   .on_line = on_line,
                                                   .on_exit = on_exit_seen,
                                                   .ctx = &scene});
    scene.deadline = weir_timer_new(scene.loop, (weir_loop_fn *)weir_loop_stop, scene.loop);
    weir_timer_set(scene.deadline, 200);
    weir_loop_run(scene.loop);
    assert_false(child_is_up(scene.child));
    assert_int_equal(scene.starts, 0);
    say_drop(&scene);
    child_free(scene.child);
    weir_loop_free(scene.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_hears_and_is_heard),
        cmocka_unit_test(a_child_that_ended_is_started_again),
        cmocka_unit_test(lines_nobody_can_read_are_left_out),
        cmocka_unit_test(a_line_without_end_ends_the_child),
        cmocka_unit_test(a_child_that_does_not_listen_is_killed),
        cmocka_unit_test(a_child_that_falls_silent_is_killed_and_started_again),
        cmocka_unit_test(a_child_is_not_blamed_for_the_time_its_parent_stood_still),
        cmocka_unit_test(a_missing_program_is_tried_again),
    };
    return cmocka_run_group_tests_name("worker child", tests, NULL, NULL);
}
