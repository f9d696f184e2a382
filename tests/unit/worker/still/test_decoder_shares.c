/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/decoders.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tests/unit/check.h"

static const struct weir_id acme = {{9}};
static const struct weir_id busy = {{1}};
static const struct weir_id other = {{2}};

struct asker {
    struct decoders *decoders;
    const struct weir_id *camera_id;
    enum weir_code code;
    int64_t end_mono_ms;
    pthread_t thread;
};

static void *ask(void *ctx)
{
    struct asker *asker = ctx;
    struct weir_decode_ask wish = {.magic = WEIR_DECODE_MAGIC};
    struct weir_decode_answer answer = {0};
    uint8_t *image = NULL;
    asker->code =
        decoders_make(asker->decoders, &acme, asker->camera_id, &wish, (const uint8_t *)"",
                      weir_clock_mono_ms() + 30000, &answer, &image, NULL);
    asker->end_mono_ms = weir_clock_mono_ms();
    free(image);
    return NULL;
}

/* ---- a decoder that works for two seconds and dies of it ---- */

static void write_program(char path[static 64])
{
    snprintf(path, 64, "/tmp/weir-test-decoder-%d", (int)getpid());
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("#!/bin/sh\n/usr/bin/head -c 1 <&3 >/dev/null\nexec /bin/sleep 2\n", file);
    fclose(file);
    assert_int_equal(chmod(path, 0700), 0);
}

/* ---- two decoders, and a camera that asks for more of them than there are ---- */

struct scene {
    struct weir_loop *loop;
    struct asker hog[3];
    struct asker guest;
};

static void stop(void *ctx)
{
    weir_loop_stop(ctx);
}

static void *play(void *ctx)
{
    struct scene *scene = ctx;
    struct asker *order[] = {&scene->hog[0], &scene->hog[1], &scene->hog[2], &scene->guest};
    usleep(1200000); /* who dies at once is started again later */
    for (size_t i = 0; i < 4; i++) {
        pthread_create(&order[i]->thread, NULL, ask, order[i]);
        usleep(i == 0 ? 500000 : 100000);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(order[i]->thread, NULL);
    }
    weir_loop_post(scene->loop, stop, scene->loop);
    return NULL;
}

static void a_camera_that_keeps_decoders_busy_is_passed_over_for_another(void **state)
{
    (void)state;
    char path[64];
    pthread_t thread;
    write_program(path);
    struct scene scene = {.loop = weir_loop_new()};
    struct decoders *decoders = decoders_new(scene.loop, path, 2);
    for (size_t i = 0; i < 3; i++) {
        scene.hog[i] = (struct asker){.decoders = decoders, .camera_id = &busy};
    }
    scene.guest = (struct asker){.decoders = decoders, .camera_id = &other};
    assert_int_equal(pthread_create(&thread, NULL, play, &scene), 0);
    weir_loop_run(scene.loop);
    pthread_join(thread, NULL);
    /* Each had a decoder, which died over it... */
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(scene.hog[i].code, WEIR_EIO);
    }
    assert_int_equal(scene.guest.code, WEIR_EIO);
    /* ... and of those who wait it is not the one who came first and has another already. */
    assert_true(scene.guest.end_mono_ms < scene.hog[2].end_mono_ms);
    decoders_free(decoders);
    weir_loop_free(scene.loop);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_camera_that_keeps_decoders_busy_is_passed_over_for_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
