/* SPDX-License-Identifier: Apache-2.0 */
/* Records of what doors counted, folded into sessions on a real Postgres. */
#include "audit/viewings.h"

#include <stdio.h>
#include <string.h>

#include "audit/table.h"
#include "lib/base/str.h"
#include "lib/domain/events.h"
#include "lib/domain/pseudonym.h"
#include "tests/unit/audit/audit_db.h"
#include "tests/unit/check.h"

#define T0       1700000000000 /* 2023-11-14T22:13:20Z */
#define ANNA     ((struct weir_id){.b = {0xaa}})
#define BEN      ((struct weir_id){.b = {0xbb}})
#define TENANT_A ((struct weir_id){.b = {[15] = 0x0a}})
#define TENANT_B ((struct weir_id){.b = {[15] = 0x0b}})

static struct postgres_double *postgres;
static struct weir_db *audit_db; /* as the daemon */
static struct audit_batch batch;
static int64_t next;

static int64_t number(const char *sql)
{
    return audit_db_number(postgres, sql);
}

static void take(struct weir_event *event)
{
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_err err = {0};
    const char *bytes;
    size_t len;
    event->id = (struct weir_id){.b = {1}};
    event->time_ms = T0;
    strcpy(event->source, "/weir/api/0");
    strcpy(event->subject, "x");
    ASSERT_OK(weir_ev_dump(event, arena, &bytes, &len, &err), &err);
    struct weir_bus_message message = {.topic = WEIR_TOPIC_AUDIT,
                                       .offset = next++,
                                       .timestamp_ms = T0,
                                       .value = bytes,
                                       .value_len = len};
    ASSERT_OK(audit_batch_take(&batch, &message, 0, &err), &err);
    weir_arena_free(arena);
}

/* Part `part` (a byte) of Anna's watching through the gateway, from and to in s since T0. */
static struct weir_ev_audit_viewing viewing(uint8_t part, int64_t from_s, int64_t to_s,
                                            int64_t segments)
{
    return (struct weir_ev_audit_viewing){.tenant_id = TENANT_A,
                                          .viewer_id = ANNA,
                                          .camera_id = {.b = {0xc0}},
                                          .stream_id = {.b = {0x50}},
                                          .part_id = {.b = {part}},
                                          .ticket_id = {.b = {0x70, part}},
                                          .started_ms = T0 + from_s * 1000,
                                          .seen_ms = T0 + to_s * 1000,
                                          .segments = segments,
                                          .bytes = segments * 1000};
}

static void say(struct weir_ev_audit_viewing record)
{
    struct weir_event event = {.type = WEIR_EV_AUDIT_VIEWING};
    event.u.audit_viewing = record;
    take(&event);
}

static void store(void)
{
    struct weir_err err = {0};
    ASSERT_OK(audit_table_store(audit_db, &batch, &err), &err);
    audit_batch_stored(&batch);
}

static int begin(void **state)
{
    (void)state;
    audit_db_script(postgres, "TRUNCATE audit_record, audit_event, audit_offset, viewing,"
                              " viewing_part, viewer");
    struct weir_audit_chain chain;
    weir_audit_chain_init(&chain, WEIR_TOPIC_AUDIT, 0, 0);
    assert_int_equal(audit_table_begin(audit_db, &chain, NULL), WEIR_OK);
    audit_batch_start(&batch, &chain);
    next = 0;
    return 0;
}

static void assert_sessions(int64_t n)
{
    assert_int_equal(number("SELECT count(*) FROM viewing"), n);
}

/* Of the only session: from and to in s since T0, and what it counts. */
static void assert_session(int64_t from_s, int64_t to_s, int64_t segments)
{
    assert_sessions(1);
    assert_int_equal(number("SELECT extract(epoch FROM started_at)::bigint FROM viewing"),
                     T0 / 1000 + from_s);
    assert_int_equal(number("SELECT extract(epoch FROM last_seen_at)::bigint FROM viewing"),
                     T0 / 1000 + to_s);
    assert_int_equal(number("SELECT segments FROM viewing"), segments);
    assert_int_equal(number("SELECT bytes FROM viewing"), segments * 1000);
}

static void what_goes_on_is_one_session(void **state)
{
    (void)state;
    say(viewing(1, 0, 0, 1));
    store();
    assert_session(0, 0, 1);
    say(viewing(1, 0, 30, 30));
    say(viewing(1, 0, 60, 61));
    store();
    assert_session(0, 60, 61);
}

static void records_that_come_twice_or_late_change_nothing(void **state)
{
    (void)state;
    say(viewing(1, 0, 40, 40));
    say(viewing(1, 0, 10, 10));
    say(viewing(1, 0, 40, 40));
    store();
    say(viewing(1, 0, 0, 1));
    say(viewing(1, 0, 40, 40));
    store();
    assert_session(0, 40, 40);
}

static void parts_of_several_doors_or_lives_add_up(void **state)
{
    (void)state;
    say(viewing(2, 30, 50, 5)); /* of another process, told first */
    say(viewing(1, 0, 20, 20));
    say(viewing(3, 110, 120, 7)); /* a minute's pause is none */
    store();
    assert_session(0, 120, 32);
    say(viewing(1, 0, 25, 24));
    store();
    assert_session(0, 120, 36);
}

static void a_longer_pause_begins_another(void **state)
{
    (void)state;
    say(viewing(1, 0, 20, 20));
    say(viewing(2, 81, 90, 9));
    store();
    assert_sessions(2);
    say(viewing(1, 0, 21, 21)); /* what is late goes to its own */
    store();
    assert_sessions(2);
    assert_int_equal(number("SELECT segments FROM viewing ORDER BY started_at LIMIT 1"), 21);
    assert_int_equal(number("SELECT segments FROM viewing ORDER BY started_at DESC LIMIT 1"), 9);
}

static void others_have_their_own(void **state)
{
    (void)state;
    struct weir_ev_audit_viewing other = viewing(1, 0, 10, 1);
    say(other);
    other.part_id.b[1] = 1;
    other.viewer_id = BEN;
    say(other);
    other.part_id.b[1] = 2;
    other.stream_id.b[1] = 1;
    say(other);
    other.part_id.b[1] = 3;
    other.door = WEIR_EV_AUDIT_VIEWING_DOOR_CDN;
    say(other);
    other = viewing(1, 0, 10, 1); /* the same ids, even the part's */
    other.tenant_id = TENANT_B;
    say(other);
    store();
    assert_sessions(5);
    assert_int_equal(number("SELECT count(*) FROM viewing WHERE segments = 1"), 5);
}

static void a_record_of_any_numbers_is_got_past(void **state)
{
    (void)state;
    struct weir_ev_audit_viewing most = viewing(1, 0, 0, 0);
    most.segments = most.bytes = most.started_ms = ((int64_t)1 << 53) - 1;
    most.seen_ms = 0;
    for (uint8_t part = 1; part <= 3; part++) {
        most.part_id.b[0] = part;
        say(most);
    }
    store();
    assert_sessions(1);
    assert_int_equal(number("SELECT bytes FROM viewing"), ((int64_t)1 << 53) - 1);
}

static void ask_for_ticket(const char *actor, enum weir_ev_audit_access_outcome outcome)
{
    struct weir_event event = {.type = WEIR_EV_AUDIT_ACCESS};
    event.u.audit_access = (struct weir_ev_audit_access){.tenant_id = TENANT_A,
                                                         .action = "ticket.create",
                                                         .object_type = "stream",
                                                         .outcome = outcome,
                                                         .request_id = "r"};
    WEIR_STR_SET(event.u.audit_access.actor, actor);
    take(&event);
}

static void whose_pseudonym_it_is_is_known_from_his_ticket(void **state)
{
    (void)state;
    const char *subject = "0f000000-0000-4000-8000-000000000001";
    ask_for_ticket(subject, WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED);
    ask_for_ticket(subject, WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED);
    ask_for_ticket("0f000000-0000-4000-8000-000000000002", WEIR_EV_AUDIT_ACCESS_OUTCOME_DENIED);
    ask_for_ticket("a service", WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED);
    store();
    ask_for_ticket(subject, WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED);
    store();
    assert_int_equal(number("SELECT count(*) FROM viewer"), 1);
    struct weir_id id;
    char sql[256];
    assert_int_equal(weir_id_parse(subject, 36, &id, NULL), WEIR_OK);
    struct weir_id tenant = TENANT_A;
    struct weir_id viewer = weir_pseudonym(&weir_space_viewer, &tenant, &id);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM viewer WHERE id = '%s' AND subject = '%s'",
             WEIR_ID_TEXT(&viewer), subject);
    assert_int_equal(number(sql), 1);
}

static void a_batch_for_another_state_of_the_chain_counts_nothing(void **state)
{
    (void)state;
    say(viewing(1, 0, 10, 10));
    audit_db_script(postgres, "UPDATE audit_offset SET next_off = 5");
    assert_int_equal(audit_table_store(audit_db, &batch, NULL), WEIR_ESTALE);
    assert_sessions(0);
}

static int64_t seen_by(const struct weir_id *tenant, const char *role, const char *sql)
{
    struct weir_db *db = NULL;
    struct weir_db_config config = {.url = postgres_double_url(postgres, role), .connections = 1};
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_db_tx *tx = NULL;
    struct weir_db_rows *rows = NULL;
    int64_t found = -1;
    assert_int_equal(weir_db_open(&config, &db, NULL), WEIR_OK);
    assert_int_equal(weir_db_begin(db, tenant, &tx, NULL), WEIR_OK);
    if (weir_db_exec(tx, sql, NULL, 0, arena, &rows, NULL) == WEIR_OK)
        found = weir_db_int(rows, 0, 0);
    weir_db_end(&tx);
    weir_arena_free(arena);
    weir_db_close(&db);
    return found;
}

static void a_tenant_sees_its_own_and_nobody_changes_who_it_was(void **state)
{
    (void)state;
    struct weir_ev_audit_viewing of_b = viewing(1, 0, 10, 1);
    of_b.tenant_id = TENANT_B;
    say(viewing(1, 0, 10, 1));
    say(viewing(2, 100, 110, 1));
    say(of_b);
    store();
    const char *count = "SELECT count(*) FROM viewing";
    assert_int_equal(seen_by(&TENANT_A, "weir_api", count), 2);
    assert_int_equal(seen_by(&TENANT_B, "weir_api", count), 1);
    assert_int_equal(seen_by(NULL, "weir_api", count), 0);
    assert_int_equal(seen_by(&TENANT_A, "weir_api",
                             "WITH d AS (DELETE FROM viewing RETURNING 1) SELECT count(*) FROM d"),
                     -1);
    assert_int_equal(seen_by(NULL, "weir_audit",
                             "WITH u AS (UPDATE viewing SET viewer_id = tenant_id RETURNING 1)"
                             " SELECT count(*) FROM u"),
                     -1);
}

static int start(void **state)
{
    (void)state;
    postgres = audit_db_open();
    struct weir_db_config config = {.url = postgres_double_url(postgres, "weir_audit"),
                                    .connections = 2};
    assert_int_equal(weir_db_open(&config, &audit_db, NULL), WEIR_OK);
    audit_batch_init(&batch, 100);
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
        TEST(what_goes_on_is_one_session),
        TEST(records_that_come_twice_or_late_change_nothing),
        TEST(parts_of_several_doors_or_lives_add_up),
        TEST(a_longer_pause_begins_another),
        TEST(others_have_their_own),
        TEST(a_record_of_any_numbers_is_got_past),
        TEST(whose_pseudonym_it_is_is_known_from_his_ticket),
        TEST(a_batch_for_another_state_of_the_chain_counts_nothing),
        TEST(a_tenant_sees_its_own_and_nobody_changes_who_it_was),
    };
    return cmocka_run_group_tests(tests, start, end);
}
