/* SPDX-License-Identifier: Apache-2.0 */
/* The audit's tables on a real Postgres, and what the verifier finds when somebody was at them. */
#include "audit/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/domain/events.h"
#include "tests/unit/audit/audit_db.h"

#define TENANT_A "00000000-0000-0000-0000-00000000000a"

static struct postgres_double *postgres;
static struct weir_db *operator_db; /* may do anything */
static struct weir_db *audit_db;    /* as the daemon */

static struct weir_db *open_as(const char *role)
{
    struct weir_db *db = NULL;
    struct weir_db_config config = {.url = postgres_double_url(postgres, role), .connections = 2};
    assert_int_equal(weir_db_open(&config, &db, NULL), WEIR_OK);
    return db;
}

static void script(const char *sql)
{
    audit_db_script(postgres, sql);
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

/* An access of tenant A; every fifth record is no event at all. */
static void take(struct audit_batch *batch, int64_t offset)
{
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_event event = {.type = WEIR_EV_AUDIT_ACCESS,
                               .id = {.b = {1}},
                               .source = "/weir/api/0",
                               .subject = "camera",
                               .time_ms = 1700000000123 + offset};
    event.u.audit_access =
        (struct weir_ev_audit_access){.tenant_id = {.b = {[15] = 0x0a}},
                                      .actor = "O'Neill \\ \"{,}\"",
                                      .action = "camera.create",
                                      .object_type = "camera",
                                      .outcome = WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED,
                                      .request_id = "r-1"};
    const char *bytes = "{not an event";
    size_t len = 13;
    struct weir_err err = {0};
    if (offset % 5 != 4 && weir_ev_dump(&event, arena, &bytes, &len, &err) != WEIR_OK)
        fail_msg("%s", err.msg);
    struct weir_bus_message message = {.topic = WEIR_TOPIC_AUDIT,
                                       .offset = offset,
                                       .timestamp_ms = 1700000000000 + offset,
                                       .value = bytes,
                                       .value_len = len};
    assert_int_equal(audit_batch_take(batch, &message, 0, NULL), WEIR_OK);
    weir_arena_free(arena);
}

/* A chain of records 0 to 9 in an empty database. */
static int fill(void **state)
{
    (void)state;
    script("TRUNCATE audit_record, audit_event, audit_offset");
    struct weir_audit_chain chain;
    struct audit_batch batch;
    weir_audit_chain_init(&chain, WEIR_TOPIC_AUDIT, 0, 0);
    assert_int_equal(audit_table_begin(audit_db, &chain, NULL), WEIR_OK);
    audit_batch_init(&batch, 100);
    audit_batch_start(&batch, &chain);
    for (int64_t offset = 0; offset < 10; offset++) {
        take(&batch, offset);
        if (offset % 4 == 3 || offset == 9) {
            struct weir_err err = {0};
            if (audit_table_store(audit_db, &batch, &err) != WEIR_OK)
                fail_msg("%s", err.msg);
            audit_batch_stored(&batch);
        }
    }
    audit_batch_done(&batch);
    return 0;
}

static enum weir_code verify(struct weir_err *err)
{
    return audit_db_verify(postgres, err);
}

static void assert_found(const char *what)
{
    struct weir_err err;
    assert_int_equal(verify(&err), WEIR_ECORRUPT);
    if (!strstr(err.msg, what))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, what);
}

static void what_is_stored_verifies_and_loads_where_it_ended(void **state)
{
    (void)state;
    struct weir_err err;
    if (verify(&err) != WEIR_OK)
        fail_msg("%s", err.msg);
    struct weir_audit_chain chain;
    weir_audit_chain_init(&chain, WEIR_TOPIC_AUDIT, 0, 0);
    assert_int_equal(audit_table_load(audit_db, &chain, NULL), WEIR_OK);
    assert_int_equal(chain.next, 10);
    assert_int_equal(number(operator_db, NULL, "SELECT count(*) FROM audit_record"), 10);
    assert_int_equal(number(operator_db, NULL,
                            "SELECT count(*) FROM audit_record WHERE verdict = 'unreadable'"
                            " AND convert_from(raw, 'UTF8') = '{not an event'"),
                     2);
    assert_int_equal(number(operator_db, NULL,
                            "SELECT count(*) FROM audit_event"
                            " WHERE actor = 'O''Neill \\ \"{,}\"'"),
                     8);
}

static void a_batch_for_another_state_of_the_chain_writes_nothing(void **state)
{
    (void)state;
    struct weir_audit_chain chain;
    struct audit_batch first;
    struct audit_batch second;
    weir_audit_chain_init(&chain, WEIR_TOPIC_AUDIT, 0, 0);
    assert_int_equal(audit_table_load(audit_db, &chain, NULL), WEIR_OK);
    audit_batch_init(&first, 10);
    audit_batch_init(&second, 10);
    audit_batch_start(&first, &chain);
    audit_batch_start(&second, &chain);
    take(&first, 10);
    take(&second, 10);
    take(&second, 11);
    assert_int_equal(audit_table_store(audit_db, &first, NULL), WEIR_OK);
    assert_int_equal(audit_table_store(audit_db, &second, NULL), WEIR_ESTALE);
    assert_int_equal(audit_table_store(audit_db, &first, NULL), WEIR_ESTALE);
    assert_int_equal(number(operator_db, NULL, "SELECT count(*) FROM audit_record"), 11);
    struct weir_err err;
    assert_int_equal(verify(&err), WEIR_OK);
    audit_batch_done(&first);
    audit_batch_done(&second);
}

static void a_tenant_reads_its_own_rows_only_and_changes_none(void **state)
{
    (void)state;
    struct weir_db *api = open_as("weir_api");
    struct weir_id a = {.b = {[15] = 0x0a}};
    struct weir_id b = {.b = {[15] = 0x0b}};
    const char *sql = "SELECT count(*) FROM audit_event";
    assert_int_equal(number(api, &a, sql), 8);
    assert_int_equal(number(api, &b, sql), 0);
    assert_int_equal(number(api, NULL, sql), 0);
    static const char *const refused[] = {
        "UPDATE audit_event SET reason = 'x'", "DELETE FROM audit_event",
        "INSERT INTO audit_event (topic) VALUES ('x')", "SELECT 1 FROM audit_record",
        "SELECT 1 FROM audit_offset"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct weir_db_tx *tx = NULL;
        assert_int_equal(weir_db_begin(api, &a, &tx, NULL), WEIR_OK);
        assert_int_equal(weir_db_exec(tx, refused[i], NULL, 0, NULL, NULL, NULL), WEIR_EFORBIDDEN);
        weir_db_end(&tx);
    }
    weir_db_close(&api);
}

static bool is_planned_by(struct weir_db *db, const struct weir_id *tenant, const char *sql,
                          const char *index)
{
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_db_tx *tx = NULL;
    struct weir_db_rows *rows = NULL;
    bool is_found = false;
    bool is_sorted = false;
    const char *params[] = {NULL, "00000000-0000-4000-8000-00000000000c"};
    assert_int_equal(weir_db_begin(db, tenant, &tx, NULL), WEIR_OK);
    /* The table is small: without this it is read from end to end. */
    assert_int_equal(
        weir_db_script(tx, "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off",
                       NULL),
        WEIR_OK);
    assert_int_equal(weir_db_exec(tx, sql, params, 2, arena, &rows, NULL), WEIR_OK);
    for (size_t i = 0; i < weir_db_count(rows); i++) {
        is_found = is_found || strstr(weir_db_text(rows, i, 0), index);
        is_sorted = is_sorted || strstr(weir_db_text(rows, i, 0), "Sort");
    }
    weir_db_end(&tx);
    weir_arena_free(arena);
    return is_found && !is_sorted;
}

/* As api/reports.c asks. */
#define PAGE_OF_CAMERA                                                                             \
    "EXPLAIN SELECT * FROM audit_event WHERE ($1::text IS NULL OR id < $1)"                        \
    " AND ($2::uuid IS NULL OR camera_id = $2::uuid) ORDER BY recorded_at DESC, id DESC LIMIT 50"

static void a_page_of_one_camera_has_an_index(void **state)
{
    (void)state;
    struct weir_db *api = open_as("weir_api");
    struct weir_id a = {.b = {[15] = 0x0a}};
    script("INSERT INTO audit_event (topic, part, off, n, recorded_at, is_void, tenant_id, at,"
           " event_id, type, camera_id) SELECT 'weir.audit.v1', 1, i, 0, now(), false,"
           " '" TENANT_A "', now(), '" TENANT_A "', 'decision', gen_random_uuid()"
           " FROM generate_series(1, 2000) AS i; ANALYZE audit_event");
    assert_true(is_planned_by(api, &a, PAGE_OF_CAMERA, "audit_event_camera"));
    weir_db_close(&api);
}

static void the_daemons_role_cannot_change_what_it_wrote(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "UPDATE audit_event SET reason = 'x'", "SELECT reason FROM audit_event",
        "UPDATE audit_record SET raw = ''", "DELETE FROM audit_offset", "TRUNCATE audit_record"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct weir_db_tx *tx = NULL;
        assert_int_equal(weir_db_begin(audit_db, NULL, &tx, NULL), WEIR_OK);
        assert_int_equal(weir_db_exec(tx, refused[i], NULL, 0, NULL, NULL, NULL), WEIR_EFORBIDDEN);
        weir_db_end(&tx);
    }
}

static void the_daemons_role_cannot_delete_what_is_young(void **state)
{
    (void)state;
    script("UPDATE audit_record SET recorded_at = now() - interval '11 hours';"
           "UPDATE audit_event SET recorded_at = now() - interval '11 hours'");
    static const char *const deeds[] = {"DELETE FROM audit_event", "DELETE FROM audit_record"};
    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        struct weir_db_tx *tx = NULL;
        assert_int_equal(weir_db_begin(audit_db, NULL, &tx, NULL), WEIR_OK);
        assert_int_equal(weir_db_exec(tx, deeds[i], NULL, 0, NULL, NULL, NULL), WEIR_OK);
        assert_int_equal(weir_db_commit(&tx, NULL), WEIR_OK);
    }
    struct weir_err err;
    assert_int_equal(verify(&err), WEIR_OK);
}

static void a_flipped_byte_is_found(void **state)
{
    (void)state;
    script("UPDATE audit_record SET raw = set_byte(raw, 5, get_byte(raw, 5) # 1) WHERE off = 6");
    assert_found("record 6: its bytes");
}

static void a_dropped_record_is_found(void **state)
{
    (void)state;
    script("DELETE FROM audit_record WHERE off = 6");
    assert_found("record 6: is missing");
}

static void two_swapped_records_are_found(void **state)
{
    (void)state;
    script("UPDATE audit_record SET off = 100 WHERE off = 6;"
           "UPDATE audit_record SET off = 6 WHERE off = 7;"
           "UPDATE audit_record SET off = 7 WHERE off = 100");
    assert_found("record 6: its bytes");
}

static void a_cut_end_is_found(void **state)
{
    (void)state;
    script("DELETE FROM audit_event WHERE off >= 7; DELETE FROM audit_record WHERE off >= 7");
    assert_found("record 7: is missing, and all after it");
}

static void a_cut_end_with_a_forged_offset_is_found_by_the_head(void **state)
{
    (void)state;
    script("DELETE FROM audit_event WHERE off >= 7; DELETE FROM audit_record WHERE off >= 7;"
           "UPDATE audit_offset SET next_off = 7");
    assert_found("record 7: is not where");
}

static void a_tenants_row_that_was_changed_dropped_or_added_is_found(void **state)
{
    (void)state;
    script("UPDATE audit_event SET action = 'camera.delete' WHERE off = 2");
    assert_found("record 2: row 0 of audit_event differs in action");
    script("UPDATE audit_event SET action = 'camera.create' WHERE off = 2;"
           "UPDATE audit_event SET at = at + interval '1 ms' WHERE off = 3");
    assert_found("record 3: row 0 of audit_event differs in at");
    script("DELETE FROM audit_event WHERE off = 3");
    assert_found("record 3: row 0 of audit_event is missing");
    fill(state);
    script("INSERT INTO audit_event (topic, part, off, n, recorded_at, is_void, tenant_id, at,"
           " event_id, type) VALUES ('weir.audit.v1', 0, 4, 0, now(), false, '" TENANT_A "', now(),"
           " '" TENANT_A "', 'decision')");
    assert_found("record 4: audit_event has a row too many");
}

/* A chain of facts 0 to 9, the even ones of a camera's picture, instead of the other. */
static void fill_facts(void)
{
    script("TRUNCATE audit_record, audit_event, audit_offset");
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_audit_chain chain;
    struct audit_batch batch;
    weir_audit_chain_init(&chain, WEIR_TOPIC_FACTS, 0, 0);
    assert_int_equal(audit_table_begin(audit_db, &chain, NULL), WEIR_OK);
    audit_batch_init(&batch, 100);
    audit_batch_start(&batch, &chain);
    for (int64_t offset = 0; offset < 10; offset++) {
        struct weir_event event = {.type =
                                       offset % 2 ? WEIR_EV_FACT_STILL_WATCHED : WEIR_EV_FACT_CLOCK,
                                   .id = {.b = {1}},
                                   .source = "/weir/worker/0",
                                   .subject = "x"};
        if (offset % 2 == 0)
            event.u.fact_clock.jumps = offset + 1;
        struct weir_bus_message message = {
            .topic = WEIR_TOPIC_FACTS, .offset = offset, .timestamp_ms = 1700000000000 + offset};
        const char *bytes;
        assert_int_equal(weir_ev_dump(&event, arena, &bytes, &message.value_len, NULL), WEIR_OK);
        message.value = bytes;
        assert_int_equal(audit_batch_take(&batch, &message, 0, NULL), WEIR_OK);
        /* Batches of which nothing is stored but how far they go, too. */
        if (offset % 4 < 2)
            continue;
        assert_int_equal(audit_table_store(audit_db, &batch, NULL), WEIR_OK);
        audit_batch_stored(&batch);
    }
    assert_int_equal(audit_table_store(audit_db, &batch, NULL), WEIR_OK);
    audit_batch_done(&batch);
    weir_arena_free(arena);
}

static void facts_that_are_not_kept_leave_no_hole_in_the_chain(void **state)
{
    (void)state;
    struct weir_err err;
    fill_facts();
    if (verify(&err) != WEIR_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(number(operator_db, NULL, "SELECT count(*) FROM audit_record"), 5);
    assert_int_equal(number(operator_db, NULL, "SELECT next_off FROM audit_offset"), 10);
    script("DELETE FROM audit_event WHERE off = 4; DELETE FROM audit_record WHERE off = 4");
    assert_found("record 6: its bytes");
    fill_facts();
    script("DELETE FROM audit_event WHERE off = 8; DELETE FROM audit_record WHERE off = 8");
    assert_found("record 10: is not where");
    fill_facts();
    script("UPDATE audit_record SET off = 5 WHERE off = 6; UPDATE audit_event SET off = 5"
           " WHERE off = 6");
    assert_found("record 5: its bytes");
    fill_facts();
    script("INSERT INTO audit_record SELECT topic, part, 5, recorded_at, verdict, parse_error,"
           " '{}', hash FROM audit_record WHERE off = 6");
    assert_found("record 5: is none that is kept");
}

static void records_without_a_chain_are_found(void **state)
{
    (void)state;
    script("DELETE FROM audit_offset");
    assert_found("without a row in audit_offset");
}

static int start(void **state)
{
    (void)state;
    postgres = audit_db_open();
    operator_db = open_as("postgres");
    audit_db = open_as("weir_audit");
    return 0;
}

static int end(void **state)
{
    (void)state;
    weir_db_close(&operator_db);
    weir_db_close(&audit_db);
    postgres_double_close(&postgres);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, fill)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_stored_verifies_and_loads_where_it_ended),
        TEST(a_batch_for_another_state_of_the_chain_writes_nothing),
        TEST(a_tenant_reads_its_own_rows_only_and_changes_none),
        TEST(a_page_of_one_camera_has_an_index),
        TEST(the_daemons_role_cannot_change_what_it_wrote),
        TEST(the_daemons_role_cannot_delete_what_is_young),
        TEST(a_flipped_byte_is_found),
        TEST(a_dropped_record_is_found),
        TEST(two_swapped_records_are_found),
        TEST(a_cut_end_is_found),
        TEST(a_cut_end_with_a_forged_offset_is_found_by_the_head),
        TEST(a_tenants_row_that_was_changed_dropped_or_added_is_found),
        TEST(facts_that_are_not_kept_leave_no_hole_in_the_chain),
        TEST(records_without_a_chain_are_found),
    };
    return cmocka_run_group_tests(tests, start, end);
}
