/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/domain/events.h"

#define TENANT_A                                                                                   \
    {                                                                                              \
        .b = { [15] = 0x0a }                                                                       \
    }
#define TENANT_B                                                                                   \
    {                                                                                              \
        .b = { [15] = 0x0b }                                                                       \
    }

struct fixture {
    struct weir_arena *arena;
    struct weir_audit_chain chain;
};

static int begin(void **state)
{
    static struct fixture fixture;
    fixture.arena = weir_arena_new(0);
    weir_audit_chain_init(&fixture.chain, WEIR_TOPIC_DECISIONS, 0, 0);
    *state = &fixture;
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    weir_arena_free(fixture->arena);
    return 0;
}

static struct weir_event decision(uint8_t instance, int64_t epoch, enum weir_ev_decision_kind kind)
{
    struct weir_event event = {.type = WEIR_EV_DECISION,
                               .id = {.b = {1}},
                               .source = "/weir/scheduler/0",
                               .subject = "0",
                               .time_ms = 1700000000123};
    event.u.decision = (struct weir_ev_decision){.instance = {.b = {instance}},
                                                 .epoch = epoch,
                                                 .kind = kind,
                                                 .outcome = WEIR_EV_DECISION_OUTCOME_APPLIED,
                                                 .reason = "requested",
                                                 .at_ms = 1700000000123};
    return event;
}

static struct weir_audit_entry take(struct fixture *fixture, const struct weir_event *event)
{
    struct weir_audit_entry entry;
    const char *bytes;
    size_t len;
    struct weir_err err = {0};
    if (weir_ev_dump(event, fixture->arena, &bytes, &len, &err) != WEIR_OK ||
        weir_audit_take(&fixture->chain, fixture->chain.next, bytes, len, fixture->arena, &entry,
                        &err) != WEIR_OK)
        fail_msg("%s", err.msg);
    return entry;
}

static enum weir_audit_verdict verdict_of(struct fixture *fixture, uint8_t instance, int64_t epoch,
                                          enum weir_ev_decision_kind kind)
{
    struct weir_event event = decision(instance, epoch, kind);
    return take(fixture, &event).verdict;
}

static void each_hash_covers_the_one_before_the_place_and_the_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct weir_audit_entry entry;
    assert_int_equal(weir_audit_take(&fixture->chain, 0, "abc", 3, fixture->arena, &entry, NULL),
                     WEIR_OK);
    struct weir_sha256 sha;
    uint8_t zero[32] = {0};
    uint8_t hash[32];
    weir_sha256_init(&sha);
    weir_sha256_add(&sha, zero, 32);
    weir_sha256_add(&sha, "weir.decisions.v1:0:0:abc", 25);
    weir_sha256_done(&sha, hash);
    assert_memory_equal(entry.hash, hash, 32);
    assert_memory_equal(fixture->chain.head, hash, 32);
    assert_int_equal(fixture->chain.next, 1);
}

static void a_gap_or_a_repeat_is_refused_and_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct weir_audit_entry entry;
    struct weir_audit_chain before = fixture->chain;
    assert_int_equal(weir_audit_take(&fixture->chain, 1, "x", 1, fixture->arena, &entry, NULL),
                     WEIR_ECORRUPT);
    assert_memory_equal(&before, &fixture->chain, sizeof(before));
}

static void bytes_that_are_no_event_are_kept_with_the_reason(void **state)
{
    struct fixture *fixture = *state;
    struct weir_audit_entry entry;
    assert_int_equal(weir_audit_take(&fixture->chain, 0, "{bad", 4, fixture->arena, &entry, NULL),
                     WEIR_OK);
    assert_int_equal(entry.verdict, WEIR_AUDIT_UNREADABLE);
    assert_non_null(entry.parse_error);
    assert_int_equal(entry.n_rows, 0);
    assert_int_equal(weir_audit_take(&fixture->chain, 1, NULL, 0, fixture->arena, &entry, NULL),
                     WEIR_OK);
    assert_int_equal(entry.verdict, WEIR_AUDIT_UNREADABLE);
    assert_int_equal(fixture->chain.next, 2);
}

static void decisions_of_a_leader_that_was_replaced_are_void(void **state)
{
    struct fixture *fixture = *state;
    enum weir_ev_decision_kind timer = WEIR_EV_DECISION_KIND_TIMER;
    enum weir_ev_decision_kind takeover = WEIR_EV_DECISION_KIND_TAKEOVER;
    assert_int_equal(verdict_of(fixture, 1, -1, takeover), WEIR_AUDIT_VALID);
    assert_int_equal(verdict_of(fixture, 1, 0, timer), WEIR_AUDIT_VALID);
    assert_int_equal(verdict_of(fixture, 1, -1, takeover), WEIR_AUDIT_VALID);
    assert_int_equal(verdict_of(fixture, 1, 0, timer), WEIR_AUDIT_VOID);
    assert_int_equal(verdict_of(fixture, 1, 2, timer), WEIR_AUDIT_VALID);
}

static void decisions_of_another_instance_are_void(void **state)
{
    struct fixture *fixture = *state;
    enum weir_ev_decision_kind takeover = WEIR_EV_DECISION_KIND_TAKEOVER;
    assert_int_equal(verdict_of(fixture, 1, -1, takeover), WEIR_AUDIT_VALID);
    assert_int_equal(verdict_of(fixture, 2, -1, takeover), WEIR_AUDIT_VOID);
    assert_int_equal(verdict_of(fixture, 1, 0, WEIR_EV_DECISION_KIND_TIMER), WEIR_AUDIT_VALID);
}

static void a_log_cut_off_before_the_audit_began_is_believed(void **state)
{
    struct fixture *fixture = *state;
    weir_audit_chain_init(&fixture->chain, WEIR_TOPIC_DECISIONS, 0, 500);
    assert_int_equal(verdict_of(fixture, 1, 77, WEIR_EV_DECISION_KIND_TIMER), WEIR_AUDIT_VALID);
    assert_int_equal(verdict_of(fixture, 1, 12, WEIR_EV_DECISION_KIND_TIMER), WEIR_AUDIT_VOID);
}

static void each_effect_is_a_row_of_its_own_tenant(void **state)
{
    struct fixture *fixture = *state;
    struct weir_event event = decision(1, -1, WEIR_EV_DECISION_KIND_TAKEOVER);
    struct weir_ev_decision_effects effects[] = {{.entity = WEIR_EV_DECISION_EFFECTS_ENTITY_WORKER,
                                                  .has_worker_id = true,
                                                  .worker_id = {.b = {9}},
                                                  .to = "dead",
                                                  .reason = "worker_silent"},
                                                 {.entity = WEIR_EV_DECISION_EFFECTS_ENTITY_STREAM,
                                                  .has_tenant_id = true,
                                                  .tenant_id = TENANT_A,
                                                  .has_stream_id = true,
                                                  .stream_id = {.b = {7}},
                                                  .has_generation = true,
                                                  .generation = 42,
                                                  .has_from = true,
                                                  .from = "running",
                                                  .to = "queued",
                                                  .reason = "worker_lost"},
                                                 {.entity = WEIR_EV_DECISION_EFFECTS_ENTITY_LEASE,
                                                  .has_tenant_id = true,
                                                  .tenant_id = TENANT_B,
                                                  .has_camera_id = true,
                                                  .camera_id = {.b = {8}},
                                                  .to = "none",
                                                  .reason = "worker_lost"}};
    event.u.decision.effects = effects;
    event.u.decision.n_effects = 3;
    struct weir_audit_entry entry = take(fixture, &event);
    assert_int_equal(entry.n_rows, 2);
    const char **stream = entry.rows[0].text;
    assert_string_equal(stream[WEIR_AUDIT_tenant_id], "00000000-0000-0000-0000-00000000000a");
    assert_string_equal(stream[WEIR_AUDIT_at], "1700000000123");
    assert_string_equal(stream[WEIR_AUDIT_type], "decision");
    assert_string_equal(stream[WEIR_AUDIT_actor], "/weir/scheduler/0");
    assert_string_equal(stream[WEIR_AUDIT_object_type], "stream");
    assert_string_equal(stream[WEIR_AUDIT_stream_id], "07000000-0000-0000-0000-000000000000");
    assert_string_equal(stream[WEIR_AUDIT_generation], "42");
    assert_string_equal(stream[WEIR_AUDIT_state_from], "running");
    assert_string_equal(stream[WEIR_AUDIT_state_to], "queued");
    assert_null(stream[WEIR_AUDIT_camera_id]);
    const char **lease = entry.rows[1].text;
    assert_string_equal(lease[WEIR_AUDIT_tenant_id], "00000000-0000-0000-0000-00000000000b");
    assert_string_equal(lease[WEIR_AUDIT_object_id], lease[WEIR_AUDIT_camera_id]);
    assert_null(lease[WEIR_AUDIT_state_from]);
}

static void a_refused_wish_is_told_to_the_tenant_that_wished(void **state)
{
    struct fixture *fixture = *state;
    struct weir_event event = decision(1, -1, WEIR_EV_DECISION_KIND_COMMAND);
    strcpy(event.subject, "00000000-0000-4000-8000-00000000000c");
    strcpy(event.u.decision.reason, "expired");
    event.u.decision.outcome = WEIR_EV_DECISION_OUTCOME_REFUSED;
    assert_int_equal(take(fixture, &event).n_rows, 0);

    event.has_tenantid = true;
    event.tenantid = (struct weir_id)TENANT_A;
    struct weir_audit_entry entry = take(fixture, &event);
    assert_int_equal(entry.n_rows, 1);
    const char *const *row = entry.rows[0].text;
    assert_string_equal(row[WEIR_AUDIT_tenant_id], "00000000-0000-0000-0000-00000000000a");
    assert_string_equal(row[WEIR_AUDIT_stream_id], "00000000-0000-4000-8000-00000000000c");
    assert_string_equal(row[WEIR_AUDIT_outcome], "refused");
    assert_string_equal(row[WEIR_AUDIT_reason], "expired");
}

static void an_access_is_one_row(void **state)
{
    struct fixture *fixture = *state;
    weir_audit_chain_init(&fixture->chain, WEIR_TOPIC_AUDIT, 3, 0);
    struct weir_event event = {.type = WEIR_EV_AUDIT_ACCESS,
                               .id = {.b = {1}},
                               .source = "/weir/api/0",
                               .subject = "camera",
                               .time_ms = 1700000000123};
    event.u.audit_access =
        (struct weir_ev_audit_access){.tenant_id = TENANT_A,
                                      .actor = "user-7",
                                      .action = "camera.create",
                                      .object_type = "camera",
                                      .has_object_id = true,
                                      .object_id = {.b = {8}},
                                      .outcome = WEIR_EV_AUDIT_ACCESS_OUTCOME_DENIED,
                                      .request_id = "r-1"};
    struct weir_audit_entry entry = take(fixture, &event);
    assert_int_equal(entry.verdict, WEIR_AUDIT_VALID);
    assert_int_equal(entry.n_rows, 1);
    assert_string_equal(entry.rows[0].text[WEIR_AUDIT_actor], "user-7");
    assert_string_equal(entry.rows[0].text[WEIR_AUDIT_outcome], "denied");
    assert_string_equal(entry.rows[0].text[WEIR_AUDIT_camera_id],
                        "08000000-0000-0000-0000-000000000000");
    assert_null(entry.rows[0].text[WEIR_AUDIT_stream_id]);
}

static void an_event_of_another_topic_is_not_believed(void **state)
{
    struct fixture *fixture = *state;
    weir_audit_chain_init(&fixture->chain, WEIR_TOPIC_AUDIT, 0, 0);
    assert_int_equal(verdict_of(fixture, 1, -1, WEIR_EV_DECISION_KIND_TAKEOVER),
                     WEIR_AUDIT_UNREADABLE);
}

static struct weir_event fact(enum weir_ev_type type)
{
    return (struct weir_event){.type = type,
                               .id = {.b = {1}},
                               .source = "/weir/worker/0",
                               .subject = "camera",
                               .time_ms = 1700000000123};
}

static void what_happened_to_a_picture_is_told_to_its_tenant(void **state)
{
    struct fixture *fixture = *state;
    weir_audit_chain_init(&fixture->chain, WEIR_TOPIC_FACTS, 0, 0);
    struct weir_event event = fact(WEIR_EV_FACT_HEALTH);
    event.u.fact_health = (struct weir_ev_fact_health){.worker_id = {.b = {9}},
                                                       .tenant_id = TENANT_A,
                                                       .camera_id = {.b = {8}},
                                                       .lease_generation = 42,
                                                       .health = WEIR_PICTURE_HEALTH_DEGRADED,
                                                       .faults = "loss frozen",
                                                       .has_reason = true,
                                                       .reason = "source_timeout"};
    struct weir_audit_entry entry = take(fixture, &event);
    assert_int_equal(entry.verdict, WEIR_AUDIT_VALID);
    assert_int_equal(entry.n_rows, 1);
    const char *const *row = entry.rows[0].text;
    assert_string_equal(row[WEIR_AUDIT_tenant_id], "00000000-0000-0000-0000-00000000000a");
    assert_string_equal(row[WEIR_AUDIT_type], "fact.health");
    assert_string_equal(row[WEIR_AUDIT_actor], "/weir/worker/0");
    assert_string_equal(row[WEIR_AUDIT_object_type], "camera");
    assert_string_equal(row[WEIR_AUDIT_camera_id], "08000000-0000-0000-0000-000000000000");
    assert_string_equal(row[WEIR_AUDIT_object_id], row[WEIR_AUDIT_camera_id]);
    assert_string_equal(row[WEIR_AUDIT_worker_id], "09000000-0000-0000-0000-000000000000");
    assert_string_equal(row[WEIR_AUDIT_generation], "42");
    assert_string_equal(row[WEIR_AUDIT_state_to], "degraded");
    assert_string_equal(row[WEIR_AUDIT_reason], "source_timeout");
    assert_string_equal(row[WEIR_AUDIT_detail], "loss frozen");
    event.u.fact_health.faults[0] = '\0';
    assert_null(take(fixture, &event).rows[0].text[WEIR_AUDIT_detail]);
}

static void a_clock_that_was_set_and_a_remedy_are_told_with_their_numbers(void **state)
{
    struct fixture *fixture = *state;
    weir_audit_chain_init(&fixture->chain, WEIR_TOPIC_FACTS, 0, 0);
    struct weir_event event = fact(WEIR_EV_FACT_CLOCK);
    event.u.fact_clock = (struct weir_ev_fact_clock){.tenant_id = TENANT_A,
                                                     .offset_before_us = -5,
                                                     .offset_us = 7200000000,
                                                     .source = WEIR_EV_FACT_CLOCK_SOURCE_ARRIVAL,
                                                     .jumps = 3};
    const char *const *row = take(fixture, &event).rows[0].text;
    assert_string_equal(row[WEIR_AUDIT_state_to], "arrival");
    assert_string_equal(row[WEIR_AUDIT_detail], "offset_before_us -5 offset_us 7200000000 jumps 3");
    assert_null(row[WEIR_AUDIT_reason]);

    event = fact(WEIR_EV_FACT_REMEDY);
    event.u.fact_remedy = (struct weir_ev_fact_remedy){.tenant_id = TENANT_A,
                                                       .has_stream_id = true,
                                                       .stream_id = {.b = {7}},
                                                       .remedy = WEIR_REMEDY_REPUBLISH,
                                                       .reason = "source_timeout",
                                                       .taken = 2,
                                                       .next_in_ms = 60000};
    row = take(fixture, &event).rows[0].text;
    assert_string_equal(row[WEIR_AUDIT_action], "republish");
    assert_string_equal(row[WEIR_AUDIT_stream_id], "07000000-0000-0000-0000-000000000000");
    assert_string_equal(row[WEIR_AUDIT_reason], "source_timeout");
    assert_string_equal(row[WEIR_AUDIT_detail], "taken 2 next_in_ms 60000");
}

static void other_facts_and_what_cannot_be_read_of_them_are_passed_over(void **state)
{
    struct fixture *fixture = *state;
    weir_audit_chain_init(&fixture->chain, WEIR_TOPIC_FACTS, 0, 0);
    struct weir_event health = fact(WEIR_EV_FACT_HEALTH);
    struct weir_event other = fact(WEIR_EV_FACT_STILL_WATCHED);
    uint8_t head[32];
    assert_false(take(fixture, &health).is_passed_over);
    memcpy(head, fixture->chain.head, sizeof(head));
    assert_true(take(fixture, &other).is_passed_over);
    struct weir_audit_entry entry;
    assert_int_equal(weir_audit_take(&fixture->chain, 2, "{bad", 4, fixture->arena, &entry, NULL),
                     WEIR_OK);
    assert_true(entry.is_passed_over);
    assert_int_equal(entry.n_rows, 0);
    assert_memory_equal(fixture->chain.head, head, sizeof(head));
    assert_int_equal(fixture->chain.next, 3);
    struct weir_audit_chain through = fixture->chain;
    take(fixture, &health);

    /* A reader of what is stored comes to the same. */
    assert_int_equal(weir_audit_skip(&through, 3, NULL), WEIR_OK);
    assert_int_equal(weir_audit_skip(&through, 2, NULL), WEIR_ECORRUPT);
    assert_memory_equal(through.head, head, sizeof(head));
    assert_int_equal(weir_audit_take(&fixture->chain, 9, "x", 1, fixture->arena, &entry, NULL),
                     WEIR_ECORRUPT);
}

static void only_facts_can_be_passed_over(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(weir_audit_skip(&fixture->chain, 0, NULL), WEIR_OK);
    assert_int_equal(weir_audit_skip(&fixture->chain, 1, NULL), WEIR_ECORRUPT);
    assert_int_equal(fixture->chain.next, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_hash_covers_the_one_before_the_place_and_the_bytes,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_gap_or_a_repeat_is_refused_and_changes_nothing, begin,
                                        end),
        cmocka_unit_test_setup_teardown(bytes_that_are_no_event_are_kept_with_the_reason, begin,
                                        end),
        cmocka_unit_test_setup_teardown(decisions_of_a_leader_that_was_replaced_are_void, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_refused_wish_is_told_to_the_tenant_that_wished, begin,
                                        end),
        cmocka_unit_test_setup_teardown(decisions_of_another_instance_are_void, begin, end),
        cmocka_unit_test_setup_teardown(a_log_cut_off_before_the_audit_began_is_believed, begin,
                                        end),
        cmocka_unit_test_setup_teardown(each_effect_is_a_row_of_its_own_tenant, begin, end),
        cmocka_unit_test_setup_teardown(an_access_is_one_row, begin, end),
        cmocka_unit_test_setup_teardown(what_happened_to_a_picture_is_told_to_its_tenant, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            a_clock_that_was_set_and_a_remedy_are_told_with_their_numbers, begin, end),
        cmocka_unit_test_setup_teardown(other_facts_and_what_cannot_be_read_of_them_are_passed_over,
                                        begin, end),
        cmocka_unit_test_setup_teardown(only_facts_can_be_passed_over, begin, end),
        cmocka_unit_test_setup_teardown(an_event_of_another_topic_is_not_believed, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
