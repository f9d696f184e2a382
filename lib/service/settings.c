/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/settings.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/str.h"

#define FLAG_MAX 64

/* WEIR_WORKER_ID -> worker-id */
static void flag_name(const char *env, char flag[static FLAG_MAX])
{
    const char *p = weir_str_starts_with(env, "WEIR_") ? env + 5 : env;
    size_t i = 0;
    for (; i < FLAG_MAX - 1 && p[i]; i++) {
        flag[i] = (char)(p[i] == '_' ? '-' : tolower((unsigned char)p[i]));
    }
    flag[i] = '\0';
}

enum weir_code weir_settings_read_secret(const char *path, size_t max, struct weir_arena *arena,
                                         const char **ret, struct weir_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return weir_fail(err, WEIR_EINVAL, "cannot read the secret file %s: %s", path,
                         strerror(errno));
    }
    struct stat st;
    char *text = weir_arena_alloc(arena, max + 2);
    ssize_t n = fstat(fd, &st) == 0 ? read(fd, text, max + 2) : -1;
    close(fd);
    if (n < 0 || !S_ISREG(st.st_mode)) {
        return weir_fail(err, WEIR_EINVAL, "%s is not a readable file", path);
    }
    bool is_mount = st.st_uid == 0 && weir_str_starts_with(path, "/run/secrets/");
    if ((st.st_mode & 077) && !is_mount) {
        return weir_fail(err, WEIR_EINVAL,
                         "the secret file %s is open to other users (mode %03o); chmod 600 it",
                         path, (unsigned)(st.st_mode & 0777));
    }
    size_t len = (size_t)n;
    if (len > 0 && text[len - 1] == '\n') {
        len--;
    }
    if (len > max) {
        return weir_fail(err, WEIR_ELIMIT, "the secret file %s is longer than %zu bytes", path,
                         max);
    }
    text[len] = '\0';
    *ret = text;
    return WEIR_OK;
}

static enum weir_code set_bool(const struct weir_setting *row, const char *text, bool *field,
                               struct weir_err *err)
{
    static const char *const yes[] = {"true", "1", "yes"};
    static const char *const no[] = {"false", "0", "no"};
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *field = strcmp(text, yes[i]) == 0;
            return WEIR_OK;
        }
    }
    return weir_fail(err, WEIR_EINVAL, "%s is '%.32s'; it must be true or false", row->env, text);
}

/* `text` was given for the row: checks it and stores it. */
static enum weir_code set_value(const struct weir_setting *row, const char *text,
                                struct weir_arena *arena, void *settings, struct weir_err *err)
{
    char *field = (char *)settings + row->offset;
    enum weir_code code = WEIR_OK;
    switch (row->type) {
    case WEIR_SETTING_TYPE_INT:
        code = weir_str_to_int(text, row->min, row->max, (int64_t *)(void *)field, err);
        if (code != WEIR_OK) {
            code = weir_fail_in(err, code, "%s%s%s", row->env, *row->unit ? " in " : "", row->unit);
        }
        break;
    case WEIR_SETTING_TYPE_BOOL:
        code = set_bool(row, text, (bool *)(void *)field, err);
        break;
    case WEIR_SETTING_TYPE_STR:
    case WEIR_SETTING_TYPE_SECRET:
        if (strlen(text) > (size_t)row->max) {
            return weir_fail(err, WEIR_ELIMIT, "%s is %zu bytes long; the limit is %" PRId64,
                             row->env, strlen(text), row->max);
        }
        *(const char **)(void *)field = weir_arena_strdup(arena, text);
        break;
    }
    return code;
}

static enum weir_code set_default(const struct weir_setting *row, void *settings,
                                  struct weir_err *err)
{
    char *field = (char *)settings + row->offset;
    switch (row->type) {
    case WEIR_SETTING_TYPE_INT:
        *(int64_t *)(void *)field = row->default_int;
        break;
    case WEIR_SETTING_TYPE_BOOL:
        *(bool *)(void *)field = row->default_int != 0;
        break;
    case WEIR_SETTING_TYPE_SECRET:
        *(const char **)(void *)field = "";
        break;
    case WEIR_SETTING_TYPE_STR:
        if (!row->default_text) {
            char flag[FLAG_MAX];
            flag_name(row->env, flag);
            return weir_fail(err, WEIR_EINVAL, "%s (or --%s) is missing: %s", row->env, flag,
                             row->help);
        }
        *(const char **)(void *)field = row->default_text;
        break;
    }
    return WEIR_OK;
}

enum weir_code weir_settings_read_again(const char *env, size_t max, struct weir_arena *arena,
                                        const char **ret, struct weir_err *err)
{
    const char *path = getenv(weir_arena_printf(arena, "%s_FILE", env));
    if (getenv(env) || !path) {
        return weir_fail(err, WEIR_ENOTFOUND, "%s_FILE is not given", env);
    }
    return weir_settings_read_secret(path, max, arena, ret, err);
}

static enum weir_code load_from_env(const struct weir_setting *row, struct weir_arena *arena,
                                    void *settings, struct weir_err *err)
{
    const char *text = getenv(row->env);
    if (row->type == WEIR_SETTING_TYPE_SECRET && !text) {
        const char *path = getenv(weir_arena_printf(arena, "%s_FILE", row->env));
        if (path) {
            enum weir_code code =
                weir_settings_read_secret(path, (size_t)row->max, arena, &text, err);
            if (code != WEIR_OK) {
                return weir_fail_in(err, code, "%s_FILE", row->env);
            }
        }
    }
    return text ? set_value(row, text, arena, settings, err) : set_default(row, settings, err);
}

static const struct weir_setting *find_flag(const struct weir_setting *rows, size_t n,
                                            const char *name, size_t len)
{
    for (size_t i = 0; i < n; i++) {
        char flag[FLAG_MAX];
        flag_name(rows[i].env, flag);
        if (strlen(flag) == len && memcmp(flag, name, len) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

/* Finds the row's value in argv; NULL when not given. */
static const char *flag_value(const struct weir_setting *row, int argc, char *const *argv)
{
    char flag[FLAG_MAX];
    flag_name(row->env, flag);
    size_t len = strlen(flag);
    const char *value = NULL;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strncmp(arg, "--", 2) != 0 || strncmp(arg + 2, flag, len) != 0) {
            continue;
        }
        if (arg[2 + len] == '=') {
            value = arg + 3 + len;
        } else if (arg[2 + len] == '\0' && i + 1 < argc) {
            value = argv[++i];
        }
    }
    return value;
}

static enum weir_code check_argv(const struct weir_setting *rows, size_t n, int argc,
                                 char *const *argv, struct weir_err *err)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        const char *equals = strchr(arg, '=');
        size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
        const struct weir_setting *row =
            len > 2 && strncmp(arg, "--", 2) == 0 ? find_flag(rows, n, arg + 2, len - 2) : NULL;
        if (!row) {
            return weir_fail(err, WEIR_EINVAL, "unknown argument '%.*s'; see --help",
                             (int)(len > 64 ? 64 : len), arg);
        }
        if (row->type == WEIR_SETTING_TYPE_SECRET) {
            return weir_fail(err, WEIR_EINVAL,
                             "%.*s is a secret: arguments are visible to every user; use %s_FILE",
                             (int)len, arg, row->env);
        }
        if (!equals && ++i >= argc) {
            return weir_fail(err, WEIR_EINVAL, "%s needs a value", arg);
        }
    }
    return WEIR_OK;
}

enum weir_code weir_settings_load(const struct weir_setting *rows, size_t n, int argc,
                                  char *const *argv, struct weir_arena *arena, void *ret,
                                  struct weir_err *err)
{
    enum weir_code code = check_argv(rows, n, argc, argv, err);
    for (size_t i = 0; code == WEIR_OK && i < n; i++) {
        const char *text = flag_value(&rows[i], argc, argv);
        code = text ? set_value(&rows[i], text, arena, ret, err)
                    : load_from_env(&rows[i], arena, ret, err);
    }
    return code;
}

static void help_value(FILE *out, const struct weir_setting *row)
{
    switch (row->type) {
    case WEIR_SETTING_TYPE_INT:
        fprintf(out, " (default %" PRId64 ", %" PRId64 " to %" PRId64 "%s%s)", row->default_int,
                row->min, row->max, *row->unit ? " " : "", row->unit);
        break;
    case WEIR_SETTING_TYPE_BOOL:
        fprintf(out, " (default %s)", row->default_int ? "true" : "false");
        break;
    case WEIR_SETTING_TYPE_STR:
        if (row->default_text) {
            fprintf(out, " (default \"%s\")", row->default_text);
        } else {
            fprintf(out, " (required)");
        }
        break;
    case WEIR_SETTING_TYPE_SECRET:
        fprintf(out, " (secret; also from the file %s_FILE names)", row->env);
        break;
    }
}

void weir_settings_help(FILE *out, const char *daemon, const char *what,
                        const struct weir_setting *rows, size_t n)
{
    fprintf(out,
            "%s: %s\n\nSettings come from the environment, or from the argument beside it:\n\n",
            daemon, what);
    for (size_t i = 0; i < n; i++) {
        char flag[FLAG_MAX];
        flag_name(rows[i].env, flag);
        bool is_secret = rows[i].type == WEIR_SETTING_TYPE_SECRET;
        fprintf(out, "  %s%s%s\n      %s", rows[i].env, is_secret ? "" : "  --",
                is_secret ? "" : flag, rows[i].help);
        help_value(out, &rows[i]);
        fprintf(out, "\n");
    }
}
