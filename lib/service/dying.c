/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/dying.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/list.h"

struct one {
    struct weir_list node;
    struct weir_dying *dying;
    struct weir_process process;
};

struct weir_dying {
    struct weir_loop *loop;
    struct weir_list all;
    size_t n;
};

struct weir_dying *weir_dying_new(struct weir_loop *loop)
{
    struct weir_dying *dying = weir_xalloc(sizeof(*dying));
    dying->loop = loop;
    weir_list_init(&dying->all);
    return dying;
}

static void forget(struct one *one)
{
    weir_loop_unwatch(one->dying->loop, one->process.pidfd);
    weir_list_remove(&one->node);
    one->dying->n--;
    one->process.pid = 0; /* so that this waits for nothing */
    weir_process_done(&one->process);
    free(one);
}

static void on_end(void *ctx, unsigned events)
{
    struct one *one = ctx;
    int status;
    (void)events;
    if (weir_process_reap(&one->process, &status)) {
        forget(one);
    }
}

void weir_dying_take(struct weir_dying *dying, struct weir_process *process)
{
    int status;
    weir_process_signal(process, SIGKILL);
    if (process->pid <= 0 || weir_process_reap(process, &status)) {
        weir_process_done(process);
        return;
    }
    struct one *one = weir_xalloc(sizeof(*one));
    one->dying = dying;
    one->process = (struct weir_process){
        .pid = process->pid, .pidfd = process->pidfd, .channel_fd = -1, .output_fd = -1};
    weir_list_push_back(&dying->all, &one->node);
    dying->n++;
    weir_loop_watch(dying->loop, one->process.pidfd, WEIR_LOOP_IN, on_end, one);
    process->pid = 0;
    process->pidfd = -1;
    weir_process_done(process);
}

size_t weir_dying_count(const struct weir_dying *dying)
{
    return dying->n;
}

static void wait_until(struct one *one, int64_t mono_ms)
{
    int64_t left_ms = mono_ms - weir_clock_mono_ms();
    struct pollfd fd = {.fd = one->process.pidfd, .events = POLLIN};
    int status;
    if (poll(&fd, 1, left_ms > 0 ? (int)left_ms : 0) > 0) {
        (void)weir_process_reap(&one->process, &status);
    }
}

void weir_dying_free(struct weir_dying **ptr, int64_t most_ms)
{
    struct weir_dying *dying = *ptr;
    if (dying == NULL) {
        return;
    }
    *ptr = NULL;
    int64_t until_mono_ms = weir_clock_mono_ms() + most_ms;
    WEIR_LIST_FOR(pos, &dying->all)
    {
        struct one *one = WEIR_CONTAINER(pos, struct one, node);
        wait_until(one, until_mono_ms);
        forget(one);
    }
    free(dying);
}
