/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/domain/events.h"
#include "lib/service/loop.h"
#include "worker/still/door.h"
#include "worker/still/looks.h"

#define CONTROL_FD 3
#define STATS_MS   1000
#define LINES_MAX  (2 * WEIR_CTL_BYTES_MAX)
#define PATH_BYTES 512

struct program {
    struct weir_loop *loop;
    struct weir_timer *tick;
    struct decoders *decoders;
    struct pictures *pictures;
    struct door *door;
    struct looks *looks;
    struct weir_buf in; /* of the worker */
};

static void take_line(struct program *program, const char *line, size_t len)
{
    struct weir_ctl ctl;
    struct weir_err err = {0};
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    if (weir_ctl_parse(line, len, arena, &ctl, &err) != WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, "control: a line could not be read", "error", err.msg, NULL);
    } else if (ctl.type == WEIR_CTL_STILL_LOOK) {
        looks_ask(program->looks, &ctl.u.still_look);
    }
}

/* False when the worker is gone, or says what it never would. */
static bool read_lines(struct program *program)
{
    char bytes[4096];
    const char *newline;
    ssize_t n = recv(CONTROL_FD, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (n == 0 || !weir_buf_add(&program->in, bytes, (size_t)n)) {
        return false;
    }
    while (program->in.len > 0 &&
           (newline = memchr(program->in.bytes, '\n', program->in.len)) != NULL) {
        size_t len = (size_t)(newline - program->in.bytes) + 1;
        take_line(program, program->in.bytes, len);
        weir_buf_consume(&program->in, len);
    }
    return true;
}

static void on_control(void *ctx, unsigned events)
{
    struct program *program = ctx;
    (void)events;
    if (!read_lines(program)) {
        weir_log(WEIR_LOG_INFO, "control: weir-worker is gone, ending", NULL);
        weir_loop_stop(program->loop);
    }
}

/* A worker that stands still finds the next one. */
static void say(const struct weir_ctl *ctl)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    const char *bytes;
    size_t len;
    if (weir_ctl_dump(ctl, arena, &bytes, &len, NULL) == WEIR_OK) {
        WEIR_IGNORE(send(CONTROL_FD, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL), "see above");
    }
}

static void on_scene(void *ctx, const struct weir_ctl_still_scene *scene)
{
    (void)ctx;
    say(&(struct weir_ctl){.type = WEIR_CTL_STILL_SCENE, .u.still_scene = *scene});
}

static void on_tick(void *ctx)
{
    struct program *program = ctx;
    struct door_counts counts = door_counts(program->door);
    struct looks_counts looks = looks_counts(program->looks);
    say(&(struct weir_ctl){.type = WEIR_CTL_STILL_STATS,
                           .u.still_stats = {.decoders = (int64_t)decoders_up(program->decoders),
                                             .decoded = counts.decoded,
                                             .has_gone_on = true,
                                             .gone_on = counts.gone_on,
                                             .cached = counts.cached,
                                             .failed = counts.failed,
                                             .has_looked = true,
                                             .looked = looks.looked,
                                             .has_not_looked = true,
                                             .not_looked = looks.failed}});
    weir_timer_set(program->tick, STATS_MS);
}

/* The program as set, or the one that lies beside this one. */
static const char *decode_program(const struct still_settings *settings,
                                  char path[static PATH_BYTES])
{
    ssize_t n = settings->decoder[0] ? 0 : readlink("/proc/self/exe", path, PATH_BYTES - 16);
    if (n <= 0) {
        return settings->decoder;
    }
    path[n] = '\0';
    memcpy(strrchr(path, '/') + 1, "weir-decode", sizeof("weir-decode"));
    return path;
}

int program_run(const struct still_settings *settings)
{
    char path[PATH_BYTES];
    struct program program = {.loop = weir_loop_new(), .in.max = LINES_MAX};
    struct weir_err err = {0};
    program.decoders =
        decoders_new(program.loop, decode_program(settings, path), (size_t)settings->decoders);
    program.pictures = pictures_new((size_t)settings->cache_mib << 20);
    program.looks = looks_new(&(struct looks_config){.loop = program.loop,
                                                     .clip_socket = settings->clip_socket,
                                                     .decoders = program.decoders,
                                                     .tell = on_scene});
    program.tick = weir_timer_new(program.loop, on_tick, &program);
    struct door_config door = {.socket = settings->still_socket,
                               .clip_socket = settings->clip_socket,
                               .decoders = program.decoders,
                               .pictures = program.pictures,
                               .park_ms = (uint32_t)settings->park_s * 1000};
    enum weir_code code = door_open(&door, &program.door, &err);
    if (code == WEIR_OK) {
        weir_loop_watch(program.loop, CONTROL_FD, WEIR_LOOP_IN, on_control, &program);
        weir_timer_set(program.tick, 0);
        weir_loop_run(program.loop);
        weir_loop_unwatch(program.loop, CONTROL_FD);
    } else {
        weir_log(WEIR_LOG_ERROR, "weir-still: cannot start", "why", err.msg, NULL);
    }
    door_close(&program.door);
    looks_free(&program.looks);
    weir_buf_done(&program.in);
    pictures_free(program.pictures);
    decoders_free(program.decoders);
    weir_timer_free(&program.tick);
    weir_loop_free(program.loop);
    return code == WEIR_OK ? 0 : 1;
}
