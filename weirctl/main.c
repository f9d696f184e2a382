/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "weirctl/command.h"

static const struct {
    const char *words[2]; /* the second is NULL where one word is enough */
    ctl_command_fn *run;
    const char *help;
} commands[] = {
    {{"migrate", NULL}, ctl_migrate, "apply the migrations that are missing"},
    {{"topics", NULL}, ctl_topics, "make the topics that are missing"},
    {{"audit", "verify"},
     ctl_audit_verify,
     "walk the audit's chains and name the first bad record"},
    {{"dlq", "list"}, ctl_dlq_list, "list the records that nobody could read"},
    {{"dlq", "show"}, ctl_dlq_show, "show one of them (--partition, --offset)"},
    {{"dlq", "replay"}, ctl_dlq_replay, "send one of them to its topic once more"},
    {{"log", "show"}, ctl_log_show, "show the decision log of a cell"},
    {{"worker", "list"}, ctl_worker_list, "list the workers of a cell and what they hold"},
    {{"worker", "drain"}, ctl_worker_drain, "move what a worker runs to others (--worker)"},
    {{"worker", "undrain"},
     ctl_worker_undrain,
     "let a drained worker take streams again (--worker)"},
    {{"rewrap", NULL},
     ctl_rewrap,
     "seal cameras' credentials again for the api's key; needs the workers' keys"},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int help(FILE *out)
{
    fprintf(out, "usage: weirctl COMMAND [--setting=value ...]\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++) {
        const char *second = commands[i].words[1];
        fprintf(out, "  %s%s%-*s %s\n", commands[i].words[0], second ? " " : "",
                (int)(15 - strlen(commands[i].words[0])), second ? second : "", commands[i].help);
    }
    fprintf(out, "\n");
    weir_settings_help(out, "weirctl", "looks after an installation of Weir", ctl_setting_rows,
                       ctl_n_setting_rows);
    return out == stdout ? 0 : 2;
}

/* How many words of argv name command `i`, 0 when they do not. */
static int matches(size_t i, int argc, char **argv)
{
    const char *const *words = commands[i].words;
    if (argc < 2 || strcmp(argv[1], words[0]) != 0)
        return 0;
    if (!words[1])
        return 1;
    return argc > 2 && strcmp(argv[2], words[1]) == 0 ? 2 : 0;
}

static int run(size_t i, int argc, char **argv)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct ctl_settings settings;
    struct weir_err err = {0};
    if (weir_settings_load(ctl_setting_rows, ctl_n_setting_rows, argc, argv, arena, &settings,
                           &err) != WEIR_OK) {
        fprintf(stderr, "weirctl: %s\n", err.msg);
        return 2;
    }
    if (commands[i].run(&settings, stdout, &err) != WEIR_OK) {
        fprintf(stderr, "weirctl: %s\n", err.msg);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    weir_log_init("weirctl", WEIR_LOG_WARN);
    for (size_t i = 0; i < N_COMMANDS; i++) {
        int words = matches(i, argc, argv);
        if (words > 0)
            return run(i, argc - words, argv + words);
    }
    bool is_asked = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0);
    return help(is_asked ? stdout : stderr);
}
