/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-origin: a worker's only HTTP door for media. Started by weir-worker, which says over
 * descriptor 3 which streams are behind which engine, and ends with it.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/base/log.h"
#include "worker/origin/program.h"

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
    return program_run(&settings);
}
