/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-tap: reads cameras and publishes them into engines. Started by weir-worker only, which
 * speaks to it on descriptor 3; it ends when that closes.
 *
 * It links libavformat (GPL in Debian's build), so it is a program of its own.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/service/memory.h"
#include "worker/tap/guard.h"
#include "worker/tap/settings.h"
#include "worker/tap/source.h"
#include "worker/tap/tap.h"

#define CONTROL_FD 3

static int fail(const char *what)
{
    fprintf(stderr, "weir-tap: %s\n", what);
    return 2;
}

/* Returns -1 to go on, else the exit code. */
static int start(int argc, char **argv, struct weir_arena *arena, struct tap_settings *ret,
                 struct weir_reach *ret_reach, struct tap_engines *ret_engines)
{
    struct weir_err err;
    enum weir_log_level level;
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        weir_settings_help(stdout, "weir-tap", "Reads cameras; started by weir-worker.",
                           tap_setting_rows, tap_n_setting_rows);
        return 0;
    }
    if (weir_settings_load(tap_setting_rows, tap_n_setting_rows, argc, argv, arena, ret, &err) !=
            WEIR_OK ||
        weir_log_level_parse(ret->log_level, &level, &err) != WEIR_OK ||
        tap_settings_reach(ret, ret_reach, &err) != WEIR_OK ||
        tap_settings_engines(ret, ret_engines, &err) != WEIR_OK)
        return fail(err.msg);
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    if (getsockname(CONTROL_FD, (struct sockaddr *)(void *)&addr, &len) != 0)
        return fail("descriptor 3 is no socket: weir-worker starts this program");
    if (!tap_guard_is_in_place())
        return fail("the guard over the network is not in place");
    weir_log_init("weir-tap", level);
    signal(SIGPIPE, SIG_IGN);
    return -1;
}

int main(int argc, char **argv)
{
    struct tap_settings settings;
    struct weir_reach reach;
    struct tap_engines engines;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    int exit_code = start(argc, argv, arena, &settings, &reach, &engines);
    if (exit_code >= 0)
        return exit_code;
    weir_memory_bound();
    tap_source_init();
    struct weir_loop *loop = weir_loop_new();
    struct tap *tap = tap_new(loop, &settings, &reach, &engines, CONTROL_FD);
    weir_loop_run(loop);
    tap_free(tap);
    /* Readers may still hang in a resolver; they hold nothing that has to be kept. */
    _exit(0);
}
