/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/db.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "tests/unit/io/postgres_double.h"

static struct postgres_double *postgres;

static struct weir_db *open_as(const char *role, struct weir_db_config config)
{
    struct weir_db *db = NULL;
    config.url = postgres_double_url(postgres, role);
    config.connections = config.connections ? config.connections : 2;
    assert_int_equal(weir_db_open(&config, &db, NULL), WEIR_OK);
    return db;
}

static void script(struct weir_db *db, const char *sql)
{
    struct weir_db_tx *tx = NULL;
    struct weir_err err = {0};
    if (weir_db_begin(db, NULL, &tx, &err) != WEIR_OK || weir_db_script(tx, sql, &err) != WEIR_OK ||
        weir_db_commit(&tx, &err) != WEIR_OK)
        fail_msg("%s", err.msg);
}

static int64_t number(struct weir_db *db, const struct weir_id *tenant, const char *sql)
{
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_db_tx *tx = NULL;
    struct weir_db_rows *rows = NULL;
    struct weir_err err = {0};
    if (weir_db_begin(db, tenant, &tx, &err) != WEIR_OK ||
        weir_db_exec(tx, sql, NULL, 0, arena, &rows, &err) != WEIR_OK)
        fail_msg("%s", err.msg);
    int64_t value = weir_db_int(rows, 0, 0);
    weir_db_end(&tx);
    weir_arena_free(arena);
    return value;
}

static void values_travel_as_parameters(void **state)
{
    (void)state;
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_db *db = open_as("postgres", (struct weir_db_config){0});
    struct weir_db_tx *tx = NULL;
    struct weir_db_rows *rows = NULL;
    const char *params[] = {"'; DROP TABLE x; --", NULL, "7"};
    assert_int_equal(weir_db_begin(db, NULL, &tx, NULL), WEIR_OK);
    assert_int_equal(weir_db_exec(tx, "SELECT $1::text, $2::text, $3::int + 1, true", params, 3,
                                  arena, &rows, NULL),
                     WEIR_OK);
    assert_int_equal(weir_db_count(rows), 1);
    assert_string_equal(weir_db_text(rows, 0, 0), "'; DROP TABLE x; --");
    assert_null(weir_db_text(rows, 0, 1));
    assert_int_equal(weir_db_int(rows, 0, 2), 8);
    assert_true(weir_db_bool(rows, 0, 3));
    assert_int_equal(weir_db_commit(&tx, NULL), WEIR_OK);
    assert_null(tx);
    weir_db_close(&db);
    weir_arena_free(arena);
}

static void what_was_not_committed_is_rolled_back(void **state)
{
    (void)state;
    struct weir_db *db = open_as("postgres", (struct weir_db_config){.connections = 1});
    script(db, "CREATE TABLE kept (n int)");
    struct weir_db_tx *tx = NULL;
    assert_int_equal(weir_db_begin(db, NULL, &tx, NULL), WEIR_OK);
    assert_int_equal(weir_db_exec(tx, "INSERT INTO kept VALUES (1)", NULL, 0, NULL, NULL, NULL),
                     WEIR_OK);
    weir_db_end(&tx);
    assert_null(tx);
    assert_int_equal(number(db, NULL, "SELECT count(*) FROM kept"), 0);
    weir_db_close(&db);
}

static void a_tenant_sees_its_own_rows_and_leaves_nothing_behind(void **state)
{
    (void)state;
    struct weir_db *owner = open_as("postgres", (struct weir_db_config){0});
    script(owner, "CREATE ROLE plain LOGIN;"
                  "CREATE TABLE owned (tenant_id uuid, n int);"
                  "GRANT SELECT, INSERT ON owned TO plain;"
                  "ALTER TABLE owned ENABLE ROW LEVEL SECURITY;"
                  "CREATE POLICY own ON owned USING (tenant_id ="
                  " nullif(current_setting('app.tenant_id', true), '')::uuid);"
                  "INSERT INTO owned VALUES ('00000000-0000-0000-0000-00000000000a', 1),"
                  " ('00000000-0000-0000-0000-00000000000b', 2)");
    struct weir_db *db = open_as("plain", (struct weir_db_config){.connections = 1});
    struct weir_id a = {.b = {[15] = 0x0a}};
    struct weir_id none = {.b = {[15] = 0x0c}};
    assert_int_equal(number(db, &a, "SELECT sum(n) FROM owned"), 1);
    assert_int_equal(number(db, &none, "SELECT count(*) FROM owned"), 0);
    assert_int_equal(number(db, NULL, "SELECT count(*) FROM owned"), 0);

    struct weir_db_tx *tx = NULL;
    const char *params[] = {"00000000-0000-0000-0000-00000000000b"};
    assert_int_equal(weir_db_begin(db, &a, &tx, NULL), WEIR_OK);
    assert_int_equal(
        weir_db_exec(tx, "INSERT INTO owned VALUES ($1::uuid, 3)", params, 1, NULL, NULL, NULL),
        WEIR_EFORBIDDEN);
    weir_db_end(&tx);
    weir_db_close(&db);
    weir_db_close(&owner);
}

static void errors_name_the_constraint_and_never_the_value(void **state)
{
    (void)state;
    struct weir_db *db = open_as("postgres", (struct weir_db_config){0});
    script(db, "CREATE TABLE judged (name text CONSTRAINT once UNIQUE,"
               " n int CONSTRAINT small CHECK (n < 10)); INSERT INTO judged VALUES ('taken', 1)");
    static const struct {
        const char *name;
        const char *n;
        enum weir_code code;
        const char *says;
    } cases[] = {{"taken", "2", WEIR_ECONFLICT, "once"},
                 {"fresh", "99", WEIR_ESEMANTIC, "small"},
                 {"fresh", "sesame", WEIR_ESEMANTIC, "22P02"}};
    for (size_t i = 0; i < 3; i++) {
        struct weir_db_tx *tx = NULL;
        struct weir_err err = {0};
        const char *params[] = {cases[i].name, cases[i].n};
        assert_int_equal(weir_db_begin(db, NULL, &tx, NULL), WEIR_OK);
        assert_int_equal(weir_db_exec(tx, "INSERT INTO judged VALUES ($1, $2::int)", params, 2,
                                      NULL, NULL, &err),
                         cases[i].code);
        assert_non_null(strstr(err.msg, cases[i].says));
        assert_null(strstr(err.msg, "sesame"));
        assert_int_equal(weir_db_commit(&tx, NULL), WEIR_EINTERNAL);
        assert_null(tx);
    }
    weir_db_close(&db);
}

static void a_busy_pool_says_so_after_its_wait(void **state)
{
    (void)state;
    struct weir_db *db =
        open_as("postgres", (struct weir_db_config){.connections = 1, .acquire_ms = 100});
    struct weir_db_tx *first = NULL;
    struct weir_db_tx *second = NULL;
    assert_int_equal(weir_db_begin(db, NULL, &first, NULL), WEIR_OK);
    assert_int_equal(weir_db_begin(db, NULL, &second, NULL), WEIR_EUNAVAILABLE);
    weir_db_end(&first);
    assert_int_equal(weir_db_begin(db, NULL, &second, NULL), WEIR_OK);
    weir_db_end(&second);
    weir_db_close(&db);
}

static void a_long_statement_is_cut_off(void **state)
{
    (void)state;
    struct weir_db *db = open_as("postgres", (struct weir_db_config){.statement_ms = 200});
    struct weir_db_tx *tx = NULL;
    assert_int_equal(weir_db_begin(db, NULL, &tx, NULL), WEIR_OK);
    assert_int_equal(weir_db_exec(tx, "SELECT pg_sleep(10)", NULL, 0, NULL, NULL, NULL),
                     WEIR_ETIMEOUT);
    weir_db_end(&tx);
    assert_int_equal(weir_db_ping(db, NULL), WEIR_OK);
    weir_db_close(&db);
}

static void a_server_that_hangs_does_not_hang_the_caller(void **state)
{
    (void)state;
    struct weir_db *db =
        open_as("postgres", (struct weir_db_config){.statement_ms = 200, .connect_ms = 200});
    struct weir_db_tx *tx = NULL;
    assert_int_equal(weir_db_begin(db, NULL, &tx, NULL), WEIR_OK);
    postgres_double_freeze(postgres, 1);
    int64_t start_ms = weir_clock_mono_ms();
    assert_int_equal(weir_db_exec(tx, "SELECT 1", NULL, 0, NULL, NULL, NULL), WEIR_ETIMEOUT);
    weir_db_end(&tx);
    assert_int_equal(weir_db_ping(db, NULL), WEIR_EUNAVAILABLE);
    assert_true(weir_clock_mono_ms() - start_ms < 5000);
    postgres_double_freeze(postgres, 0);
    assert_int_equal(weir_db_ping(db, NULL), WEIR_OK);
    weir_db_close(&db);
}

#define SOON_MS 3000 /* well before a statement is given up, also on a busy machine */

struct caller {
    struct weir_db *db;
    enum weir_code code;
    int64_t took_ms;
};

static void *call_once(void *ctx)
{
    struct caller *caller = ctx;
    int64_t begun_ms = weir_clock_mono_ms();
    caller->code = weir_db_ping(caller->db, NULL);
    caller->took_ms = weir_clock_mono_ms() - begun_ms;
    return NULL;
}

/* Two connections, six callers: two find out, the others are not held by them. */
static void a_server_that_hangs_holds_few_callers(void **state)
{
    (void)state;
    struct weir_db *db = open_as("postgres", (struct weir_db_config){.connections = 2,
                                                                     .statement_ms = 4000,
                                                                     .connect_ms = 1000,
                                                                     .acquire_ms = 10000,
                                                                     .stall_ms = 200});
    assert_int_equal(weir_db_ping(db, NULL), WEIR_OK);
    postgres_double_freeze(postgres, 1);
    struct caller callers[6];
    pthread_t threads[6];
    for (size_t i = 0; i < 6; i++) {
        callers[i].db = db;
        assert_int_equal(pthread_create(&threads[i], NULL, call_once, &callers[i]), 0);
    }
    unsigned n_soon = 0;
    for (size_t i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        assert_int_not_equal(callers[i].code, WEIR_OK);
        n_soon += callers[i].took_ms < SOON_MS;
    }
    assert_true(n_soon >= 4);
    struct caller late = {.db = db};
    call_once(&late);
    assert_int_equal(late.code, WEIR_EUNAVAILABLE);
    assert_true(late.took_ms < SOON_MS);
    postgres_double_freeze(postgres, 0);
    int64_t end_ms = weir_clock_mono_ms() + 20000;
    while (weir_db_ping(db, NULL) != WEIR_OK && weir_clock_mono_ms() < end_ms) {
        usleep(20000);
    }
    assert_int_equal(weir_db_ping(db, NULL), WEIR_OK);
    weir_db_close(&db);
}

static void a_restarted_server_is_found_again_without_an_error(void **state)
{
    (void)state;
    struct weir_db *db = open_as("postgres", (struct weir_db_config){0});
    assert_int_equal(weir_db_ping(db, NULL), WEIR_OK);
    postgres_double_crash(postgres);
    assert_int_equal(weir_db_ping(db, NULL), WEIR_OK);
    weir_db_close(&db);
}

static void a_commit_that_breaks_is_unknown(void **state)
{
    (void)state;
    struct weir_db *db = open_as("postgres", (struct weir_db_config){0});
    struct weir_db_tx *tx = NULL;
    assert_int_equal(weir_db_begin(db, NULL, &tx, NULL), WEIR_OK);
    postgres_double_crash(postgres);
    assert_int_equal(weir_db_commit(&tx, NULL), WEIR_EUNKNOWN);
    assert_null(tx);
    weir_db_close(&db);
}

static void *notify_soon(void *arg)
{
    usleep(100000);
    script(arg, "NOTIFY news");
    return NULL;
}

static void a_listener_hears_a_notification(void **state)
{
    (void)state;
    struct weir_db *db = open_as("postgres", (struct weir_db_config){0});
    struct weir_db_listener *listener = NULL;
    bool is_notified = true;
    assert_int_equal(weir_db_listen(db, "news", &listener, NULL), WEIR_OK);
    assert_int_equal(weir_db_listener_wait(listener, 50, &is_notified, NULL), WEIR_OK);
    assert_false(is_notified);
    pthread_t thread;
    pthread_create(&thread, NULL, notify_soon, db);
    assert_int_equal(weir_db_listener_wait(listener, 5000, &is_notified, NULL), WEIR_OK);
    assert_true(is_notified);
    pthread_join(thread, NULL);
    weir_db_unlisten(&listener);
    weir_db_close(&db);
}

/* ---- migrations ---- */

static char folder[64];

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static enum weir_code migrate(size_t *applied, struct weir_err *err)
{
    return weir_db_migrate(postgres_double_url(postgres, "postgres"), folder, applied, err);
}

static void migrations_run_once_in_order(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/weir-migrations-XXXXXX");
    assert_non_null(mkdtemp(folder));
    write_file("20260101000000_first.sql", "-- migrate:up\nCREATE TABLE m (n int);\n"
                                           "INSERT INTO m VALUES (1);\n"
                                           "-- migrate:down\nDROP TABLE m;\n");
    write_file("20260102000000_second.sql", "-- migrate:up\nUPDATE m SET n = n + 1;\n");
    size_t applied = 9;
    struct weir_err err = {0};
    if (migrate(&applied, &err) != WEIR_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(applied, 2);
    assert_int_equal(migrate(&applied, &err), WEIR_OK);
    assert_int_equal(applied, 0);
    struct weir_db *db = open_as("postgres", (struct weir_db_config){0});
    assert_int_equal(number(db, NULL, "SELECT n FROM m"), 2);
    weir_db_close(&db);
}

static void a_migration_that_fails_leaves_nothing(void **state)
{
    (void)state;
    write_file("20260104000000_bad.sql",
               "-- migrate:up\nCREATE TABLE half (n int);\nSELECT nonsense;\n");
    size_t applied = 9;
    struct weir_err err = {0};
    assert_int_not_equal(migrate(&applied, &err), WEIR_OK);
    assert_non_null(strstr(err.msg, "20260104000000_bad.sql"));
    assert_non_null(strstr(err.msg, "nonsense"));
    assert_int_equal(applied, 9);
    struct weir_db *db = open_as("postgres", (struct weir_db_config){0});
    assert_int_equal(number(db, NULL, "SELECT count(*) FROM pg_class WHERE relname = 'half'"), 0);
    weir_db_close(&db);
    write_file("20260104000000_bad.sql", "-- migrate:up\nSELECT 1;\n");
    assert_int_equal(migrate(&applied, &err), WEIR_OK);
    assert_int_equal(applied, 1);
}

static void edited_and_late_migrations_are_refused(void **state)
{
    (void)state;
    size_t applied = 9;
    struct weir_err err = {0};
    write_file("20260103000000_late.sql", "-- migrate:up\nSELECT 1;\n");
    assert_int_equal(migrate(&applied, &err), WEIR_ECONFLICT);
    assert_non_null(strstr(err.msg, "late"));
    char path[256];
    snprintf(path, sizeof(path), "%s/20260103000000_late.sql", folder);
    unlink(path);
    write_file("20260102000000_second.sql", "-- migrate:up\nUPDATE m SET n = n + 2;\n");
    assert_int_equal(migrate(&applied, &err), WEIR_ECONFLICT);
    assert_non_null(strstr(err.msg, "edited"));
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

static int start(void **state)
{
    (void)state;
    postgres = postgres_double_open();
    return 0;
}

static int end(void **state)
{
    (void)state;
    postgres_double_close(&postgres);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_travel_as_parameters),
        cmocka_unit_test(what_was_not_committed_is_rolled_back),
        cmocka_unit_test(a_tenant_sees_its_own_rows_and_leaves_nothing_behind),
        cmocka_unit_test(errors_name_the_constraint_and_never_the_value),
        cmocka_unit_test(a_busy_pool_says_so_after_its_wait),
        cmocka_unit_test(a_long_statement_is_cut_off),
        cmocka_unit_test(a_server_that_hangs_does_not_hang_the_caller),
        cmocka_unit_test(a_server_that_hangs_holds_few_callers),
        cmocka_unit_test(a_restarted_server_is_found_again_without_an_error),
        cmocka_unit_test(a_commit_that_breaks_is_unknown),
        cmocka_unit_test(a_listener_hears_a_notification),
        cmocka_unit_test(migrations_run_once_in_order),
        cmocka_unit_test(a_migration_that_fails_leaves_nothing),
        cmocka_unit_test(edited_and_late_migrations_are_refused),
    };
    return cmocka_run_group_tests(tests, start, end);
}
