/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-origin: a worker's only HTTP door for media. Started by weir-worker, which says over
 * descriptor 3 which streams are behind which engine, and ends with it.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "worker/origin/control.h"
#include "worker/origin/door.h"
#include "worker/origin/origin.h"
#include "worker/origin/settings.h"

#define CONTROL_FD 3
#define SECRETS_MS 5000

struct program {
    struct weir_loop *loop;
    struct control *control;
    struct secrets *secrets;
    struct origin *origin;
    struct door *door;
    struct weir_timer *secrets_timer;
    struct stream_limits limits;
};

static void say(void *ctx, const struct weir_ctl *ctl)
{
    struct program *program = ctx;
    control_say(program->control, ctl);
}

static void on_line(void *ctx, const struct weir_ctl *ctl)
{
    struct program *program = ctx;
    origin_control(program->origin, ctl);
}

static void on_end(void *ctx)
{
    struct program *program = ctx;
    weir_log(WEIR_LOG_INFO, "control: weir-worker is gone, ending", NULL);
    weir_loop_stop(program->loop);
}

static void on_ask(void *ctx, struct ask *ask)
{
    struct program *program = ctx;
    origin_ask(program->origin, ask);
}

static void on_secrets_timer(void *ctx)
{
    struct program *program = ctx;
    struct weir_err err = {0};
    static struct weir_log_limit limit;
    if (secrets_refresh(program->secrets, &err) != WEIR_OK &&
        weir_log_allowed(&limit, 1, 60000, weir_clock_mono_ms())) {
        weir_log(WEIR_LOG_ERROR, "secrets: the old ones stay in force", "why", err.msg, NULL);
    }
    weir_timer_set(program->secrets_timer, SECRETS_MS);
}

static enum weir_code open_all(struct program *program, const struct origin_settings *settings,
                               struct weir_err *err)
{
    program->limits =
        (struct stream_limits){.media_max_bytes = (size_t)settings->media_max_mib << 20,
                               .fetches_max = (size_t)settings->fetches_max};
    program->origin = origin_new(program->loop, &program->limits, say, program);
    enum weir_code code = secrets_open(settings->origin_secret_file, &program->secrets, err);
    if (code != WEIR_OK) {
        return code;
    }
    const struct control_config control = {.loop = program->loop,
                                           .fd = CONTROL_FD,
                                           .on_line = on_line,
                                           .on_end = on_end,
                                           .ctx = program};
    code = control_open(&control, &program->control, err);
    if (code != WEIR_OK) {
        return code;
    }
    program->secrets_timer = weir_timer_new(program->loop, on_secrets_timer, program);
    weir_timer_set(program->secrets_timer, SECRETS_MS);
    const struct door_config door = {.listen = settings->origin_listen,
                                     .connections_max = (unsigned)settings->connections_max,
                                     .secrets = program->secrets,
                                     .loop = program->loop,
                                     .on_ask = on_ask,
                                     .ctx = program};
    return door_open(&door, &program->door, err);
}

static void run(struct program *program)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_ORIGIN_LISTENING,
                           .u.origin_listening = {.port = door_port(program->door)}};
    control_say(program->control, &ctl);
    weir_loop_run(program->loop);
}

/* The table goes before the door: what its asks wait for is answered while the door can still be
 * woken. */
static void close_all(struct program *program)
{
    origin_free(program->origin);
    door_close(&program->door);
    weir_timer_free(&program->secrets_timer);
    control_close(&program->control);
    secrets_close(&program->secrets);
    weir_loop_free(program->loop);
}

static enum weir_code load(int argc, char **argv, struct weir_arena *arena,
                           struct origin_settings *settings, struct weir_err *err)
{
    enum weir_log_level level = WEIR_LOG_INFO;
    enum weir_code code = weir_settings_load(origin_setting_rows, origin_n_setting_rows, argc, argv,
                                             arena, settings, err);
    if (code == WEIR_OK) {
        code = weir_log_level_parse(settings->log_level, &level, err);
    }
    weir_log_init("weir-origin", level);
    return code;
}

int main(int argc, char **argv)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct origin_settings settings = {0};
    struct weir_err err = {0};
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        weir_settings_help(stdout, "weir-origin", "A worker's HTTP door for media.",
                           origin_setting_rows, origin_n_setting_rows);
        return 0;
    }
    if (load(argc, argv, arena, &settings, &err) != WEIR_OK) {
        fprintf(stderr, "weir-origin: %s\n", err.msg);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    struct program program = {.loop = weir_loop_new()};
    enum weir_code code = open_all(&program, &settings, &err);
    if (code == WEIR_OK) {
        run(&program);
    } else {
        weir_log(WEIR_LOG_ERROR, "weir-origin: cannot start", "why", err.msg, NULL);
    }
    close_all(&program);
    return code == WEIR_OK ? 0 : 1;
}
