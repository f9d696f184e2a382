/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-still: pictures of exact moments, cut out of the rings of weir-tap and decoded in processes
 * that are shut in (weir-decode). Started by weir-worker, and ends with it.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/base/log.h"
#include "worker/still/program.h"

static enum weir_code load(int argc, char **argv, struct weir_arena *arena,
                           struct still_settings *settings, struct weir_err *err)
{
    enum weir_log_level level = WEIR_LOG_INFO;
    enum weir_code code = weir_settings_load(still_setting_rows, still_n_setting_rows, argc, argv,
                                             arena, settings, err);
    if (code == WEIR_OK) {
        code = weir_log_level_parse(settings->log_level, &level, err);
    }
    weir_log_init("weir-still", level);
    return code;
}

int main(int argc, char **argv)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct still_settings settings = {0};
    struct weir_err err = {0};
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        weir_settings_help(stdout, "weir-still",
                           "Pictures of exact moments; started by weir-worker.", still_setting_rows,
                           still_n_setting_rows);
        return 0;
    }
    if (load(argc, argv, arena, &settings, &err) != WEIR_OK) {
        fprintf(stderr, "weir-still: %s\n", err.msg);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    return program_run(&settings);
}
