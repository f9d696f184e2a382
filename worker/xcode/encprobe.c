/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-encprobe: tries engines that encode in hardware by really encoding with them, and tells what
 * came of it: a line of schemas/encprobe.result.json for each, on descriptor 3 where that is a
 * socket, else on standard output.
 *
 *     weir-encprobe nvenc vaapi
 *
 * Each is tried in a process of its own, shut in as weir-xcode is with that engine: a driver that
 * dies, or that wants what it may not have there, is no engine. Who hangs is killed by who started
 * this (weir-worker). It has no secrets and reads nothing from outside but what drivers make.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "lib/domain/events.h"
#include "lib/io/sandbox.h"
#include "worker/xcode/engine.h"
#include "worker/xcode/trial.h"

#define CHANNEL_FD 3
#define CPU_MAX_S  60

static bool has_channel(void)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    return getsockname(CHANNEL_FD, (struct sockaddr *)(void *)&addr, &len) == 0;
}

static bool tell(const struct weir_ctl_encprobe_result *result)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    const struct weir_ctl ctl = {.type = WEIR_CTL_ENCPROBE_RESULT, .u.encprobe_result = *result};
    const char *bytes;
    size_t len;
    struct weir_err err;
    return weir_ctl_dump(&ctl, arena, &bytes, &len, &err) == WEIR_OK &&
           write(CHANNEL_FD, bytes, len) == (ssize_t)len;
}

static bool tell_bad(enum weir_encoder id, const char *why)
{
    struct weir_ctl_encprobe_result result = {.encoder = id};
    WEIR_STR_SET(result.why, why);
    return tell(&result);
}

static bool try_one(enum weir_encoder id)
{
    struct weir_ctl_encprobe_result result;
    struct weir_err err = {0};
    const char *why = NULL;
    const struct rlimit cpu = {CPU_MAX_S, CPU_MAX_S};
    if (setrlimit(RLIMIT_CPU, &cpu) != 0) {
        return tell_bad(id, "its processor time cannot be limited");
    }
    struct engine *engine = engine_open(id, &why);
    if (!engine) {
        return tell_bad(id, why);
    }
    bool is_told;
    if (weir_sandbox_enter_device(&err) != WEIR_OK) {
        is_told = tell_bad(id, err.msg);
    } else {
        trial_run(engine, &result);
        is_told = tell(&result);
    }
    engine_free(&engine);
    return is_told;
}

/* In a child, which ends with this process. */
static int try_apart(enum weir_encoder id)
{
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        bool is_told = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && try_one(id);
        _exit(is_told ? 0 : 1);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return tell_bad(id, "no process for it") ? 0 : 1;
    }
    if (WIFSIGNALED(status)) {
        return tell_bad(id, "its driver ended the process") ? 0 : 1;
    }
    return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 1 + WEIR_ENCODER_N) {
        fprintf(stderr, "weir-encprobe: name one to %d of nvenc, qsv, vaapi, v4l2\n",
                WEIR_ENCODER_N);
        return 2;
    }
    if (!has_channel() && dup2(STDOUT_FILENO, CHANNEL_FD) < 0) {
        return 1;
    }
    int code = 0;
    for (int i = 1; i < argc && code == 0; i++) {
        enum weir_encoder id;
        if (weir_encoder_get(argv[i], &id) != WEIR_OK) {
            fprintf(stderr, "weir-encprobe: '%s' is none of nvenc, qsv, vaapi, v4l2\n", argv[i]);
            return 2;
        }
        code = try_apart(id);
    }
    return code;
}
