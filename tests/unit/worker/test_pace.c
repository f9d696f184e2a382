/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "tests/unit/check.h"
#include "worker/worker.h"

/* A shell script plays the tap, and says what it hears. */
#define ECHO "#!/bin/sh\nwhile read -r line <&3; do echo \"$line\" >&3; done\n"

static struct worker_settings settings = {.thin_at_pct = 40};

struct scene {
    struct worker worker;
    struct weir_loop *loop;
    struct weir_timer *deadline;
    char program[64];
    int64_t heard_ppm; /* the newest; 0: nothing */
};

static void on_deadline(void *ctx)
{
    struct scene *scene = ctx;
    weir_loop_stop(scene->loop);
}

static void on_start(void *ctx)
{
    struct scene *scene = ctx;
    pace_tick(&scene->worker);
}

static void on_exit_seen(void *ctx)
{
    (void)ctx;
}

static void on_line(void *ctx, const struct weir_ctl *ctl)
{
    struct scene *scene = ctx;
    assert_int_equal(ctl->type, WEIR_CTL_TAP_PACE);
    scene->heard_ppm = ctl->u.tap_pace.fps_ppm;
    weir_loop_stop(scene->loop);
}

static void open_scene(struct scene *scene)
{
    weir_log_init("test", WEIR_LOG_ERROR);
    strcpy(scene->program, "/tmp/weir-pace-XXXXXX");
    int fd = mkstemp(scene->program);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, ECHO, strlen(ECHO)), (ssize_t)strlen(ECHO));
    assert_int_equal(fchmod(fd, 0700), 0);
    close(fd);
    scene->loop = weir_loop_new();
    scene->deadline = weir_timer_new(scene->loop, on_deadline, scene);
    weir_timer_set(scene->deadline, 60000);
    scene->worker.settings = &settings;
    scene->worker.pace_ppm = STRAIN_ALL_PPM;
    scene->worker.load.has_psi_cpu_avg10_ppm = true;
    scene->worker.load.psi_cpu_avg10_ppm = 400000;
    scene->worker.strain =
        (struct strain){.has_begun = true, .is_high = true, .since_ms = worker_now_ms() - 60000};
    scene->worker.tap = child_new(&(struct child_config){.name = "test-tap",
                                                         .path = scene->program,
                                                         .loop = scene->loop,
                                                         .on_start = on_start,
                                                         .on_line = on_line,
                                                         .on_exit = on_exit_seen,
                                                         .ctx = scene});
}

static void close_scene(struct scene *scene)
{
    child_free(scene->worker.tap);
    weir_timer_free(&scene->deadline);
    weir_loop_free(scene->loop);
    unlink(scene->program);
}

static void the_tap_hears_of_pressure_and_of_its_end(void **state)
{
    (void)state;
    struct scene scene = {0};
    open_scene(&scene);
    weir_loop_run(scene.loop);
    assert_int_equal(scene.heard_ppm, 700000);
    /* What stays as it is is not said again, but to a new tap. */
    scene.heard_ppm = 0;
    pace_tick(&scene.worker);
    assert_int_equal(scene.worker.pace_ppm, 700000);
    pace_tell(&scene.worker);
    weir_loop_run(scene.loop);
    assert_int_equal(scene.heard_ppm, 700000);
    scene.worker.load.psi_cpu_avg10_ppm = 0;
    scene.worker.strain.is_high = false;
    scene.worker.strain.is_low = true;
    scene.worker.strain.since_ms = worker_now_ms() - 60000;
    pace_tick(&scene.worker);
    weir_loop_run(scene.loop);
    assert_int_equal(scene.heard_ppm, STRAIN_ALL_PPM);
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tap_hears_of_pressure_and_of_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
