/* SPDX-License-Identifier: Apache-2.0 */
/* Which decoders are up, and whose they are: real processes, on a loop that runs while a thread
 * asks for pictures. */
#include "worker/still/decoders.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tests/unit/check.h"

/* The test's own program is the decoder, too: it is started without arguments but its name. */
#define CHANNEL_FD 3
#define SLOW       1 /* the quality that is answered after a while */
#define QUICK      2
#define LOOK       3 /* likewise, of what nobody waits for */
#define SLOW_MS    300
#define WAIT_MS    30000
#define REST_MS    100
#define LONG_MS    60000

static int play_decoder(void)
{
    struct weir_decode_ask ask;
    char byte = 1;
    while (read(CHANNEL_FD, &ask, sizeof(ask)) == (ssize_t)sizeof(ask)) {
        struct weir_decode_answer answer = {.magic = WEIR_DECODE_MAGIC,
                                            .status = WEIR_DECODE_OK,
                                            .width = (uint32_t)getpid(),
                                            .bytes = 1,
                                            .is_parked = ask.park_ms > 0};
        usleep(ask.quality == SLOW ? SLOW_MS * 1000 : 0);
        if (write(CHANNEL_FD, &answer, sizeof(answer)) < 0 || write(CHANNEL_FD, &byte, 1) < 0) {
            return 1;
        }
    }
    return 0;
}

/* ---- a thread with the loop, while the test asks ---- */

struct scene {
    struct weir_loop *loop;
    struct decoders *decoders;
    pthread_t thread;
    pthread_barrier_t is_there;
    atomic_bool is_enough; /* of slow pictures */
};

static void *run_loop(void *ctx)
{
    struct scene *scene = ctx;
    scene->decoders = decoders_new(scene->loop, "/proc/self/exe", 3);
    pthread_barrier_wait(&scene->is_there);
    weir_loop_run(scene->loop);
    decoders_free(scene->decoders);
    return NULL;
}

static void begin(struct scene *scene)
{
    *scene = (struct scene){.loop = weir_loop_new()};
    pthread_barrier_init(&scene->is_there, NULL, 2);
    assert_int_equal(pthread_create(&scene->thread, NULL, run_loop, scene), 0);
    pthread_barrier_wait(&scene->is_there);
}

static void stop(void *ctx)
{
    weir_loop_stop(ctx);
}

static void end(struct scene *scene)
{
    weir_loop_post(scene->loop, stop, scene->loop);
    pthread_join(scene->thread, NULL);
    pthread_barrier_destroy(&scene->is_there);
    weir_loop_free(scene->loop);
}

/* ---- what the test does ---- */

static void wait_up(struct scene *scene, size_t n)
{
    for (int i = 0; i < WAIT_MS && decoders_up(scene->decoders) != n; i++) {
        usleep(1000);
    }
    assert_int_equal(decoders_up(scene->decoders), n);
}

static void set_short(void *ctx)
{
    struct scene *scene = ctx;
    decoders_set_rest(scene->decoders, REST_MS);
}

static void set_long(void *ctx)
{
    struct scene *scene = ctx;
    decoders_set_rest(scene->decoders, LONG_MS);
}

/* Until one is up alone; from now on what is started stays. */
static void wait_alone(struct scene *scene)
{
    weir_loop_post(scene->loop, set_short, scene);
    wait_up(scene, 1);
    weir_loop_post(scene->loop, set_long, scene);
}

static void wait_gone(pid_t pid)
{
    for (int i = 0; i < WAIT_MS && kill(pid, 0) == 0; i++) {
        usleep(1000);
    }
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

/* The process that made it, of a camera of a tenant of its own; 0: none did. */
static pid_t make(struct scene *scene, uint8_t camera, uint32_t quality, uint32_t park_ms)
{
    const struct weir_decode_ask ask = {
        .magic = WEIR_DECODE_MAGIC, .quality = quality, .park_ms = park_ms};
    const struct weir_id camera_id = {{camera}};
    struct weir_decode_answer answer = {0};
    uint8_t *image = NULL;
    enum weir_code code =
        quality == LOOK
            ? decoders_make_spare(scene->decoders, &camera_id, &ask, (const uint8_t *)"", &answer,
                                  &image, NULL)
            : decoders_make(scene->decoders, &camera_id, &camera_id, &ask, (const uint8_t *)"",
                            weir_clock_mono_ms() + WAIT_MS, &answer, &image, NULL);
    free(image);
    return code == WEIR_OK ? (pid_t)answer.width : 0;
}

static pid_t made_by(struct scene *scene, uint8_t camera, uint32_t quality, uint32_t park_ms)
{
    pid_t pid = make(scene, camera, quality, park_ms);
    assert_true(pid > 0);
    return pid;
}

static void *make_slow(void *ctx)
{
    struct scene *scene = ctx;
    while (!atomic_load(&scene->is_enough)) {
        make(scene, 'a', SLOW, 0);
    }
    return NULL;
}

/* ---- the tests ---- */

static void decoders_that_nobody_uses_rest_but_one(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    pid_t others[3] = {made_by(&scene, 'a', QUICK, 0), made_by(&scene, 'b', QUICK, 0),
                       made_by(&scene, 'c', QUICK, 0)};
    assert_true(others[0] != others[1] && others[1] != others[2]);
    wait_alone(&scene);
    /* The last one is the first, and there for looks. */
    pid_t first = made_by(&scene, 'l', LOOK, 0);
    for (int i = 0; i < 10; i++) {
        assert_true(decoders_can_spare(scene.decoders));
        assert_int_equal(made_by(&scene, 'l', LOOK, 0), first);
    }
    for (int i = 0; i < 3; i++) {
        if (others[i] != first) {
            wait_gone(others[i]);
        }
    }
    assert_int_equal(decoders_up(scene.decoders), 1);
    end(&scene);
}

static void looks_keep_to_one_decoder(void **state)
{
    (void)state;
    struct scene scene = {.loop = weir_loop_new()};
    scene.decoders = decoders_new(scene.loop, "/proc/self/exe", 3);
    pid_t first = made_by(&scene, 'l', LOOK, 0);
    assert_int_equal(made_by(&scene, 'l', LOOK, 0), first);
    assert_true(made_by(&scene, 'a', QUICK, 0) != first);
    assert_true(made_by(&scene, 'b', QUICK, 0) != first);
    assert_int_equal(made_by(&scene, 'l', LOOK, 0), first);
    decoders_free(scene.decoders);
    weir_loop_free(scene.loop);
}

static void a_tenant_keeps_to_the_decoder_that_had_its_pictures(void **state)
{
    (void)state;
    struct scene scene = {.loop = weir_loop_new()};
    scene.decoders = decoders_new(scene.loop, "/proc/self/exe", 2);
    pid_t first = made_by(&scene, 'a', QUICK, 0);
    assert_int_equal(made_by(&scene, 'a', QUICK, 0), first); /* though there is a fresh one */
    pid_t second = made_by(&scene, 'b', QUICK, 0);
    assert_true(second != first);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(made_by(&scene, 'a', QUICK, 0), first);
        assert_int_equal(made_by(&scene, 'b', QUICK, 0), second);
    }
    /* Where there is no other it gets one all the same. */
    pid_t third = made_by(&scene, 'c', QUICK, 0);
    assert_true(third == first || third == second);
    decoders_free(scene.decoders);
    weir_loop_free(scene.loop);
}

static void those_that_rest_are_started_when_somebody_has_to_wait(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    pthread_t threads[3];
    wait_alone(&scene);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, make_slow, &scene), 0);
    }
    wait_up(&scene, 3);
    atomic_store(&scene.is_enough, true);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    end(&scene);
}

static void one_that_rests_is_started_when_a_camera_loses_what_is_parked(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    wait_alone(&scene);
    pid_t first = made_by(&scene, 'a', QUICK, LONG_MS);
    assert_int_equal(made_by(&scene, 'a', QUICK, LONG_MS), first);
    assert_int_equal(decoders_up(scene.decoders), 1);
    assert_int_equal(made_by(&scene, 'b', QUICK, LONG_MS), first);
    wait_up(&scene, 2);
    assert_true(made_by(&scene, 'a', QUICK, LONG_MS) != first);
    assert_int_equal(made_by(&scene, 'b', QUICK, LONG_MS), first);
    end(&scene);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoders_that_nobody_uses_rest_but_one),
        cmocka_unit_test(looks_keep_to_one_decoder),
        cmocka_unit_test(a_tenant_keeps_to_the_decoder_that_had_its_pictures),
        cmocka_unit_test(those_that_rest_are_started_when_somebody_has_to_wait),
        cmocka_unit_test(one_that_rests_is_started_when_a_camera_loses_what_is_parked),
    };
    if (argc > 0 && strcmp(argv[0], "weir-decode") == 0) {
        return play_decoder();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
