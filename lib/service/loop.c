/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/list.h"

#define EVENTS_PER_TURN 64
#define OFF             (-1)

struct watch {
    weir_loop_fd_fn *fn;
    void *ctx;
    unsigned events; /* 0: not watched */
    /* Rises with every unwatch: an event fetched before it is for somebody else. */
    uint32_t serial;
};

struct post {
    weir_loop_fn *fn;
    void *ctx;
};

struct weir_timer {
    struct weir_loop *loop;
    weir_loop_fn *fn;
    void *ctx;
    int64_t due_mono_ms; /* OFF when not set */
    int64_t serial;      /* of the call that set it */
    struct weir_list node;
};

struct weir_loop {
    int epoll_fd;
    int mail_fd;
    struct watch *watches; /* by descriptor */
    size_t n_watches;
    struct weir_list timers; /* few: a list beats a heap */
    int64_t timer_serial;
    struct post *running; /* the loop's thread only: taken out of `posts`, called one by one */
    size_t n_running;
    pthread_mutex_t lock; /* guards posts and stopping */
    struct post *posts;
    size_t n_posts;
    size_t cap_posts;
    bool stopping;
};

struct weir_loop *weir_loop_new(void)
{
    struct weir_loop *loop = weir_xalloc(sizeof(*loop));
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->mail_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->mail_fd < 0) {
        abort(); /* no descriptors at the start of a process */
    }
    weir_list_init(&loop->timers);
    pthread_mutex_init(&loop->lock, NULL);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)loop->mail_fd};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->mail_fd, &event) < 0) {
        abort();
    }
    return loop;
}

void weir_loop_free(struct weir_loop *loop)
{
    if (!loop) {
        return;
    }
    WEIR_LIST_FOR(pos, &loop->timers)
    {
        free(WEIR_CONTAINER(pos, struct weir_timer, node));
    }
    close(loop->epoll_fd);
    close(loop->mail_fd);
    pthread_mutex_destroy(&loop->lock);
    free(loop->watches);
    free(loop->posts);
    free(loop);
}

static void ring_mail(struct weir_loop *loop)
{
    uint64_t one = 1;
    ssize_t n = write(loop->mail_fd, &one, sizeof(one));
    (void)n; /* full means it is rung already */
}

void weir_loop_stop(struct weir_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->stopping = true;
    pthread_mutex_unlock(&loop->lock);
    ring_mail(loop);
}

void weir_loop_post(struct weir_loop *loop, weir_loop_fn *fn, void *ctx)
{
    pthread_mutex_lock(&loop->lock);
    if (loop->n_posts == loop->cap_posts) {
        loop->cap_posts = loop->cap_posts ? loop->cap_posts * 2 : 64;
        loop->posts = weir_xrealloc(loop->posts, loop->cap_posts, sizeof(*loop->posts));
    }
    loop->posts[loop->n_posts++] = (struct post){fn, ctx};
    pthread_mutex_unlock(&loop->lock);
    ring_mail(loop);
}

static void forget(struct post *posts, size_t n, weir_loop_fn *fn, const void *ctx)
{
    for (size_t i = 0; i < n; i++) {
        if (posts[i].fn == fn && posts[i].ctx == ctx) {
            posts[i].fn = NULL;
        }
    }
}

void weir_loop_unpost(struct weir_loop *loop, weir_loop_fn *fn, const void *ctx)
{
    forget(loop->running, loop->n_running, fn, ctx);
    pthread_mutex_lock(&loop->lock);
    forget(loop->posts, loop->n_posts, fn, ctx);
    pthread_mutex_unlock(&loop->lock);
}

void weir_loop_watch(struct weir_loop *loop, int fd, unsigned events, weir_loop_fd_fn *fn,
                     void *ctx)
{
    assert(fd >= 0 && (events & (WEIR_LOOP_IN | WEIR_LOOP_OUT)));
    if ((size_t)fd >= loop->n_watches) {
        size_t n = (size_t)fd + 64;
        loop->watches = weir_xrealloc(loop->watches, n, sizeof(*loop->watches));
        for (size_t i = loop->n_watches; i < n; i++) {
            loop->watches[i] = (struct watch){0};
        }
        loop->n_watches = n;
    }
    struct watch *watch = &loop->watches[fd];
    struct epoll_event event = {
        .events = (events & WEIR_LOOP_IN ? EPOLLIN : 0U) | (events & WEIR_LOOP_OUT ? EPOLLOUT : 0U),
        .data.u64 = (uint64_t)watch->serial << 32 | (uint32_t)fd,
    };
    int op = watch->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int failed = epoll_ctl(loop->epoll_fd, op, fd, &event);
    assert(!failed && "descriptor that epoll cannot watch");
    (void)failed;
    watch->events = events;
    watch->fn = fn;
    watch->ctx = ctx;
}

void weir_loop_unwatch(struct weir_loop *loop, int fd)
{
    if (fd < 0 || (size_t)fd >= loop->n_watches || !loop->watches[fd].events) {
        return;
    }
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    loop->watches[fd].events = 0;
    loop->watches[fd].serial++;
}

struct weir_timer *weir_timer_new(struct weir_loop *loop, weir_loop_fn *fn, void *ctx)
{
    struct weir_timer *timer = weir_xalloc(sizeof(*timer));
    *timer = (struct weir_timer){.loop = loop, .fn = fn, .ctx = ctx, .due_mono_ms = OFF};
    weir_list_push_back(&loop->timers, &timer->node);
    return timer;
}

void weir_timer_set(struct weir_timer *timer, int64_t delay_ms)
{
    assert(delay_ms >= 0);
    timer->due_mono_ms = weir_clock_mono_ms() + delay_ms;
    timer->serial = ++timer->loop->timer_serial;
}

void weir_timer_clear(struct weir_timer *timer)
{
    timer->due_mono_ms = OFF;
}

bool weir_timer_is_set(const struct weir_timer *timer)
{
    return timer->due_mono_ms != OFF;
}

void weir_timer_free(struct weir_timer **timer)
{
    if (*timer) {
        weir_list_remove(&(*timer)->node);
        free(*timer);
        *timer = NULL;
    }
}

static int next_wait_ms(const struct weir_loop *loop)
{
    int64_t now = weir_clock_mono_ms();
    int64_t wait = 60000;
    for (const struct weir_list *pos = loop->timers.next; pos != &loop->timers; pos = pos->next) {
        const struct weir_timer *timer = WEIR_CONTAINER(pos, struct weir_timer, node);
        if (timer->due_mono_ms != OFF && timer->due_mono_ms - now < wait) {
            wait = timer->due_mono_ms - now;
        }
    }
    return wait < 0 ? 0 : (int)wait;
}

/* The earliest due timer, or NULL. One at a time: a timer's function may free any other. */
static struct weir_timer *first_due(struct weir_loop *loop, int64_t now, int64_t serial)
{
    struct weir_timer *first = NULL;
    WEIR_LIST_FOR(pos, &loop->timers)
    {
        struct weir_timer *timer = WEIR_CONTAINER(pos, struct weir_timer, node);
        if (timer->due_mono_ms != OFF && timer->due_mono_ms <= now && timer->serial <= serial &&
            (!first || timer->due_mono_ms < first->due_mono_ms)) {
            first = timer;
        }
    }
    return first;
}

static void run_timers(struct weir_loop *loop)
{
    /* Only what is due before this turn: a timer that sets itself anew waits for the next one. */
    int64_t before = weir_clock_mono_ms();
    int64_t serial = loop->timer_serial;
    for (struct weir_timer *timer; (timer = first_due(loop, before, serial));) {
        timer->due_mono_ms = OFF;
        timer->fn(timer->ctx);
    }
}

static void run_posts(struct weir_loop *loop)
{
    uint64_t rung;
    ssize_t n = read(loop->mail_fd, &rung, sizeof(rung));
    (void)n; /* empty is fine */
    pthread_mutex_lock(&loop->lock);
    loop->running = WEIR_TAKE(loop->posts);
    loop->n_running = loop->n_posts;
    loop->n_posts = 0;
    loop->cap_posts = 0;
    pthread_mutex_unlock(&loop->lock);
    for (size_t i = 0; i < loop->n_running; i++) {
        const struct post *post = &loop->running[i];
        if (post->fn) {
            post->fn(post->ctx);
        }
    }
    loop->n_running = 0;
    free(WEIR_TAKE(loop->running));
}

static void run_event(struct weir_loop *loop, const struct epoll_event *event)
{
    uint32_t fd = (uint32_t)event->data.u64;
    uint32_t serial = (uint32_t)(event->data.u64 >> 32);
    if (fd == (uint32_t)loop->mail_fd) {
        run_posts(loop);
        return;
    }
    const struct watch *watch = &loop->watches[fd];
    if (!watch->events || watch->serial != serial) {
        return;
    }
    unsigned events = (event->events & (EPOLLIN | EPOLLPRI) ? WEIR_LOOP_IN : 0U) |
                      (event->events & EPOLLOUT ? WEIR_LOOP_OUT : 0U) |
                      (event->events & (EPOLLHUP | EPOLLERR) ? WEIR_LOOP_HUP : 0U);
    watch->fn(watch->ctx, events);
}

static bool is_stopping(struct weir_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    bool stopping = loop->stopping;
    pthread_mutex_unlock(&loop->lock);
    return stopping;
}

void weir_loop_run(struct weir_loop *loop)
{
    struct epoll_event events[EVENTS_PER_TURN];
    while (!is_stopping(loop)) {
        int n = epoll_wait(loop->epoll_fd, events, EVENTS_PER_TURN, next_wait_ms(loop));
        if (n < 0 && errno != EINTR) {
            abort(); /* only a broken epoll descriptor ends here */
        }
        run_timers(loop);
        for (int i = 0; i < n; i++) {
            run_event(loop, &events[i]);
        }
    }
    pthread_mutex_lock(&loop->lock);
    loop->stopping = false;
    pthread_mutex_unlock(&loop->lock);
}
