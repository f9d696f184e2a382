/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/audit/audit_db.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "weirctl/command.h"

static void must(enum weir_code code, const struct weir_err *err)
{
    if (code == WEIR_OK)
        return;
    fprintf(stderr, "database of the test: %s\n", err->msg);
    exit(1);
}

static struct weir_db *open_operator(struct postgres_double *postgres)
{
    struct weir_db *db = NULL;
    struct weir_err err = {0};
    struct weir_db_config config = {.url = postgres_double_url(postgres, "postgres"),
                                    .connections = 1};
    must(weir_db_open(&config, &db, &err), &err);
    return db;
}

void audit_db_script(struct postgres_double *postgres, const char *sql)
{
    struct weir_db *db = open_operator(postgres);
    struct weir_db_tx *tx = NULL;
    struct weir_err err = {0};
    must(weir_db_begin(db, NULL, &tx, &err), &err);
    must(weir_db_script(tx, sql, &err), &err);
    must(weir_db_commit(&tx, &err), &err);
    weir_db_close(&db);
}

int64_t audit_db_number(struct postgres_double *postgres, const char *sql)
{
    struct weir_db *db = open_operator(postgres);
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_db_tx *tx = NULL;
    struct weir_db_rows *rows = NULL;
    struct weir_err err = {0};
    must(weir_db_begin(db, NULL, &tx, &err), &err);
    must(weir_db_exec(tx, sql, NULL, 0, arena, &rows, &err), &err);
    int64_t value = weir_db_int(rows, 0, 0);
    weir_db_end(&tx);
    weir_arena_free(arena);
    weir_db_close(&db);
    return value;
}

struct postgres_double *audit_db_open(void)
{
    struct postgres_double *postgres = postgres_double_open();
    audit_db_script(postgres, "CREATE ROLE weir_owner LOGIN; CREATE ROLE weir_api LOGIN;"
                              "CREATE ROLE weir_audit LOGIN;"
                              "GRANT CREATE ON SCHEMA public TO weir_owner");
    char folder[] = "/tmp/weir-audit-XXXXXX";
    char command[256];
    size_t applied = 0;
    struct weir_err err = {0};
    if (!mkdtemp(folder))
        exit(1);
    snprintf(command, sizeof(command), "cp migrations/*_audit.sql %s", folder);
    if (system(command) != 0)
        exit(1);
    must(weir_db_migrate(postgres_double_url(postgres, "weir_owner"), folder, &applied, &err),
         &err);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    if (system(command) != 0)
        exit(1);
    return postgres;
}

enum weir_code audit_db_verify(struct postgres_double *postgres, struct weir_err *err)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct ctl_settings settings = {
        .postgres = postgres_double_url(postgres, "weir_owner"), .topic = "", .partition = -1};
    *err = (struct weir_err){0};
    enum weir_code code = ctl_audit_verify(&settings, out, err);
    fclose(out);
    free(text);
    return code;
}
