/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Migrations in dbmate's file format, so that its users may run dbmate instead: one table has the
 * versions as dbmate writes them, a second one what each file was when it was applied.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/io/db.h"

#define FILE_MAX_BYTES (1024 * 1024)
#define FILES_MAX      1000
#define MIGRATE_MS     120000

/* Any number that no other program locks; held to the end of each transaction. */
#define LOCK_SQL "SELECT pg_advisory_xact_lock(8317346190172664)"

static const char tables_sql[] =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version varchar(128) PRIMARY KEY);"
    "CREATE TABLE IF NOT EXISTS schema_migration_files ("
    " version varchar(128) PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,"
    " applied_at timestamptz NOT NULL DEFAULT now());";

struct file {
    const char *version; /* the digits its name begins with */
    const char *name;
    const char *text; /* all of it */
    char *up;         /* what is to be run */
};

static int is_sql(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 4 && strcmp(entry->d_name + len - 4, ".sql") == 0;
}

static enum weir_code read_file(const char *path, struct weir_buf *buf, struct weir_err *err)
{
    FILE *in = fopen(path, "re");
    if (!in)
        return weir_fail(err, WEIR_EIO, "%s: %s", path, strerror(errno));
    char chunk[8192];
    size_t n;
    bool fits = true;
    while (fits && (n = fread(chunk, 1, sizeof(chunk), in)) > 0)
        fits = weir_buf_add(buf, chunk, n);
    bool is_bad = ferror(in) != 0;
    fclose(in);
    if (is_bad)
        return weir_fail(err, WEIR_EIO, "%s: cannot be read", path);
    if (!fits)
        return weir_fail(err, WEIR_ELIMIT, "%s: longer than %d bytes", path, FILE_MAX_BYTES);
    return WEIR_OK;
}

/* Cuts out what stands between the two marks. */
static enum weir_code find_up(struct file *file, struct weir_arena *arena, struct weir_err *err)
{
    static const char mark[] = "-- migrate:up";
    const char *begin = strstr(file->text, mark);
    if (!begin)
        return weir_fail(err, WEIR_EPARSE, "%s: has no line \"%s\"", file->name, mark);
    size_t line = strcspn(begin, "\n");
    if (line != sizeof(mark) - 1)
        return weir_fail(err, WEIR_EUNSUPPORTED, "%s: options of migrate:up are not supported",
                         file->name);
    const char *end = strstr(begin, "-- migrate:down");
    size_t len = end ? (size_t)(end - begin) : strlen(begin);
    file->up = weir_arena_memdup(arena, begin, len);
    return WEIR_OK;
}

static enum weir_code load(const char *folder, const char *name, struct weir_arena *arena,
                           struct file *ret, struct weir_err *err)
{
    size_t digits = strspn(name, "0123456789");
    if (digits == 0 || name[digits] != '_')
        return weir_fail(err, WEIR_EPARSE, "%s: the name must be <digits>_<name>.sql", name);
    struct weir_buf buf = {.max = FILE_MAX_BYTES};
    enum weir_code code = read_file(weir_arena_printf(arena, "%s/%s", folder, name), &buf, err);
    if (code == WEIR_OK) {
        ret->version = weir_arena_memdup(arena, name, digits);
        ret->name = weir_arena_strdup(arena, name);
        ret->text = buf.bytes ? weir_arena_strdup(arena, buf.bytes) : "";
        code = find_up(ret, arena, err);
    }
    weir_buf_done(&buf);
    return code;
}

static enum weir_code load_all(const char *folder, struct weir_arena *arena, struct file **ret,
                               size_t *ret_n, struct weir_err *err)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, is_sql, alphasort);
    if (n < 0)
        return weir_fail(err, WEIR_EIO, "%s: %s", folder, strerror(errno));
    enum weir_code code = WEIR_OK;
    if (n > FILES_MAX)
        code = weir_fail(err, WEIR_ELIMIT, "%s: more than %d files", folder, FILES_MAX);
    struct file *files = weir_arena_array(arena, (size_t)n + 1, sizeof(*files));
    for (int i = 0; i < n; i++) {
        if (code == WEIR_OK)
            code = load(folder, entries[i]->d_name, arena, &files[i], err);
        free(entries[i]);
    }
    free(entries);
    if (code != WEIR_OK)
        return code;
    *ret = files;
    *ret_n = (size_t)n;
    return WEIR_OK;
}

/* Refuses a file that is not what was applied, or that comes before one already applied. */
static enum weir_code look_up(struct weir_db_tx *tx, const struct file *file,
                              struct weir_arena *arena, bool *ret_is_applied, struct weir_err *err)
{
    const char *params[] = {file->version, file->text};
    struct weir_db_rows *rows = NULL;
    enum weir_code code =
        weir_db_exec(tx,
                     "SELECT (SELECT count(*) FROM schema_migrations WHERE version = $1),"
                     " (SELECT sha256 = encode(sha256(convert_to($2, 'UTF8')), 'hex')"
                     "  FROM schema_migration_files WHERE version = $1),"
                     " (SELECT max(version) FROM schema_migrations WHERE version > $1)",
                     params, 2, arena, &rows, err);
    if (code != WEIR_OK)
        return code;
    bool is_applied = weir_db_int(rows, 0, 0) > 0;
    const char *same = weir_db_text(rows, 0, 1);
    const char *later = weir_db_text(rows, 0, 2);
    if (is_applied && same && same[0] != 't')
        return weir_fail(err, WEIR_ECONFLICT, "%s was edited after it had been applied",
                         file->name);
    if (!is_applied && later)
        return weir_fail(err, WEIR_ECONFLICT, "%s comes before %s, which is already applied",
                         file->name, later);
    *ret_is_applied = is_applied;
    return WEIR_OK;
}

static enum weir_code apply(struct weir_db_tx *tx, const struct file *file, struct weir_err *err)
{
    enum weir_code code = weir_db_script(tx, file->up, err);
    if (code != WEIR_OK)
        return weir_fail_in(err, code, "%s", file->name);
    const char *params[] = {file->version, file->name, file->text};
    code = weir_db_exec(tx, "INSERT INTO schema_migrations (version) VALUES ($1)", params, 1, NULL,
                        NULL, err);
    if (code != WEIR_OK)
        return code;
    return weir_db_exec(tx,
                        "INSERT INTO schema_migration_files (version, name, sha256)"
                        " VALUES ($1, $2, encode(sha256(convert_to($3, 'UTF8')), 'hex'))",
                        params, 3, NULL, NULL, err);
}

static enum weir_code migrate_one(struct weir_db *db, const struct file *file, bool *ret_applied,
                                  struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    enum weir_code code = weir_db_begin(db, NULL, &tx, err);
    if (code == WEIR_OK)
        code = weir_db_exec(tx, LOCK_SQL, NULL, 0, NULL, NULL, err);
    if (code == WEIR_OK)
        code = weir_db_script(tx, tables_sql, err);
    bool is_applied = false;
    if (code == WEIR_OK)
        code = look_up(tx, file, arena, &is_applied, err);
    if (code == WEIR_OK && !is_applied)
        code = apply(tx, file, err);
    if (code == WEIR_OK)
        code = weir_db_commit(&tx, err);
    if (code == WEIR_OK)
        *ret_applied = !is_applied;
    return code;
}

enum weir_code weir_db_migrate(const char *url, const char *folder, size_t *ret_applied,
                               struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct file *files = NULL;
    size_t n = 0;
    enum weir_code code = load_all(folder, arena, &files, &n, err);
    if (code != WEIR_OK)
        return code;
    const struct weir_db_config config = {
        .url = url, .connections = 1, .statement_ms = MIGRATE_MS, .application = "weirctl migrate"};
    struct weir_db *db WEIR_CLEANUP(weir_db_close) = NULL;
    if ((code = weir_db_open(&config, &db, err)) != WEIR_OK)
        return code;
    size_t applied = 0;
    for (size_t i = 0; i < n && code == WEIR_OK; i++) {
        bool is_new = false;
        code = migrate_one(db, &files[i], &is_new, err);
        applied += is_new;
    }
    if (code == WEIR_OK)
        *ret_applied = applied;
    return code;
}
