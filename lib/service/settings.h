/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of a daemon: one table, `<daemon>/settings.def`, makes the parser, the limits, `--help`
 * and docs/settings.md. One line a setting:
 *
 *     WEIR_SETTING_STR(kafka, "WEIR_KAFKA", NULL, 512, "Kafka brokers, host:port[,host:port]")
 *     WEIR_SETTING_INT(idle_timeout_s, "WEIR_IDLE_TIMEOUT_S", 30, 5, 86400, "s", "When ...")
 *     WEIR_SETTING_BOOL(allow_local, "WEIR_SOURCE_ALLOW_LOCAL", false, "Lets ...")
 *     WEIR_SETTING_SECRET(postgres, "WEIR_POSTGRES", 1024, "Postgres URL; also WEIR_POSTGRES_FILE")
 *
 * A default of NULL makes a string required; a secret without value is empty unless the daemon asks
 * for it. Each comes from the environment, or from `--kebab-name=value` or `--kebab-name value`
 * (WEIR_WORKER_ID is --worker-id), which wins; secrets only from the environment or from the file
 * that NAME_FILE names (one trailing newline is cut).
 *
 * In <daemon>/settings.h the table becomes the struct, in settings.c the rows:
 *
 *     struct api_settings {
 *     #include "lib/service/settings_fields.h"
 *     #include "api/settings.def"
 *     #include "lib/service/settings_end.h"
 *     };
 *     static const struct weir_setting rows[] = {
 *     #define WEIR_SETTINGS_STRUCT struct api_settings
 *     #include "lib/service/settings_rows.h"
 *     #include "lib/service/settings_common.def"
 *     #include "api/settings.def"
 *     #include "lib/service/settings_end.h"
 *     };
 */
#ifndef WEIR_SERVICE_SETTINGS_H
#define WEIR_SERVICE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum weir_setting_type {
    WEIR_SETTING_TYPE_STR,    /* field: const char * */
    WEIR_SETTING_TYPE_INT,    /* field: int64_t */
    WEIR_SETTING_TYPE_BOOL,   /* field: bool; true, false, 1, 0, yes, no */
    WEIR_SETTING_TYPE_SECRET, /* field: const char *; "" when not given */
};

struct weir_setting {
    enum weir_setting_type type;
    const char *field;
    const char *env;
    size_t offset;
    const char *default_text; /* NULL: required (strings) */
    int64_t default_int;      /* int and bool */
    int64_t min;              /* int: least value */
    int64_t max;              /* int: greatest value; str and secret: most bytes */
    const char *unit;         /* int */
    const char *help;
};

/*
 * Fills `ret` (the daemon's struct) from `argv` and the environment. Strings live in `arena`.
 * Errors name the setting, what was given (never a secret's value) and what is allowed.
 */
WEIR_MUST_USE enum weir_code weir_settings_load(const struct weir_setting *rows, size_t n, int argc,
                                                char *const *argv, struct weir_arena *arena,
                                                void *ret, struct weir_err *err);

/* Reads a secret anew from the file that NAME_FILE named at the start, of at most `max` bytes.
 * WEIR_ENOTFOUND: it came from the environment. */
WEIR_MUST_USE enum weir_code weir_settings_read_again(const char *env, size_t max,
                                                      struct weir_arena *arena, const char **ret,
                                                      struct weir_err *err);

/* The --help text. */
void weir_settings_help(FILE *out, const char *daemon, const char *what,
                        const struct weir_setting *rows, size_t n);

/* Reads a file that holds a secret: at most `max` bytes, one trailing newline cut. Refuses files
 * that other users may read or write (mode & 077), except root-owned mounts under /run/secrets. */
WEIR_MUST_USE enum weir_code weir_settings_read_secret(const char *path, size_t max,
                                                       struct weir_arena *arena, const char **ret,
                                                       struct weir_err *err);

#endif
