/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept for so long and no longer, on a real Postgres. */
#include "audit/prune.h"

#include <stdio.h>
#include <string.h>

#include "audit/table.h"
#include "lib/base/clock.h"
#include "lib/domain/events.h"
#include "tests/unit/audit/audit_db.h"
#include "tests/unit/check.h"

#define DAY_MS   86400000
#define TENANT_A "00000000-0000-0000-0000-00000000000a"
#define TENANT_B "00000000-0000-0000-0000-00000000000b"
#define TENANT_C "00000000-0000-0000-0000-00000000000c"

#define RECORDS "SELECT count(*) FROM audit_record"
#define EVENTS  "SELECT count(*) FROM audit_event"
#define FIRST   "SELECT first_off FROM audit_offset WHERE first_off < next_off"

static struct postgres_double *postgres;
static struct weir_db *audit_db; /* as the daemon */
static struct audit_settings settings;
static struct audit_batch batch;
static int64_t now_ms;

static int64_t number(const char *sql)
{
    return audit_db_number(postgres, sql);
}

static void script(const char *sql)
{
    audit_db_script(postgres, sql);
}

/* A whole round; returns how many rows went. */
static int64_t prune(struct weir_err *err, enum weir_code *ret_code)
{
    struct audit_pruner pruner = {0};
    int64_t all = 0;
    *ret_code = WEIR_OK;
    for (int64_t now = 1; pruner.due_mono_ms <= now; now += AUDIT_PRUNE_PAUSE_MS) {
        int64_t n = 0;
        enum weir_code code = audit_prune(&pruner, audit_db, &settings, now, &n, err);
        *ret_code = code == WEIR_OK ? *ret_code : code;
        all += n;
    }
    return all;
}

static void assert_pruned(int64_t n)
{
    struct weir_err err = {0};
    enum weir_code code;
    int64_t gone = prune(&err, &code);
    ASSERT_OK(code, &err);
    assert_int_equal(gone, n);
}

static void assert_intact(void)
{
    struct weir_err err;
    ASSERT_OK(audit_db_verify(postgres, &err), &err);
}

static void begin_chain(const char *topic)
{
    struct weir_audit_chain chain;
    weir_audit_chain_init(&chain, topic, 5, 0);
    assert_int_equal(audit_table_begin(audit_db, &chain, NULL), WEIR_OK);
    audit_batch_start(&batch, &chain);
}

/* The next record, so many days old. */
static void store(struct weir_event *event, int64_t days)
{
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_err err = {0};
    const char *bytes = "{not an event";
    size_t len = strlen(bytes);
    if (event) {
        event->id = (struct weir_id){.b = {1}};
        strcpy(event->source, "/weir/test/0");
        strcpy(event->subject, "x");
        ASSERT_OK(weir_ev_dump(event, arena, &bytes, &len, &err), &err);
    }
    struct weir_bus_message message = {.topic = batch.before.topic,
                                       .partition = 5,
                                       .offset = batch.after.next,
                                       .timestamp_ms = now_ms - days * DAY_MS - 1,
                                       .value = bytes,
                                       .value_len = len};
    ASSERT_OK(audit_batch_take(&batch, &message, 0, &err), &err);
    ASSERT_OK(audit_table_store(audit_db, &batch, &err), &err);
    audit_batch_stored(&batch);
    weir_arena_free(arena);
}

static void access(int64_t days)
{
    struct weir_event event = {.type = WEIR_EV_AUDIT_ACCESS};
    event.u.audit_access =
        (struct weir_ev_audit_access){.tenant_id = {.b = {[15] = 0x0a}},
                                      .actor = "a",
                                      .action = "camera.create",
                                      .object_type = "camera",
                                      .outcome = WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED,
                                      .request_id = "r-1"};
    store(&event, days);
}

static void decide(uint8_t instance, int64_t epoch, enum weir_ev_decision_kind kind, int64_t days)
{
    struct weir_event event = {.type = WEIR_EV_DECISION};
    event.u.decision = (struct weir_ev_decision){
        .instance = {.b = {instance}}, .epoch = epoch, .kind = kind, .reason = "requested"};
    store(&event, days);
}

static void an_old_record_goes_with_its_rows_and_the_chain_still_verifies(void **state)
{
    (void)state;
    begin_chain(WEIR_TOPIC_AUDIT);
    access(30);
    store(NULL, 20);
    access(11);
    access(9);
    access(0);
    assert_pruned(3);
    assert_int_equal(number(RECORDS), 2);
    assert_int_equal(number(EVENTS), 2);
    assert_int_equal(number(FIRST), 3);
    assert_intact();
    /* What is stored next, by one that loads the chain anew, goes on from there. */
    struct weir_audit_chain chain = batch.before;
    assert_int_equal(audit_table_load(audit_db, &chain, NULL), WEIR_OK);
    assert_int_equal(chain.next, 5);
    audit_batch_start(&batch, &chain);
    access(0);
    assert_intact();
    assert_pruned(0);
}

static void a_chain_whose_records_all_went_goes_on(void **state)
{
    (void)state;
    begin_chain(WEIR_TOPIC_AUDIT);
    access(30);
    access(20);
    assert_pruned(2);
    assert_int_equal(number(RECORDS), 0);
    assert_intact();
    access(15);
    access(0);
    assert_intact();
    assert_pruned(1);
    assert_intact();
    script("UPDATE audit_record SET raw = ''");
    struct weir_err err;
    assert_int_equal(audit_db_verify(postgres, &err), WEIR_ECORRUPT);
}

static void more_than_a_batch_goes_in_several(void **state)
{
    (void)state;
    begin_chain(WEIR_TOPIC_AUDIT);
    access(30);
    /* As many as two batches of others, each hashed on the one before. */
    script("DO $$ DECLARE h bytea; n bigint; BEGIN SELECT head INTO h FROM audit_offset;"
           " FOR n IN 1..2000 LOOP"
           "  h := sha256(h || convert_to('weir.audit.v1:5:' || n || ':', 'UTF8') || 'x');"
           "  INSERT INTO audit_record VALUES ('weir.audit.v1', 5, n, now() - interval '20 days',"
           "   'unreadable', 'x', 'x', h);"
           " END LOOP; UPDATE audit_offset SET head = h, next_off = 2001; END $$");
    struct audit_pruner pruner = {0};
    struct weir_err err = {0};
    int64_t n = 0;
    pruner.job = WEIR_TOPIC_PARTITIONS + 5;
    ASSERT_OK(audit_prune(&pruner, audit_db, &settings, 7, &n, &err), &err);
    assert_int_equal(n, AUDIT_PRUNE_BATCH);
    assert_false(audit_pruner_is_due(&pruner, 8));
    assert_true(audit_pruner_is_due(&pruner, 7 + AUDIT_PRUNE_PAUSE_MS));
    assert_int_equal(number(RECORDS), 2001 - AUDIT_PRUNE_BATCH);
    assert_pruned(2001 - AUDIT_PRUNE_BATCH);
    assert_int_equal(number(RECORDS), 0);
}

static void decisions_are_judged_as_if_the_old_ones_were_there(void **state)
{
    (void)state;
    enum weir_ev_decision_kind timer = WEIR_EV_DECISION_KIND_TIMER;
    enum weir_ev_decision_kind takeover = WEIR_EV_DECISION_KIND_TAKEOVER;
    begin_chain(WEIR_TOPIC_DECISIONS);
    decide(1, -1, takeover, 30);
    decide(1, 0, timer, 30);
    decide(2, 0, timer, 30);     /* void: another instance */
    decide(1, -1, takeover, 30); /* a second leader, whose takeover goes too */
    decide(1, 0, timer, 0);      /* void: of the first */
    decide(2, 3, timer, 0);      /* void */
    decide(1, 3, timer, 0);
    assert_int_equal(number(RECORDS " WHERE verdict = 'void'"), 3);
    assert_pruned(4);
    assert_int_equal(number(RECORDS " WHERE verdict = 'void'"), 2);
    assert_intact();
    decide(1, 3, timer, 0);
    assert_intact();
}

static void facts_have_an_age_of_their_own_and_holes(void **state)
{
    (void)state;
    settings.keep_facts_days = 3;
    begin_chain(WEIR_TOPIC_FACTS);
    for (int i = 0; i < 9; i++) {
        struct weir_event event = {.type =
                                       i % 3 ? WEIR_EV_FACT_STILL_WATCHED : WEIR_EV_FACT_HEALTH};
        store(&event, i < 6 ? 5 : 0);
    }
    assert_int_equal(number(RECORDS), 3);
    assert_pruned(2);
    assert_int_equal(number(FIRST), 4);
    assert_intact();
}

static void zero_days_are_for_ever_and_a_day_is_the_least(void **state)
{
    (void)state;
    begin_chain(WEIR_TOPIC_AUDIT);
    access(30);
    settings.keep_days = 0;
    assert_pruned(0);
    assert_int_equal(number(RECORDS), 1);
    script("UPDATE audit_record SET recorded_at = now() - interval '23 hours'");
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_db_tx *tx = NULL;
    struct weir_db_rows *rows = NULL;
    assert_int_equal(weir_db_begin(audit_db, NULL, &tx, NULL), WEIR_OK);
    assert_int_equal(weir_db_exec(tx,
                                  "SELECT audit_prune_chain('weir.audit.v1', 5, interval '0', 9)",
                                  NULL, 0, arena, &rows, NULL),
                     WEIR_OK);
    assert_int_equal(weir_db_int(rows, 0, 0), 0);
    weir_db_end(&tx);
    weir_arena_free(arena);
}

static void what_was_tampered_with_stays_for_evidence(void **state)
{
    (void)state;
    static const char *const deeds[] = {"UPDATE audit_record SET raw = '{}' WHERE off = 1",
                                        "DELETE FROM audit_record WHERE off = 1",
                                        "UPDATE audit_offset SET start_head = sha256('')"};
    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        script("TRUNCATE audit_record, audit_event, audit_offset");
        begin_chain(WEIR_TOPIC_AUDIT);
        access(30);
        access(30);
        access(30);
        script(deeds[i]);
        int64_t before = number(RECORDS);
        struct weir_err err = {0};
        enum weir_code code;
        assert_int_equal(prune(&err, &code), 0);
        assert_int_equal(code, WEIR_ECORRUPT);
        assert_non_null(strstr(err.msg, "weir.audit.v1/5"));
        assert_int_equal(number(RECORDS), before);
    }
}

/* ---- viewings ---- */

#define VIEWING(tenant, id, days)                                                                  \
    "INSERT INTO viewing VALUES ('" tenant "', '" id "', '" id "', '" id "', '" id                 \
    "', 'cdn', '" id "', now() - interval '99 days', now() - interval '" days "', 1, 1);"          \
    "INSERT INTO viewer VALUES ('" tenant "', '" id "', '" id "', now() - interval '" days "');"   \
    "INSERT INTO viewing_part VALUES ('" tenant "', '" id "', '" id                                \
    "', 1, 1, now() - interval '" days "');"
#define ID_1 "11111111-0000-4000-8000-000000000000"
#define ID_2 "22222222-0000-4000-8000-000000000000"
#define ID_3 "33333333-0000-4000-8000-000000000000"

static void viewings_and_viewers_go_by_their_age_and_parts_when_none_comes_any_more(void **state)
{
    (void)state;
    script(VIEWING(TENANT_A, ID_1, "11 days") VIEWING(TENANT_A, ID_2, "9 days"));
    assert_pruned(1);
    assert_int_equal(number("SELECT count(*) FROM viewing WHERE id = '" ID_2 "'"), 1);
    assert_int_equal(number("SELECT count(*) FROM viewing"), 1);
    assert_int_equal(number("SELECT count(*) FROM viewer"), 1);
    /* Its records may be read again. */
    assert_int_equal(number("SELECT count(*) FROM viewing_part"), 2);
    script("INSERT INTO viewing_part VALUES ('" TENANT_A "', '" ID_3 "', '" ID_1 "', 1, 1,"
           " now() - interval '31 days')");
    settings.keep_viewings_days = 0;
    assert_pruned(1);
    assert_int_equal(number("SELECT count(*) FROM viewing_part WHERE id <> '" ID_3 "'"), 2);
    assert_int_equal(number("SELECT count(*) FROM viewing"), 1);
}

static void a_part_that_is_told_of_and_a_viewer_who_comes_again_are_young(void **state)
{
    (void)state;
    script(VIEWING(TENANT_A, ID_1, "31 days"));
    script("UPDATE viewing SET last_seen_at = now();"
           "UPDATE viewing_part SET segments = 2");
    begin_chain(WEIR_TOPIC_AUDIT);
    struct weir_event event = {.type = WEIR_EV_AUDIT_ACCESS};
    event.u.audit_access =
        (struct weir_ev_audit_access){.tenant_id = {.b = {[15] = 0x0a}},
                                      .actor = ID_1,
                                      .action = "ticket.create",
                                      .object_type = "stream",
                                      .outcome = WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED,
                                      .request_id = "r-1"};
    store(&event, 0);
    script("UPDATE viewer SET seen_at = now() - interval '31 days' WHERE subject = '" ID_1 "'");
    store(&event, 0);
    assert_pruned(0);
    assert_int_equal(number("SELECT count(*) FROM viewing_part"), 1);
    assert_int_equal(number("SELECT count(*) FROM viewer WHERE seen_at > now() - interval '1 h'"),
                     1);
}

static void delete_tenant(uint8_t last_byte, enum weir_ev_audit_access_outcome outcome)
{
    struct weir_event event = {.type = WEIR_EV_AUDIT_ACCESS, .time_ms = now_ms};
    event.u.audit_access = (struct weir_ev_audit_access){.tenant_id = {.b = {[15] = last_byte}},
                                                         .actor = "platform",
                                                         .action = "tenant.delete",
                                                         .object_type = "tenant",
                                                         .outcome = outcome,
                                                         .request_id = "r-1"};
    store(&event, 0);
}

static void what_is_of_a_deleted_tenant_goes(void **state)
{
    (void)state;
    script(VIEWING(TENANT_B, ID_1, "1 hour") VIEWING(TENANT_A, ID_2, "1 hour")
               VIEWING(TENANT_C, ID_3, "1 hour"));
    begin_chain(WEIR_TOPIC_AUDIT);
    delete_tenant(0x0b, WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED);
    delete_tenant(0x0c, WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED);
    delete_tenant(0x0b, WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED);
    delete_tenant(0x0a, WEIR_EV_AUDIT_ACCESS_OUTCOME_DENIED);
    assert_pruned(4);
    assert_int_equal(number("SELECT count(*) FROM viewing WHERE tenant_id = '" TENANT_A "'"), 1);
    assert_int_equal(
        number("SELECT (SELECT count(*) FROM viewing) + (SELECT count(*) FROM viewer)"), 2);
    /* One that was made anew with the same id keeps what is its own. */
    script("INSERT INTO viewing VALUES ('" TENANT_B "', '" ID_1 "', '" ID_1 "', '" ID_1 "', '" ID_1
           "', 'cdn', '" ID_1 "', now() + interval '1 hour', now() + interval '1 hour', 1, 1)");
    assert_pruned(0);
    script("UPDATE viewing_gone SET gone_at = now() - interval '31 days'");
    assert_pruned(0);
    assert_int_equal(number("SELECT count(*) FROM viewing_gone"), 0);
}

static int begin(void **state)
{
    (void)state;
    script("TRUNCATE audit_record, audit_event, audit_offset, viewing, viewing_part, viewer,"
           " viewing_gone");
    settings =
        (struct audit_settings){.keep_days = 10, .keep_facts_days = 10, .keep_viewings_days = 10};
    now_ms = weir_clock_wall_ms();
    return 0;
}

static int start(void **state)
{
    (void)state;
    postgres = audit_db_open();
    struct weir_db_config config = {.url = postgres_double_url(postgres, "weir_audit"),
                                    .connections = 1};
    assert_int_equal(weir_db_open(&config, &audit_db, NULL), WEIR_OK);
    audit_batch_init(&batch, 10);
    return 0;
}

static int end(void **state)
{
    (void)state;
    audit_batch_done(&batch);
    weir_db_close(&audit_db);
    postgres_double_close(&postgres);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_old_record_goes_with_its_rows_and_the_chain_still_verifies),
        TEST(a_chain_whose_records_all_went_goes_on),
        TEST(more_than_a_batch_goes_in_several),
        TEST(decisions_are_judged_as_if_the_old_ones_were_there),
        TEST(facts_have_an_age_of_their_own_and_holes),
        TEST(zero_days_are_for_ever_and_a_day_is_the_least),
        TEST(what_was_tampered_with_stays_for_evidence),
        TEST(viewings_and_viewers_go_by_their_age_and_parts_when_none_comes_any_more),
        TEST(a_part_that_is_told_of_and_a_viewer_who_comes_again_are_young),
        TEST(what_is_of_a_deleted_tenant_goes),
    };
    return cmocka_run_group_tests(tests, start, end);
}
