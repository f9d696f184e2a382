/* SPDX-License-Identifier: Apache-2.0 */
/* The waits of librdkafka's threads: lib/io/bus/steady.c stands before libc's cnd_timedwait. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <threads.h>
#include <time.h>

#include <cmocka.h>

#include "lib/base/clock.h"

static struct timespec from_now(int64_t ms)
{
    int64_t until_ms = weir_clock_wall_ms() + ms;
    return (struct timespec){until_ms / 1000, until_ms % 1000 * 1000000};
}

static int wait_for(int64_t ms)
{
    mtx_t mutex;
    cnd_t cond;
    assert_int_equal(mtx_init(&mutex, mtx_plain), thrd_success);
    assert_int_equal(cnd_init(&cond), thrd_success);
    assert_int_equal(mtx_lock(&mutex), thrd_success);
    struct timespec until = from_now(ms);
    int result = cnd_timedwait(&cond, &mutex, &until);
    mtx_unlock(&mutex);
    cnd_destroy(&cond);
    mtx_destroy(&mutex);
    return result;
}

static void a_wait_ends_at_its_time(void **state)
{
    (void)state;
    int64_t since_ms = weir_clock_mono_ms();
    assert_int_equal(wait_for(50), thrd_timedout);
    assert_true(weir_clock_mono_ms() - since_ms >= 49);
    assert_int_equal(wait_for(-1000), thrd_timedout);
    assert_int_equal(wait_for(-weir_clock_wall_ms()), thrd_timedout);
}

struct meeting {
    mtx_t mutex;
    cnd_t cond;
    bool came;
};

static int come(void *ctx)
{
    struct meeting *meeting = ctx;
    mtx_lock(&meeting->mutex);
    meeting->came = true;
    cnd_signal(&meeting->cond);
    mtx_unlock(&meeting->mutex);
    return 0;
}

static void a_signal_ends_a_wait(void **state)
{
    (void)state;
    struct meeting meeting = {.came = false};
    mtx_init(&meeting.mutex, mtx_plain);
    cnd_init(&meeting.cond);
    mtx_lock(&meeting.mutex);
    thrd_t other;
    assert_int_equal(thrd_create(&other, come, &meeting), thrd_success);
    struct timespec until = from_now(60000);
    int result = thrd_success;
    while (!meeting.came && result == thrd_success) {
        result = cnd_timedwait(&meeting.cond, &meeting.mutex, &until);
    }
    mtx_unlock(&meeting.mutex);
    assert_int_equal(result, thrd_success);
    thrd_join(other, NULL);
    cnd_destroy(&meeting.cond);
    mtx_destroy(&meeting.mutex);
}

static void librdkafka_gets_this_one(void **state)
{
    (void)state;
    Dl_info ours, found;
    /* What the dynamic linker gives to a library that asks for the name. */
    void *symbol = dlsym(RTLD_DEFAULT, "cnd_timedwait");
    assert_non_null(symbol);
    assert_int_not_equal(dladdr(symbol, &found), 0);
    assert_int_not_equal(dladdr((void *)(uintptr_t)come, &ours), 0);
    assert_ptr_equal(found.dli_fbase, ours.dli_fbase);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_ends_at_its_time),
        cmocka_unit_test(a_signal_ends_a_wait),
        cmocka_unit_test(librdkafka_gets_this_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
