/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/reader.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "worker/tap/guard.h"
#include "worker/tap/source.h"

#define INBOX_BYTES_MAX  (32U << 20) /* then the thread waits, and with it the camera */
#define STACK_BYTES      (1U << 20)
#define STACK_KEPT_BYTES 8192U

/* One message to the loop: of the three, one is set, or `has_ended`. */
struct item {
    struct item *next;
    struct tap_format *format;
    bool is_description; /* the format is */
    struct tap_unit *unit;
    bool has_ended;
};

struct tap_reader {
    struct weir_loop *loop;
    struct tap_reader_spec spec;
    const struct tap_reader_calls *calls;
    void *ctx; /* loop's thread only */
    pthread_t thread;
    struct tap_failure failure; /* written before the last item is handed over */
    atomic_bool is_cancelled;
    atomic_bool is_senseless;
    atomic_int nap_ms;
    atomic_int_fast64_t group_ms;
    atomic_uint_fast64_t gaps;
    atomic_uint_fast64_t lost;
    atomic_uint_fast64_t packets;
    pthread_mutex_t lock; /* of the rest */
    struct item *head;
    struct item **tail;
    size_t bytes;
    bool is_posted;
    bool rests;
};

static unsigned n_readers;

static void drain(void *ctx);

/* A rest is for units only: whether a camera plays is always news. */
static void hand_over(struct tap_reader *reader, struct item *item)
{
    pthread_mutex_lock(&reader->lock);
    *reader->tail = item;
    reader->tail = &item->next;
    reader->bytes += item->unit != NULL ? item->unit->len : 0;
    bool waits = reader->rests && item->unit != NULL;
    bool must_post = !reader->is_posted && !waits;
    reader->is_posted = reader->is_posted || must_post;
    pthread_mutex_unlock(&reader->lock);
    if (must_post)
        weir_loop_post(reader->loop, drain, reader);
}

static void wait_for_room(struct tap_reader *reader)
{
    for (;;) {
        pthread_mutex_lock(&reader->lock);
        bool is_full = reader->bytes > INBOX_BYTES_MAX;
        pthread_mutex_unlock(&reader->lock);
        if (!is_full || tap_reader_is_cancelled(reader))
            return;
        usleep(5000);
    }
}

static void hand_format(struct tap_reader *reader, const struct tap_format *format,
                        bool is_description)
{
    struct item *item = weir_xalloc(sizeof(*item));
    item->format = weir_xalloc(sizeof(*format));
    *item->format = *format;
    item->is_description = is_description;
    hand_over(reader, item);
}

void tap_reader_hand_description(struct tap_reader *reader, const struct tap_format *format)
{
    hand_format(reader, format, true);
}

void tap_reader_hand_format(struct tap_reader *reader, const struct tap_format *format)
{
    hand_format(reader, format, false);
}

void tap_reader_hand_unit(struct tap_reader *reader, struct tap_unit *unit)
{
    struct item *item = weir_xalloc(sizeof(*item));
    item->unit = unit;
    wait_for_room(reader);
    hand_over(reader, item);
}

void tap_reader_add_gap(struct tap_reader *reader, unsigned lost)
{
    atomic_fetch_add(&reader->gaps, 1);
    atomic_fetch_add(&reader->lost, lost);
}

void tap_reader_add_packet(struct tap_reader *reader)
{
    atomic_fetch_add_explicit(&reader->packets, 1, memory_order_relaxed);
}

void tap_reader_tell_sense(struct tap_reader *reader, bool makes_sense)
{
    atomic_store_explicit(&reader->is_senseless, !makes_sense, memory_order_relaxed);
}

bool tap_reader_makes_sense(const struct tap_reader *reader)
{
    return !atomic_load_explicit(&reader->is_senseless, memory_order_relaxed);
}

bool tap_reader_is_cancelled(const struct tap_reader *reader)
{
    return atomic_load(&reader->is_cancelled);
}

const atomic_bool *tap_reader_cancel_flag(const struct tap_reader *reader)
{
    return &reader->is_cancelled;
}

atomic_int *tap_reader_nap_ms(struct tap_reader *reader)
{
    return &reader->nap_ms;
}

void tap_reader_expect(struct tap_reader *reader, int64_t group_ms)
{
    atomic_store_explicit(&reader->group_ms, group_ms, memory_order_relaxed);
}

int64_t tap_reader_group_ms(const struct tap_reader *reader)
{
    return atomic_load_explicit(&reader->group_ms, memory_order_relaxed);
}

uint64_t tap_reader_gaps(const struct tap_reader *reader)
{
    return atomic_load(&reader->gaps);
}

uint64_t tap_reader_lost(const struct tap_reader *reader)
{
    return atomic_load(&reader->lost);
}

uint64_t tap_reader_packets(const struct tap_reader *reader)
{
    return atomic_load_explicit(&reader->packets, memory_order_relaxed);
}

int64_t tap_reader_cpu_us(const struct tap_reader *reader)
{
    clockid_t clock;
    struct timespec spent;
    if (pthread_getcpuclockid(reader->thread, &clock) != 0 || clock_gettime(clock, &spent) != 0)
        return 0; /* it has ended, and nobody heard of it yet */
    return (int64_t)spent.tv_sec * 1000000 + spent.tv_nsec / 1000;
}

unsigned tap_reader_count(void)
{
    return n_readers;
}

/*
 * To open a camera libavformat goes deep into the stack, and never again. Pages below the caller's
 * are given back; they come again, as zeros, where it goes there once more.
 */
void tap_reader_give_back_stack(void)
{
    pthread_attr_t attr;
    void *lowest;
    size_t bytes;
    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return;
    if (pthread_attr_getstack(&attr, &lowest, &bytes) == 0) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        uintptr_t here = (uintptr_t)__builtin_frame_address(0) / page * page;
        uintptr_t from = (uintptr_t)lowest;
        if (here > from + STACK_KEPT_BYTES)
            madvise(lowest, here - STACK_KEPT_BYTES - from, MADV_DONTNEED);
    }
    pthread_attr_destroy(&attr);
}

static void *run(void *arg)
{
    struct tap_reader *reader = arg;
    tap_source_run(reader, &reader->spec, &reader->failure);
    struct item *item = weir_xalloc(sizeof(*item));
    item->has_ended = true;
    hand_over(reader, item);
    return NULL;
}

/* After the last item: the thread touches nothing any more. */
static void finish(struct tap_reader *reader)
{
    pthread_join(reader->thread, NULL);
    weir_loop_unpost(reader->loop, drain, reader);
    n_readers--;
    if (!tap_reader_is_cancelled(reader))
        reader->calls->ended(reader->ctx, &reader->failure);
    pthread_mutex_destroy(&reader->lock);
    explicit_bzero(&reader->spec, sizeof(reader->spec));
    free(reader);
}

/* A call may cancel the reader, so that is looked at before each. */
static void deliver(struct tap_reader *reader, struct item *item)
{
    if (item->format != NULL && !tap_reader_is_cancelled(reader))
        (item->is_description ? reader->calls->described : reader->calls->opened)(reader->ctx,
                                                                                  item->format);
    if (item->unit != NULL && !tap_reader_is_cancelled(reader))
        reader->calls->unit(reader->ctx, item->unit);
    else
        free(item->unit);
    free(item->format);
}

static void drain(void *ctx)
{
    struct tap_reader *reader = ctx;
    pthread_mutex_lock(&reader->lock);
    struct item *list = reader->head;
    reader->head = NULL;
    reader->tail = &reader->head;
    reader->bytes = 0;
    reader->is_posted = false;
    pthread_mutex_unlock(&reader->lock);
    bool has_ended = false;
    while (list != NULL) {
        struct item *item = list;
        list = item->next;
        has_ended = has_ended || item->has_ended;
        deliver(reader, item);
        free(item);
    }
    if (has_ended)
        finish(reader);
}

void tap_reader_drain(struct tap_reader *reader)
{
    drain(reader);
}

void tap_reader_rouse(struct tap_reader *reader)
{
    tap_guard_rouse(&reader->nap_ms);
}

static void set_nap(struct tap_reader *reader, int nap_ms)
{
    if (atomic_exchange(&reader->nap_ms, nap_ms) != nap_ms)
        tap_reader_rouse(reader);
}

static void set_rests(struct tap_reader *reader, bool rests, int nap_ms)
{
    set_nap(reader, nap_ms);
    pthread_mutex_lock(&reader->lock);
    bool is_other = reader->rests != rests;
    reader->rests = rests;
    pthread_mutex_unlock(&reader->lock);
    if (is_other)
        drain(reader);
}

void tap_reader_rest(struct tap_reader *reader, int nap_ms)
{
    set_rests(reader, true, nap_ms);
}

void tap_reader_wake(struct tap_reader *reader)
{
    set_rests(reader, false, 0);
}

struct tap_reader *tap_reader_start(struct weir_loop *loop, const struct tap_reader_spec *spec,
                                    const struct tap_reader_calls *calls, void *ctx)
{
    struct tap_reader *reader = weir_xalloc(sizeof(*reader));
    reader->loop = loop;
    reader->spec = *spec;
    reader->calls = calls;
    reader->ctx = ctx;
    reader->tail = &reader->head;
    reader->group_ms = spec->group_ms;
    pthread_mutex_init(&reader->lock, NULL);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    int failed = pthread_create(&reader->thread, &attr, run, reader);
    pthread_attr_destroy(&attr);
    if (failed != 0) {
        pthread_mutex_destroy(&reader->lock);
        free(reader);
        return NULL;
    }
    n_readers++;
    return reader;
}

void tap_reader_cancel(struct tap_reader **reader)
{
    struct tap_reader *self = *reader;
    *reader = NULL;
    if (self == NULL)
        return;
    atomic_store(&self->is_cancelled, true);
    set_nap(self, 0);
}
