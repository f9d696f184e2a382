/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets a decoder: real processes, which play one that answers after a while. */
#include "worker/still/decoders.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tests/unit/check.h"

/* The test's own program is the decoder, too: it is started without arguments but its name. */
#define CHANNEL_FD 3
#define WORKS_MS   2000
#define QUICK      2 /* the quality that is answered at once, */
#define LONG_MS    (DECODERS_HANG_MS + 500)
#define LONG       3 /* ... after LONG_MS, */
#define BROKEN     4 /* ... by dying, */
#define HANGS      5 /* ... never */

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
        if (ask.quality == BROKEN) {
            return 1;
        }
        while (ask.quality == HANGS) {
            pause();
        }
        usleep(ask.quality == QUICK ? 0 : (ask.quality == LONG ? LONG_MS : WORKS_MS) * 1000);
        if (write(CHANNEL_FD, &answer, sizeof(answer)) < 0 || write(CHANNEL_FD, &byte, 1) < 0) {
            return 1;
        }
    }
    return 0;
}

struct maker {
    struct decoders *decoders;
    pthread_t thread;
    enum weir_code code;
};

static const struct weir_id acme = {{9}};
static const struct weir_decode_ask nothing = {.magic = WEIR_DECODE_MAGIC, .quality = 1};

static void *make(void *ctx)
{
    struct maker *maker = ctx;
    struct weir_decode_answer answer;
    uint8_t *image;
    const struct weir_id camera_id = {{1}};
    maker->code = decoders_make(maker->decoders, &acme, &camera_id, &nothing, (const uint8_t *)"",
                                weir_clock_mono_ms() + 30000, &answer, &image, NULL);
    free(image);
    return NULL;
}

static void begin(struct maker *maker, struct decoders *decoders)
{
    maker->decoders = decoders;
    assert_int_equal(pthread_create(&maker->thread, NULL, make, maker), 0);
    for (int i = 0; i < 1000 && decoders_can_spare(decoders); i++) {
        usleep(10000); /* until it has one, or waits */
    }
}

static void end(struct maker *maker)
{
    pthread_join(maker->thread, NULL);
    assert_int_equal(maker->code, WEIR_OK);
}

static enum weir_code look(struct decoders *decoders)
{
    struct weir_decode_answer answer;
    uint8_t *image;
    enum weir_code code =
        decoders_make_spare(decoders, &acme, &nothing, (const uint8_t *)"", &answer, &image, NULL);
    free(image);
    return code;
}

static void a_look_takes_no_decoder_that_snapshots_need(void **state)
{
    (void)state;
    struct weir_loop *loop = weir_loop_new();
    struct decoders *two = decoders_new(loop, "/proc/self/exe", 2);
    struct maker makers[3] = {0};
    assert_true(decoders_can_spare(two));
    assert_int_equal(look(two), WEIR_OK);
    begin(&makers[0], two);
    assert_false(decoders_can_spare(two)); /* one is free, for the next snapshot */
    int64_t began_ms = weir_clock_mono_ms();
    assert_int_equal(look(two), WEIR_EUNAVAILABLE);
    assert_true(weir_clock_mono_ms() - began_ms < WORKS_MS);
    begin(&makers[1], two);
    begin(&makers[2], two);
    assert_int_equal(look(two), WEIR_EUNAVAILABLE);
    for (int i = 0; i < 3; i++) {
        end(&makers[i]);
    }
    assert_int_equal(look(two), WEIR_OK);
    decoders_free(two);
    weir_loop_free(loop);
}

static void the_only_decoder_is_spared_when_nobody_uses_it(void **state)
{
    (void)state;
    struct weir_loop *loop = weir_loop_new();
    struct decoders *one = decoders_new(loop, "/proc/self/exe", 1);
    struct maker makers[2] = {0};
    assert_int_equal(look(one), WEIR_OK);
    begin(&makers[0], one);
    begin(&makers[1], one);
    assert_int_equal(look(one), WEIR_EUNAVAILABLE);
    end(&makers[0]);
    end(&makers[1]);
    assert_int_equal(look(one), WEIR_OK);
    decoders_free(one);
    weir_loop_free(loop);
}

/* Which process made a picture of the camera; `park_ms` 0: it is a look. */
static uint32_t made_by(struct decoders *decoders, uint8_t camera, uint32_t park_ms)
{
    const struct weir_decode_ask ask = {
        .magic = WEIR_DECODE_MAGIC, .quality = QUICK, .park_ms = park_ms};
    const struct weir_id camera_id = {{camera}};
    struct weir_decode_answer answer = {0};
    uint8_t *image = NULL;
    enum weir_code code =
        park_ms > 0 ? decoders_make(decoders, &acme, &camera_id, &ask, (const uint8_t *)"",
                                    weir_clock_mono_ms() + 30000, &answer, &image, NULL)
                    : decoders_make_spare(decoders, &acme, &ask, (const uint8_t *)"", &answer,
                                          &image, NULL);
    assert_int_equal(code, WEIR_OK);
    free(image);
    usleep(5000); /* so that one was parked before the other */
    return answer.width;
}

static enum weir_code made_of(struct decoders *decoders, uint32_t quality, uint32_t n_units)
{
    const struct weir_decode_ask ask = {
        .magic = WEIR_DECODE_MAGIC, .quality = quality, .n_units = n_units};
    const struct weir_id camera_id = {{1}};
    struct weir_decode_answer answer = {0};
    uint8_t *image = NULL;
    enum weir_code code = decoders_make(decoders, &acme, &camera_id, &ask, (const uint8_t *)"",
                                        weir_clock_mono_ms() + 30000, &answer, &image, NULL);
    free(image);
    return code;
}

static void *make_long(void *ctx)
{
    struct maker *maker = ctx;
    maker->code = made_of(maker->decoders, LONG, 1000000);
    return NULL;
}

static void a_long_clip_has_longer_and_what_takes_too_long_is_not_called_broken(void **state)
{
    (void)state;
    struct weir_loop *loop = weir_loop_new();
    struct decoders *three = decoders_new(loop, "/proc/self/exe", 3);
    struct maker maker = {.decoders = three};
    assert_int_equal(made_of(three, BROKEN, 1), WEIR_EIO);
    assert_int_equal(pthread_create(&maker.thread, NULL, make_long, &maker), 0);
    assert_int_equal(made_of(three, HANGS, 1), WEIR_ETIMEOUT);
    end(&maker);
    decoders_free(three);
    weir_loop_free(loop);
}

static void a_camera_gets_the_decoder_that_is_parked_for_it_and_keeps_nobody_waiting(void **state)
{
    (void)state;
    enum { MINUTE = 60000, SHORT = 50 };
    struct weir_loop *loop = weir_loop_new();
    struct decoders *three = decoders_new(loop, "/proc/self/exe", 3);
    uint32_t a = made_by(three, 'a', MINUTE);
    uint32_t b = made_by(three, 'b', MINUTE);
    assert_true(a != b);
    assert_int_equal(made_by(three, 'a', MINUTE), a);
    assert_int_equal(made_by(three, 'b', MINUTE), b);
    /* A look takes the one that is not parked, and parks nothing. */
    uint32_t c = made_by(three, 0, 0);
    assert_true(c != a && c != b);
    assert_int_equal(made_by(three, 'c', MINUTE), c);
    /* All are parked: a fourth camera gets the one that was parked first, a look the next. */
    assert_int_equal(made_by(three, 'd', MINUTE), a);
    assert_int_equal(made_by(three, 0, 0), b);
    assert_int_equal(made_by(three, 'b', MINUTE), b);
    /* Its time is over, so that it is nobody's. */
    assert_int_equal(made_by(three, 'c', SHORT), c);
    usleep(2 * SHORT * 1000);
    assert_int_equal(made_by(three, 'e', MINUTE), c);
    assert_int_equal(made_by(three, 'c', MINUTE), a);
    decoders_free(three);
    weir_loop_free(loop);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_look_takes_no_decoder_that_snapshots_need),
        cmocka_unit_test(the_only_decoder_is_spared_when_nobody_uses_it),
        cmocka_unit_test(a_long_clip_has_longer_and_what_takes_too_long_is_not_called_broken),
        cmocka_unit_test(a_camera_gets_the_decoder_that_is_parked_for_it_and_keeps_nobody_waiting),
    };
    if (argc > 0 && strcmp(argv[0], "weir-decode") == 0) {
        return play_decoder();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
