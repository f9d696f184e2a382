/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/muxer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "worker/tap/rtsp.h"

#define PAUSE_MS  2
#define ANSWER_MS 1000 /* then the question is asked again */

struct tap_muxer {
    struct weir_loop *loop;
    struct sockaddr_un addr;
    struct weir_buf question;
    char *segments; /* "": not waited for */
    ino_t past;
    int64_t past_until_mono_ms;
    void (*done)(void *ctx, bool is_there);
    void *ctx;
    int64_t deadline_mono_ms;
    struct weir_timer *timer; /* next question, or the answer's deadline */
    int fd;                   /* of the question being asked, or -1 */
};

static void hang_up(struct tap_muxer *muxer)
{
    if (muxer->fd < 0)
        return;
    weir_loop_unwatch(muxer->loop, muxer->fd);
    close(muxer->fd);
    muxer->fd = -1;
}

static void on_answer(void *ctx, unsigned events)
{
    struct tap_muxer *muxer = ctx;
    char bytes[64];
    (void)events;
    ssize_t n = recv(muxer->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    /* One read is enough: the status line comes in one piece or the question is asked again. */
    bool is_there = n > 0 && tap_http_status(bytes, (size_t)n) == 200;
    hang_up(muxer);
    if (is_there) {
        weir_timer_clear(muxer->timer);
        muxer->done(muxer->ctx, true);
    } else {
        weir_timer_set(muxer->timer, PAUSE_MS);
    }
}

static void ask(struct tap_muxer *muxer)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const struct weir_buf *question = &muxer->question;
    if (fd >= 0 &&
        connect(fd, (const struct sockaddr *)(const void *)&muxer->addr, sizeof(muxer->addr)) ==
            0 &&
        send(fd, question->bytes, question->len, MSG_NOSIGNAL) == (ssize_t)question->len) {
        muxer->fd = fd;
        weir_loop_watch(muxer->loop, fd, WEIR_LOOP_IN, on_answer, muxer);
        weir_timer_set(muxer->timer, ANSWER_MS);
        return;
    }
    if (fd >= 0)
        close(fd);
    weir_timer_set(muxer->timer, PAUSE_MS);
}

ino_t tap_muxer_folder(const char *segments)
{
    struct stat found;
    return stat(segments, &found) == 0 ? found.st_ino : 0;
}

static bool may_ask(const struct tap_muxer *muxer, int64_t now_mono_ms)
{
    if (!*muxer->segments)
        return true;
    ino_t folder = tap_muxer_folder(muxer->segments);
    return folder != 0 && (folder != muxer->past || now_mono_ms >= muxer->past_until_mono_ms);
}

static void on_timer(void *ctx)
{
    struct tap_muxer *muxer = ctx;
    int64_t now_mono_ms = weir_clock_mono_ms();
    hang_up(muxer);
    if (now_mono_ms >= muxer->deadline_mono_ms)
        muxer->done(muxer->ctx, false);
    else if (!may_ask(muxer, now_mono_ms))
        weir_timer_set(muxer->timer, PAUSE_MS);
    else
        ask(muxer);
}

struct tap_muxer *tap_muxer_await(struct weir_loop *loop, const char *socket_path, const char *path,
                                  const char *segments, ino_t past,
                                  void (*done)(void *ctx, bool is_there), void *ctx)
{
    struct tap_muxer *muxer = weir_xalloc(sizeof(*muxer));
    muxer->loop = loop;
    muxer->addr.sun_family = AF_UNIX;
    strncpy(muxer->addr.sun_path, socket_path, sizeof(muxer->addr.sun_path) - 1);
    weir_buf_printf(
        &muxer->question,
        "GET /v3/hls/muxers/get/%s HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n", path);
    muxer->segments = weir_xstrdup(segments);
    muxer->past = past;
    muxer->past_until_mono_ms = weir_clock_mono_ms() + TAP_MUXER_PAST_MS;
    muxer->done = done;
    muxer->ctx = ctx;
    muxer->deadline_mono_ms = weir_clock_mono_ms() + TAP_MUXER_WAIT_MS;
    muxer->fd = -1;
    muxer->timer = weir_timer_new(loop, on_timer, muxer);
    weir_timer_set(muxer->timer, 0);
    return muxer;
}

void tap_muxer_free(struct tap_muxer **muxer)
{
    if (*muxer == NULL)
        return;
    hang_up(*muxer);
    weir_timer_free(&(*muxer)->timer);
    weir_buf_done(&(*muxer)->question);
    free((*muxer)->segments);
    free(*muxer);
    *muxer = NULL;
}
