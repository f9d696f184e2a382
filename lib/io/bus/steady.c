/* SPDX-License-Identifier: Apache-2.0 */
/* librdkafka tells each wait of its threads by an absolute time of the wall clock, which is all
 * that C11 offers: set back an hour, and its timers, its connects and its close wait that hour
 * longer. So this definition stands before libc's, and waits for the same span on the steady clock.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <threads.h>
#include <time.h>

#define NS_IN_S 1000000000LL

static int64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * NS_IN_S + now.tv_nsec;
}

int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
                  const struct timespec *restrict until)
{
    int64_t deadline_ns = (int64_t)until->tv_sec * NS_IN_S + until->tv_nsec;
    int64_t steady_ns = now_ns(CLOCK_MONOTONIC) + deadline_ns - now_ns(CLOCK_REALTIME);
    if (steady_ns < 0) {
        steady_ns = 0;
    }
    struct timespec steady = {steady_ns / NS_IN_S, steady_ns % NS_IN_S};
    /* glibc's C11 types are its POSIX types under other names (its own cnd_timedwait casts too). */
    int failed = pthread_cond_clockwait((pthread_cond_t *)(void *)cond,
                                        (pthread_mutex_t *)(void *)mutex, CLOCK_MONOTONIC, &steady);
    if (failed == 0) {
        return thrd_success;
    }
    return failed == ETIMEDOUT ? thrd_timedout : thrd_error;
}
