/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/origin/program.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "worker/origin/cameras.h"
#include "worker/origin/control.h"
#include "worker/origin/door.h"
#include "worker/origin/origin.h"
#include "worker/origin/stills.h"

#define CONTROL_FD 3
#define SECRETS_MS 5000

struct program {
    struct weir_loop *loop;
    struct control *control;
    struct secrets *secrets;
    struct origin *origin;
    struct stills *stills;
    struct cameras *cameras;
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
    if (ctl->type == WEIR_CTL_CAMERA_STATUS) {
        cameras_take(program->cameras, &ctl->u.camera_status, weir_clock_mono_ms());
    } else {
        origin_control(program->origin, ctl);
    }
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
    if (ask->still[0] != '\0') {
        stills_ask(program->stills, ask);
    } else if (!weir_id_is_nil(&ask->camera_id)) {
        cameras_ask(program->cameras, ask, weir_clock_mono_ms());
    } else {
        origin_ask(program->origin, ask);
    }
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
    program->stills = stills_new(program->loop, settings->still_socket);
    program->cameras = cameras_new();
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

static void serve(struct program *program)
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
    stills_free(program->stills);
    door_close(&program->door);
    cameras_free(program->cameras);
    weir_timer_free(&program->secrets_timer);
    control_close(&program->control);
    secrets_close(&program->secrets);
    weir_loop_free(program->loop);
}

int program_run(const struct origin_settings *settings)
{
    struct program program = {.loop = weir_loop_new()};
    struct weir_err err = {0};
    enum weir_code code = open_all(&program, settings, &err);
    if (code == WEIR_OK) {
        serve(&program);
    } else {
        weir_log(WEIR_LOG_ERROR, "weir-origin: cannot start", "why", err.msg, NULL);
    }
    close_all(&program);
    return code == WEIR_OK ? 0 : 1;
}
