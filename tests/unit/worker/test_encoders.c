/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/encoders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/domain/encoder.h"
#include "tests/unit/check.h"

#define GIVE_UP_MS 60000

/* A shell script plays weir-encprobe; $1 is the engine. */
#define SAY(is_good, why) SAY_MEASURED(is_good, why, "300", "100", "3")
#define SAY_MEASURED(is_good, why, fps_720p, fps_1080p, sessions)                                  \
    "echo "                                                                                        \
    "\"{\\\"type\\\":\\\"encprobe.result\\\",\\\"encoder\\\":\\\"$1\\\",\\\"is_good\\\":" is_good  \
    ",\\\"why\\\":\\\"" why "\\\",\\\"fps_720p\\\":" fps_720p ",\\\"fps_1080p\\\":" fps_1080p      \
    ",\\\"sessions\\\":" sessions "}\" >&3\n"

struct scene {
    struct weir_loop *loop;
    struct weir_timer *deadline;
    struct encoders *encoders;
    char folder[64];
    char program[96];
    int n_changes;
    int wanted; /* the loop ends at this change */
};

static void on_changed(void *ctx)
{
    struct scene *scene = ctx;
    if (++scene->n_changes == scene->wanted) {
        weir_loop_stop(scene->loop);
    }
}

static void on_deadline(void *ctx)
{
    struct scene *scene = ctx;
    weir_loop_stop(scene->loop);
}

static void write_program(const struct scene *scene, const char *script)
{
    char fresh[128];
    snprintf(fresh, sizeof(fresh), "%s.new", scene->program);
    FILE *file = fopen(fresh, "we");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s", script);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(fresh, 0700), 0);
    assert_int_equal(rename(fresh, scene->program), 0);
}

static void open_scene(struct scene *scene, const char *script)
{
    *scene = (struct scene){.loop = weir_loop_new()};
    weir_log_init("test", WEIR_LOG_ERROR);
    scene->deadline = weir_timer_new(scene->loop, on_deadline, scene);
    strcpy(scene->folder, "/tmp/weir-encoders-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->program, sizeof(scene->program), "%s/probe", scene->folder);
    write_program(scene, script);
}

static void begin(struct scene *scene, const char *names, int64_t timeout_ms)
{
    struct weir_err err = {0};
    const struct encoders_config config = {.loop = scene->loop,
                                           .program = scene->program,
                                           .names = names,
                                           .is_used = true,
                                           .root = scene->folder,
                                           .timeout_ms = timeout_ms,
                                           .suspect_ms = 100,
                                           .changed = on_changed,
                                           .ctx = scene};
    assert_int_equal(encoders_new(&config, &scene->encoders, &err), WEIR_OK);
}

/* Until there were so many changes. */
static void run(struct scene *scene, int changes)
{
    scene->wanted = changes;
    weir_timer_set(scene->deadline, GIVE_UP_MS);
    weir_loop_run(scene->loop);
    assert_int_equal(scene->n_changes, changes);
}

static void make(const struct scene *scene, const char *path)
{
    char text[256];
    snprintf(text, sizeof(text), "mkdir -p %s/dev/dri && touch %s%s", scene->folder, scene->folder,
             path);
    assert_int_equal(system(text), 0);
}

static void close_scene(struct scene *scene)
{
    char text[128];
    encoders_free(&scene->encoders);
    assert_null(scene->encoders);
    weir_timer_free(&scene->deadline);
    weir_loop_free(scene->loop);
    snprintf(text, sizeof(text), "rm -r %s", scene->folder);
    assert_int_equal(system(text), 0);
}

static size_t fill(const struct scene *scene,
                   struct weir_ev_heartbeat_encoding_encoders ret[static WEIR_ENCODER_N])
{
    return encoders_fill(scene->encoders, weir_clock_mono_ms(), ret);
}

static void what_is_good_is_offered_and_told(void **state)
{
    (void)state;
    struct scene scene;
    struct weir_ctl_tap_encoders_encoders offer[WEIR_ENCODER_N];
    struct weir_ev_heartbeat_encoding_encoders told[WEIR_ENCODER_N];
    open_scene(&scene, SAY("true", ""));
    begin(&scene, "vaapi,nvenc", GIVE_UP_MS);
    assert_false(encoders_are_known(scene.encoders));
    assert_int_equal(encoders_offer(scene.encoders, offer), 0);
    run(&scene, 2);
    assert_true(encoders_are_known(scene.encoders));
    assert_int_equal(encoders_offer(scene.encoders, offer), 2);
    assert_int_equal(offer[0].encoder, WEIR_ENCODER_NVENC);
    assert_int_equal(offer[1].encoder, WEIR_ENCODER_VAAPI);
    assert_int_equal(offer[0].kpx_per_s, weir_encoder_budget_kpx(300, 100));
    assert_int_equal(offer[0].sessions, 3);
    assert_int_equal(fill(&scene, told), 2);
    assert_int_equal(told[0].state, WEIR_ENCODER_STATE_READY);
    assert_int_equal(told[0].fps_720p, 300);
    assert_int_equal(told[0].kpx_per_s, offer[0].kpx_per_s);
    assert_false(told[0].has_suspect_ms);
    struct weir_ctl_tap_encoding_encoders row = {WEIR_ENCODER_VAAPI, 1234, 2};
    const struct weir_ctl_tap_encoding used = {&row, 1};
    encoders_used(scene.encoders, &used);
    assert_int_equal(fill(&scene, told), 2);
    assert_int_equal(told[1].kpx_per_s_used, 1234);
    assert_int_equal(told[1].sessions_used, 2);
    close_scene(&scene);
}

static void expect_absent(const char *script, int64_t timeout_ms)
{
    struct scene scene;
    struct weir_ev_heartbeat_encoding_encoders told[WEIR_ENCODER_N];
    open_scene(&scene, script);
    begin(&scene, "v4l2", timeout_ms);
    run(&scene, 1);
    assert_true(encoders_are_known(scene.encoders));
    assert_int_equal(fill(&scene, told), 0);
    close_scene(&scene);
}

static void what_fails_hangs_or_says_nonsense_is_absent(void **state)
{
    (void)state;
    expect_absent(SAY("false", "it makes another picture"), GIVE_UP_MS);
    expect_absent("exit 1\n", GIVE_UP_MS);
    expect_absent("sleep 100\n", 200);
    expect_absent("echo '{\"type\":\"tap.drop\"}' >&3; sleep 100\n", GIVE_UP_MS);
    expect_absent("head -c 20000 /dev/zero >&3; sleep 100\n", GIVE_UP_MS);
    /* Another one's answer. */
    expect_absent("set -- qsv\n" SAY("true", ""), GIVE_UP_MS);
}

static void one_that_failed_is_suspect_and_then_tried_again(void **state)
{
    (void)state;
    struct scene scene;
    struct weir_ctl_tap_encoders_encoders offer[WEIR_ENCODER_N];
    struct weir_ev_heartbeat_encoding_encoders told[WEIR_ENCODER_N];
    open_scene(&scene, SAY("true", ""));
    begin(&scene, "qsv", GIVE_UP_MS);
    run(&scene, 1);
    /* It fails once more before it is good again. */
    write_program(&scene, SAY("false", "it hung"));
    encoders_failed(scene.encoders, WEIR_ENCODER_QSV, "it hung");
    assert_int_equal(scene.n_changes, 2);
    assert_int_equal(encoders_offer(scene.encoders, offer), 0);
    assert_int_equal(fill(&scene, told), 1);
    assert_int_equal(told[0].state, WEIR_ENCODER_STATE_SUSPECT);
    assert_true(told[0].has_suspect_ms && told[0].suspect_ms <= 100);
    assert_int_equal(told[0].kpx_per_s + told[0].sessions, 0);
    /* What comes late of renditions that had it changes nothing. */
    encoders_failed(scene.encoders, WEIR_ENCODER_QSV, "it hung");
    assert_int_equal(scene.n_changes, 2);
    run(&scene, 3);
    assert_int_equal(fill(&scene, told), 1);
    assert_int_equal(told[0].state, WEIR_ENCODER_STATE_SUSPECT);
    write_program(&scene, SAY("true", ""));
    run(&scene, 4);
    assert_int_equal(encoders_offer(scene.encoders, offer), 1);
    close_scene(&scene);
}

static void what_renditions_have_when_it_is_tried_again_is_not_lost(void **state)
{
    (void)state;
    struct scene scene;
    struct weir_ctl_tap_encoders_encoders offer[WEIR_ENCODER_N];
    open_scene(&scene, SAY("true", ""));
    begin(&scene, "qsv", GIVE_UP_MS);
    run(&scene, 1);
    /* Others encode with it meanwhile. */
    write_program(&scene, SAY_MEASURED("true", "", "120", "120", "1"));
    encoders_failed(scene.encoders, WEIR_ENCODER_QSV, "it hung");
    run(&scene, 3);
    assert_int_equal(encoders_offer(scene.encoders, offer), 1);
    assert_int_equal(offer[0].sessions, 3);
    assert_int_equal(offer[0].kpx_per_s, weir_encoder_budget_kpx(300, 120));
    close_scene(&scene);
}

static void by_default_those_are_tried_whose_device_is_there(void **state)
{
    (void)state;
    struct scene scene;
    struct weir_ctl_tap_encoders_encoders offer[WEIR_ENCODER_N];
    open_scene(&scene, SAY("true", ""));
    begin(&scene, "auto", GIVE_UP_MS);
    assert_true(encoders_are_known(scene.encoders));
    encoders_free(&scene.encoders);
    /* VAAPI would be the same silicon once more. */
    make(&scene, "/dev/dri/renderD129");
    make(&scene, "/dev/video11");
    begin(&scene, "auto", GIVE_UP_MS);
    run(&scene, 2);
    assert_int_equal(encoders_offer(scene.encoders, offer), 2);
    assert_int_equal(offer[0].encoder, WEIR_ENCODER_QSV);
    assert_int_equal(offer[1].encoder, WEIR_ENCODER_V4L2);
    encoders_free(&scene.encoders);
    scene.n_changes = 0;
    write_program(&scene, "test $1 = qsv && exit 1\n" SAY("true", ""));
    begin(&scene, "auto", GIVE_UP_MS);
    run(&scene, 3);
    assert_int_equal(encoders_offer(scene.encoders, offer), 2);
    assert_int_equal(offer[0].encoder, WEIR_ENCODER_VAAPI);
    close_scene(&scene);
}

static void where_none_is_used_none_is_tried(void **state)
{
    (void)state;
    struct weir_err err = {0};
    struct encoders *encoders = NULL;
    struct weir_ctl_tap_encoders_encoders offer[WEIR_ENCODER_N];
    struct weir_ev_heartbeat_encoding_encoders told[WEIR_ENCODER_N];
    struct weir_loop *loop = weir_loop_new();
    const struct encoders_config config = {.loop = loop, .names = "nvenc,qsv", .root = ""};
    assert_int_equal(encoders_new(&config, &encoders, &err), WEIR_OK);
    assert_true(encoders_are_known(encoders));
    assert_int_equal(encoders_offer(encoders, offer), 0);
    assert_int_equal(encoders_fill(encoders, 0, told), 0);
    encoders_free(&encoders);
    weir_loop_free(loop);
}

static void names_are_looked_at(void **state)
{
    (void)state;
    struct weir_err err = {0};
    struct encoders *encoders = NULL;
    struct weir_loop *loop = weir_loop_new();
    const struct encoders_config config = {.loop = loop, .names = "nvenc,auto", .root = ""};
    assert_int_equal(encoders_new(&config, &encoders, &err), WEIR_EINVAL);
    assert_non_null(strstr(err.msg, "'auto'"));
    assert_null(encoders);
    weir_loop_free(loop);
    struct weir_ev_heartbeat_encoding_encoders told[WEIR_ENCODER_N];
    assert_int_equal(encoders_fill(NULL, 0, told), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_good_is_offered_and_told),
        cmocka_unit_test(what_fails_hangs_or_says_nonsense_is_absent),
        cmocka_unit_test(one_that_failed_is_suspect_and_then_tried_again),
        cmocka_unit_test(what_renditions_have_when_it_is_tried_again_is_not_lost),
        cmocka_unit_test(by_default_those_are_tried_whose_device_is_there),
        cmocka_unit_test(where_none_is_used_none_is_tried),
        cmocka_unit_test(names_are_looked_at),
    };
    return cmocka_run_group_tests_name("worker encoders", tests, NULL, NULL);
}
