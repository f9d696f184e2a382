/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/pictures.h"

#include <pthread.h>
#include <string.h>

#include "lib/base/clock.h"
#include "tests/unit/check.h"

#define SOON_MS 60000

static struct picture *picture_of(char byte, uint32_t len)
{
    uint8_t bytes[64];
    struct weir_decode_answer answer = {.bytes = len};
    memset(bytes, byte, sizeof(bytes));
    return picture_new(&answer, bytes);
}

static struct picture_key key_of(int64_t frame_us)
{
    return (struct picture_key){.frame_us = frame_us};
}

static void make(struct pictures *pictures, int64_t frame_us, char byte, uint32_t len)
{
    struct picture_key key = key_of(frame_us);
    struct picture *picture = NULL;
    assert_int_equal(pictures_begin(pictures, &key, 0, &picture), PICTURES_MAKE);
    picture = picture_of(byte, len);
    pictures_end(pictures, &key, picture);
    picture_unref(&picture);
}

static bool has(struct pictures *pictures, int64_t frame_us, char byte)
{
    struct picture_key key = key_of(frame_us);
    struct picture *picture = NULL;
    if (pictures_begin(pictures, &key, 0, &picture) == PICTURES_MAKE) {
        pictures_end(pictures, &key, NULL);
        return false;
    }
    assert_int_equal(picture->bytes[0], byte);
    picture_unref(&picture);
    return true;
}

static void a_picture_is_found_by_all_of_its_key(void **state)
{
    (void)state;
    struct pictures *pictures = pictures_new(1000);
    struct picture_key key = key_of(1);
    struct picture *picture = NULL;
    make(pictures, 1, 'a', 10);
    assert_true(has(pictures, 1, 'a'));
    assert_false(has(pictures, 2, 'a'));
    picture = pictures_find(pictures, &key);
    assert_non_null(picture);
    picture_unref(&picture);
    key.width = 640;
    assert_null(pictures_find(pictures, &key));
    assert_int_equal(pictures_begin(pictures, &key, 0, &picture), PICTURES_MAKE);
    assert_null(pictures_find(pictures, &key)); /* not yet */
    pictures_end(pictures, &key, NULL);
    pictures_free(pictures);
}

static void the_oldest_go_when_there_are_too_many_bytes(void **state)
{
    (void)state;
    struct pictures *pictures = pictures_new(100);
    make(pictures, 1, 'a', 50);
    make(pictures, 2, 'b', 50);
    make(pictures, 3, 'c', 50);
    assert_false(has(pictures, 1, 'a'));
    assert_true(has(pictures, 2, 'b'));
    assert_true(has(pictures, 3, 'c'));
    pictures_free(pictures);
}

static void without_room_pictures_are_made_and_not_kept(void **state)
{
    (void)state;
    struct pictures *pictures = pictures_new(0);
    make(pictures, 1, 'a', 50);
    assert_false(has(pictures, 1, 'a'));
    pictures_free(pictures);
}

struct waiter {
    struct pictures *pictures;
    enum pictures_verdict verdict;
    char byte;
};

static void *wait_for_it(void *ctx)
{
    struct waiter *waiter = ctx;
    struct picture_key key = key_of(1);
    struct picture *picture = NULL;
    waiter->verdict =
        pictures_begin(waiter->pictures, &key, weir_clock_mono_ms() + SOON_MS, &picture);
    if (waiter->verdict == PICTURES_HERE) {
        waiter->byte = (char)picture->bytes[0];
    }
    picture_unref(&picture);
    return NULL;
}

static void who_comes_while_it_is_made_gets_the_same(void **state)
{
    (void)state;
    struct waiter waiters[4];
    pthread_t threads[4];
    struct picture_key key = key_of(1);
    struct picture *picture = NULL;
    struct pictures *pictures = pictures_new(1000);
    assert_int_equal(pictures_begin(pictures, &key, 0, &picture), PICTURES_MAKE);
    for (int i = 0; i < 4; i++) {
        waiters[i] = (struct waiter){.pictures = pictures};
        pthread_create(&threads[i], NULL, wait_for_it, &waiters[i]);
    }
    picture = picture_of('x', 10);
    pictures_end(pictures, &key, picture);
    picture_unref(&picture);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(waiters[i].verdict, PICTURES_HERE);
        assert_int_equal(waiters[i].byte, 'x');
    }
    pictures_free(pictures);
}

static void after_a_failure_one_of_those_who_wait_tries(void **state)
{
    (void)state;
    struct waiter waiter;
    pthread_t thread;
    struct picture_key key = key_of(1);
    struct picture *picture = NULL;
    struct pictures *pictures = pictures_new(1000);
    assert_int_equal(pictures_begin(pictures, &key, 0, &picture), PICTURES_MAKE);
    waiter = (struct waiter){.pictures = pictures};
    pthread_create(&thread, NULL, wait_for_it, &waiter);
    pictures_end(pictures, &key, NULL);
    pthread_join(thread, NULL);
    assert_int_equal(waiter.verdict, PICTURES_MAKE);
    pictures_end(pictures, &key, NULL);
    pictures_free(pictures);
}

static void nobody_waits_beyond_his_time(void **state)
{
    (void)state;
    struct picture_key key = key_of(1);
    struct picture *picture = NULL;
    struct pictures *pictures = pictures_new(1000);
    assert_int_equal(pictures_begin(pictures, &key, 0, &picture), PICTURES_MAKE);
    assert_int_equal(pictures_begin(pictures, &key, weir_clock_mono_ms() + 20, &picture),
                     PICTURES_LATE);
    pictures_end(pictures, &key, NULL);
    pictures_free(pictures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_is_found_by_all_of_its_key),
        cmocka_unit_test(the_oldest_go_when_there_are_too_many_bytes),
        cmocka_unit_test(without_room_pictures_are_made_and_not_kept),
        cmocka_unit_test(who_comes_while_it_is_made_gets_the_same),
        cmocka_unit_test(after_a_failure_one_of_those_who_wait_tries),
        cmocka_unit_test(nobody_waits_beyond_his_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
