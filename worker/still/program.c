/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "lib/domain/events.h"
#include "lib/service/loop.h"
#include "worker/still/door.h"

#define CONTROL_FD 3
#define STATS_MS   1000
#define PATH_BYTES 512

struct program {
    struct weir_loop *loop;
    struct weir_timer *tick;
    struct decoders *decoders;
    struct pictures *pictures;
    struct door *door;
};

/* Nothing is ever said to this program: a worker that ends is all there is to hear. */
static void on_control(void *ctx, unsigned events)
{
    struct program *program = ctx;
    char bytes[256];
    (void)events;
    ssize_t n = recv(CONTROL_FD, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        weir_log(WEIR_LOG_INFO, "control: weir-worker is gone, ending", NULL);
        weir_loop_stop(program->loop);
    }
}

static void on_tick(void *ctx)
{
    struct program *program = ctx;
    struct door_counts counts = door_counts(program->door);
    struct weir_ctl ctl = {.type = WEIR_CTL_STILL_STATS,
                           .u.still_stats = {.decoders = (int64_t)decoders_up(program->decoders),
                                             .decoded = counts.decoded,
                                             .cached = counts.cached,
                                             .failed = counts.failed}};
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    const char *bytes;
    size_t len;
    if (weir_ctl_dump(&ctl, arena, &bytes, &len, NULL) == WEIR_OK) {
        /* A worker that stands still finds the next one. */
        WEIR_IGNORE(send(CONTROL_FD, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL), "see above");
    }
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
    struct program program = {.loop = weir_loop_new()};
    struct weir_err err = {0};
    program.decoders =
        decoders_new(program.loop, decode_program(settings, path), (size_t)settings->decoders);
    program.pictures = pictures_new((size_t)settings->cache_mib << 20);
    program.tick = weir_timer_new(program.loop, on_tick, &program);
    struct door_config door = {.socket = settings->still_socket,
                               .clip_socket = settings->clip_socket,
                               .decoders = program.decoders,
                               .pictures = program.pictures};
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
    pictures_free(program.pictures);
    decoders_free(program.decoders);
    weir_timer_free(&program.tick);
    weir_loop_free(program.loop);
    return code == WEIR_OK ? 0 : 1;
}
