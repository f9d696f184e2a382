/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/clips.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/domain/still.h"

#define ASK_BYTES_MAX 4096
#define LIFE_MS       15000 /* of a connection, whatever happens */
#define LOOK_MS       10    /* for a frame that is waited for */

struct asker {
    struct weir_list node;
    struct tap_clips *clips;
    int fd;
    struct weir_timer *timer; /* of the next look, or of the end */
    int64_t end_mono_ms;
    struct weir_buf in;
    bool has_ask;
    struct weir_ctl_clip_ask ask;
    int64_t wait_until_mono_ms;
    struct weir_buf out;
    size_t n_counted; /* bytes of it that clips->bytes has */
    size_t n_sent;
};

struct tap_clips {
    struct weir_loop *loop;
    tap_clips_find_fn *find;
    void *ctx;
    int fd;
    char path[108];
    struct weir_list askers;
    size_t n_askers;
    size_t bytes; /* of all askers' answers */
    size_t max_bytes;
    struct weir_arena *arena; /* of one line */
};

static void on_waiting(void *ctx, unsigned events);

static void end(struct asker *asker)
{
    struct tap_clips *clips = asker->clips;
    weir_loop_unwatch(clips->loop, asker->fd);
    close(asker->fd);
    weir_timer_free(&asker->timer);
    clips->bytes -= asker->n_counted;
    weir_buf_done(&asker->in);
    weir_buf_done(&asker->out);
    weir_list_remove(&asker->node);
    free(asker);
    if (clips->n_askers-- == TAP_CLIPS_MAX)
        weir_loop_watch(clips->loop, clips->fd, WEIR_LOOP_IN, on_waiting, clips);
}

/* ---- the answer ---- */

static void on_event(void *ctx, unsigned events);

/* False when the asker is gone. */
static bool flush(struct asker *asker)
{
    while (asker->n_sent < asker->out.len) {
        ssize_t n = send(asker->fd, asker->out.bytes + asker->n_sent,
                         asker->out.len - asker->n_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            asker->n_sent += (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            weir_loop_watch(asker->clips->loop, asker->fd, WEIR_LOOP_OUT, on_event, asker);
            return true;
        } else if (n >= 0 || errno != EINTR) {
            break;
        }
    }
    end(asker);
    return false;
}

static void fill_answer(const struct tap_clips_camera *camera, const struct tap_clip *clip,
                        struct weir_ctl_clip_answer *ret)
{
    const struct tap_unit *frame = tap_ring_find(camera->ring, clip->last);
    ret->has_codec = true;
    ret->codec = camera->codec == TAP_CODEC_H265    ? WEIR_CTL_CLIP_ANSWER_CODEC_H265
                 : camera->codec == TAP_CODEC_MJPEG ? WEIR_CTL_CLIP_ANSWER_CODEC_MJPEG
                                                    : WEIR_CTL_CLIP_ANSWER_CODEC_H264;
    ret->has_n_units = ret->has_bytes = ret->has_ts = ret->has_frame_us = ret->has_source = true;
    ret->n_units = (int64_t)clip->n_units;
    ret->bytes = (int64_t)clip->bytes;
    ret->ts = frame->ts;
    ret->frame_us = frame->capture_us;
    ret->source = frame->is_cameras ? WEIR_CTL_CLIP_ANSWER_SOURCE_RTCP_SR
                                    : WEIR_CTL_CLIP_ANSWER_SOURCE_ARRIVAL;
    ret->has_lost = true;
    ret->lost = clip->has_gap;
    ret->has_clock_offset_us = camera->has_clock_offset;
    ret->clock_offset_us = camera->clock_offset_us;
    ret->has_clock_scatter_us = camera->has_clock_scatter && frame->is_cameras;
    ret->clock_scatter_us = camera->clock_scatter_us;
}

/* Those that are taken up leave room for the others; the largest has it when it is alone. */
static bool has_room(const struct tap_clips *clips, size_t bytes)
{
    return clips->bytes == 0 ||
           (bytes <= clips->max_bytes && clips->bytes <= clips->max_bytes - bytes);
}

static void copy_clip(struct asker *asker, const struct tap_ring *ring, const struct tap_clip *clip)
{
    tap_clip_write(ring, clip, &asker->out);
    asker->n_counted = asker->out.cap;
    asker->clips->bytes += asker->n_counted;
}

static int64_t shift_of(const struct asker *asker, const struct tap_clips_camera *camera)
{
    return asker->ask.has_is_now && asker->ask.is_now ? camera->now_shift_us : 0;
}

static void answer(struct asker *asker, const struct tap_clips_camera *camera)
{
    static const enum weir_ctl_clip_answer_status statuses[] = {
        [TAP_CLIP_OK] = WEIR_CTL_CLIP_ANSWER_STATUS_OK,
        [TAP_CLIP_EMPTY] = WEIR_CTL_CLIP_ANSWER_STATUS_EMPTY,
        [TAP_CLIP_PAST] = WEIR_CTL_CLIP_ANSWER_STATUS_PAST,
        [TAP_CLIP_TOO_LONG] = WEIR_CTL_CLIP_ANSWER_STATUS_TOO_LONG,
    };
    struct weir_ctl ctl = {.type = WEIR_CTL_CLIP_ANSWER};
    struct weir_ctl_clip_answer *is = &ctl.u.clip_answer;
    struct weir_err err = {0};
    struct tap_clip clip = {0};
    const char *bytes;
    size_t len;
    is->status = WEIR_CTL_CLIP_ANSWER_STATUS_UNKNOWN;
    if (camera != NULL) {
        is->has_at_us = true;
        is->at_us = asker->ask.at_us + shift_of(asker, camera);
        enum tap_clip_status found =
            tap_clip_choose(camera->ring, (enum tap_clip_mode)asker->ask.mode, is->at_us, &clip);
        if (found == TAP_CLIP_OK && !has_room(asker->clips, clip.bytes)) {
            weir_timer_set(asker->timer, LOOK_MS);
            return;
        }
        is->status = statuses[found];
        is->has_from_us = is->has_to_us = found != TAP_CLIP_EMPTY;
        is->from_us = clip.from_us;
        is->to_us = clip.to_us;
        if (found == TAP_CLIP_OK)
            fill_answer(camera, &clip, is);
    }
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    if (weir_ctl_dump(&ctl, arena, &bytes, &len, &err) != WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, "clips: an answer could not be written", "error", err.msg, NULL);
        end(asker);
        return;
    }
    weir_buf_add(&asker->out, bytes, len);
    if (is->status == WEIR_CTL_CLIP_ANSWER_STATUS_OK)
        copy_clip(asker, camera->ring, &clip);
    weir_timer_set(asker->timer, LIFE_MS);
    flush(asker);
}

/* Answers, or looks again in a moment. */
static void look(struct asker *asker)
{
    struct tap_clips *clips = asker->clips;
    struct tap_clips_camera camera = {0};
    if (!clips->find(clips->ctx, &asker->ask.tenant_id, &asker->ask.camera_id, &camera)) {
        answer(asker, NULL);
        return;
    }
    int64_t shift_us = shift_of(asker, &camera);
    bool is_ahead = tap_clip_is_ahead(camera.ring, (enum tap_clip_mode)asker->ask.mode,
                                      asker->ask.at_us + shift_us, weir_clock_wall_us() + shift_us);
    if (is_ahead && weir_clock_mono_ms() < asker->wait_until_mono_ms)
        weir_timer_set(asker->timer, LOOK_MS);
    else
        answer(asker, &camera);
}

/* ---- the question ---- */

static void take_ask(struct asker *asker, size_t len)
{
    struct weir_ctl ctl;
    struct weir_err err = {0};
    weir_arena_reset(asker->clips->arena);
    if (weir_ctl_parse(asker->in.bytes, len, asker->clips->arena, &ctl, &err) != WEIR_OK ||
        ctl.type != WEIR_CTL_CLIP_ASK) {
        weir_log(WEIR_LOG_ERROR, "clips: a question is none", "error", err.msg, NULL);
        end(asker);
        return;
    }
    asker->ask = ctl.u.clip_ask;
    asker->has_ask = true;
    asker->wait_until_mono_ms = weir_clock_mono_ms() + asker->ask.wait_ms;
    /* Nothing more is to be heard; what it takes up is watched for where that is slow. */
    weir_loop_unwatch(asker->clips->loop, asker->fd);
    look(asker);
}

static void on_event(void *ctx, unsigned events)
{
    struct asker *asker = ctx;
    char bytes[1024];
    if (asker->has_ask && (events & WEIR_LOOP_OUT) != 0) {
        flush(asker);
        return;
    }
    ssize_t n = asker->has_ask ? 0 : read(asker->fd, bytes, sizeof(bytes));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || !weir_buf_add(&asker->in, bytes, (size_t)n)) {
        end(asker);
        return;
    }
    const char *newline = memchr(asker->in.bytes, '\n', asker->in.len);
    if (newline != NULL)
        take_ask(asker, (size_t)(newline - asker->in.bytes) + 1);
}

static void on_timer(void *ctx)
{
    struct asker *asker = ctx;
    if (asker->has_ask && asker->out.len == 0 && weir_clock_mono_ms() < asker->end_mono_ms)
        look(asker);
    else
        end(asker);
}

static void on_waiting(void *ctx, unsigned events)
{
    struct tap_clips *clips = ctx;
    (void)events;
    int fd = accept4(clips->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct asker *asker = weir_xalloc(sizeof(*asker));
    asker->clips = clips;
    asker->fd = fd;
    asker->in.max = ASK_BYTES_MAX;
    asker->timer = weir_timer_new(clips->loop, on_timer, asker);
    asker->end_mono_ms = weir_clock_mono_ms() + LIFE_MS;
    weir_timer_set(asker->timer, LIFE_MS);
    weir_list_push_back(&clips->askers, &asker->node);
    weir_loop_watch(clips->loop, fd, WEIR_LOOP_IN, on_event, asker);
    if (++clips->n_askers == TAP_CLIPS_MAX)
        weir_loop_unwatch(clips->loop, clips->fd);
}

/* ---- begin and end ---- */

static int listen_at(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    memcpy(addr.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path);
    mode_t before = umask(0077);
    bool is_open = fd >= 0 && bind(fd, (struct sockaddr *)(void *)&addr, sizeof(addr)) == 0 &&
                   listen(fd, TAP_CLIPS_MAX) == 0;
    umask(before);
    if (is_open)
        return fd;
    int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return -1;
}

size_t tap_clips_bytes(const struct tap_clips *clips)
{
    return clips->bytes;
}

enum weir_code tap_clips_open(struct weir_loop *loop, const char *path, size_t max_bytes,
                              tap_clips_find_fn *find, void *ctx, struct tap_clips **ret,
                              struct weir_err *err)
{
    struct tap_clips *clips = weir_xalloc(sizeof(*clips));
    clips->loop = loop;
    clips->find = find;
    clips->max_bytes = max_bytes;
    clips->ctx = ctx;
    clips->arena = weir_arena_new(0);
    weir_list_init(&clips->askers);
    bool is_short = strlen(path) < sizeof(clips->path);
    if (is_short)
        memcpy(clips->path, path, strlen(path) + 1);
    clips->fd = is_short ? listen_at(path) : -1;
    if (clips->fd < 0) {
        weir_arena_free(clips->arena);
        free(clips);
        return weir_fail(err, WEIR_EUNAVAILABLE, "clips: %s: %s", path,
                         is_short ? strerror(errno) : "longer than a socket's path may be");
    }
    weir_loop_watch(loop, clips->fd, WEIR_LOOP_IN, on_waiting, clips);
    *ret = clips;
    return WEIR_OK;
}

void tap_clips_close(struct tap_clips **ptr)
{
    struct tap_clips *clips = *ptr;
    if (clips == NULL)
        return;
    *ptr = NULL;
    WEIR_LIST_FOR(pos, &clips->askers)
    {
        end(WEIR_CONTAINER(pos, struct asker, node));
    }
    if (clips->n_askers < TAP_CLIPS_MAX)
        weir_loop_unwatch(clips->loop, clips->fd);
    close(clips->fd);
    unlink(clips->path);
    weir_arena_free(clips->arena);
    free(clips);
}
