/* SPDX-License-Identifier: Apache-2.0 */
#include "api/revocations.h"

#include <string.h>

#include "api/ticket_ids.h"
#include "lib/base/buf.h"
#include "tests/unit/check.h"

#define AT_S   1795000000
#define MONO   5000
#define KIND_N WEIR_EV_CONFIG_REVOCATION_KIND_N

static const struct weir_id acme = {{0xac}};
static const struct weir_id other = {{0x07}};
static const struct weir_id person = {{0x42}};
static const struct weir_id session = {{0x5e}};

static struct weir_ticket ticket_of(int64_t issued_s)
{
    return (struct weir_ticket){
        .tenant_id = acme,
        .camera_id = {{0xca}},
        .stream_id = {{0x57}},
        .viewer_id = ticket_viewer_id(&acme, &person),
        .login_id = ticket_login_id(&acme, &session),
        .ticket_id = {{0x71}},
        .grant_id = {{0x94}},
        .membership_id = {{0x3e}},
        .issued_at_ms = issued_s * 1000,
    };
}

static struct weir_principal holder_of(int64_t issued_s)
{
    return (struct weir_principal){.subject = person,
                                   .session_id = session,
                                   .has_tenant = true,
                                   .tenant_id = acme,
                                   .issued_at_ms = issued_s * 1000};
}

static struct weir_id value_of(enum weir_ev_config_revocation_kind kind)
{
    struct weir_ticket ticket = ticket_of(0);
    const struct weir_id *const values[KIND_N] = {
        &ticket.tenant_id, &ticket.camera_id, &ticket.viewer_id,    &ticket.login_id,
        &ticket.ticket_id, &ticket.grant_id,  &ticket.membership_id};
    return *values[kind];
}

static void put(struct revocations *list, enum weir_ev_config_revocation_kind kind,
                const struct weir_id *value, int64_t at_s, int64_t mono_ms)
{
    struct weir_ev_config_revocation entry = {
        .tenant_id = acme, .kind = kind, .value = *value, .at_s = at_s, .before_s = at_s};
    revocations_put(list, &entry, mono_ms);
}

static bool is_void(struct revocations *list, int64_t issued_s)
{
    struct weir_ticket ticket = ticket_of(issued_s);
    return revocations_is_void(list, &ticket);
}

static bool is_refused(struct revocations *list, int64_t issued_s)
{
    struct weir_principal who = holder_of(issued_s);
    return revocations_is_refused(list, &who);
}

static void each_claim_of_a_ticket_can_be_revoked_up_to_a_second(void **state)
{
    (void)state;
    for (int kind = 0; kind < KIND_N; kind++) {
        struct revocations *list = revocations_new(8);
        struct weir_id value = value_of((enum weir_ev_config_revocation_kind)kind);
        assert_false(is_void(list, AT_S));
        put(list, (enum weir_ev_config_revocation_kind)kind, &value, AT_S, MONO);
        assert_true(is_void(list, AT_S));
        assert_false(is_void(list, AT_S + 1));
        revocations_free(list);
    }
}

static void what_is_named_by_another_kind_or_value_plays_on(void **state)
{
    (void)state;
    struct revocations *list = revocations_new(8);
    struct weir_id camera = value_of(WEIR_EV_CONFIG_REVOCATION_KIND_CAMERA);
    put(list, WEIR_EV_CONFIG_REVOCATION_KIND_TICKET, &camera, AT_S, MONO);
    put(list, WEIR_EV_CONFIG_REVOCATION_KIND_TENANT, &other, AT_S, MONO);
    put(list, WEIR_EV_CONFIG_REVOCATION_KIND_SUBJECT, &person, AT_S, MONO);
    assert_false(is_void(list, AT_S - 1));
    assert_false(is_refused(list, AT_S - 1));
    revocations_free(list);
}

static void a_ticket_by_a_role_outlives_every_grant(void **state)
{
    (void)state;
    struct revocations *list = revocations_new(8);
    struct weir_ticket by_role = ticket_of(AT_S);
    put(list, WEIR_EV_CONFIG_REVOCATION_KIND_GRANT, &by_role.grant_id, AT_S, MONO);
    put(list, WEIR_EV_CONFIG_REVOCATION_KIND_MEMBERSHIP, &by_role.membership_id, AT_S, MONO);
    struct weir_ticket by_another = by_role;
    by_role.grant_id = (struct weir_id){{0}};
    by_role.membership_id = (struct weir_id){{0}};
    assert_false(revocations_is_void(list, &by_role));
    by_another.grant_id.b[1] = 1;
    by_another.membership_id.b[1] = 1;
    assert_false(revocations_is_void(list, &by_another));
    assert_true(is_void(list, AT_S));
    revocations_free(list);
}

static void a_subject_may_come_again_with_a_new_token_a_session_may_not(void **state)
{
    (void)state;
    struct revocations *list = revocations_new(8);
    struct weir_id viewer = value_of(WEIR_EV_CONFIG_REVOCATION_KIND_SUBJECT);
    struct weir_id login = value_of(WEIR_EV_CONFIG_REVOCATION_KIND_SESSION);
    put(list, WEIR_EV_CONFIG_REVOCATION_KIND_SUBJECT, &viewer, AT_S, MONO);
    assert_true(is_refused(list, AT_S));
    assert_false(is_refused(list, AT_S + 1));
    put(list, WEIR_EV_CONFIG_REVOCATION_KIND_SESSION, &login, AT_S, MONO);
    assert_true(is_refused(list, AT_S + 3600));
    struct weir_principal nobody = holder_of(AT_S);
    nobody.has_tenant = false;
    assert_false(revocations_is_refused(list, &nobody));
    struct weir_principal elsewhere = holder_of(AT_S);
    elsewhere.tenant_id = other;
    assert_false(revocations_is_refused(list, &elsewhere));
    revocations_free(list);
}

static void a_camera_s_or_tenant_s_revocation_leaves_tokens_alone(void **state)
{
    (void)state;
    struct revocations *list = revocations_new(8);
    struct weir_id camera = value_of(WEIR_EV_CONFIG_REVOCATION_KIND_CAMERA);
    put(list, WEIR_EV_CONFIG_REVOCATION_KIND_CAMERA, &camera, AT_S, MONO);
    put(list, WEIR_EV_CONFIG_REVOCATION_KIND_TENANT, &acme, AT_S, MONO);
    assert_false(is_refused(list, AT_S));
    revocations_free(list);
}

static void of_two_the_later_one_counts_whichever_comes_first(void **state)
{
    (void)state;
    struct revocations *list = revocations_new(8);
    put(list, WEIR_EV_CONFIG_REVOCATION_KIND_TENANT, &acme, AT_S + 5, MONO);
    put(list, WEIR_EV_CONFIG_REVOCATION_KIND_TENANT, &acme, AT_S, MONO);
    assert_int_equal(revocations_count(list), 1);
    assert_true(is_void(list, AT_S + 5));
    revocations_free(list);
}

static void it_is_kept_until_nothing_of_it_can_be_valid(void **state)
{
    (void)state;
    struct revocations *list = revocations_new(8);
    struct weir_id login = value_of(WEIR_EV_CONFIG_REVOCATION_KIND_SESSION);
    put(list, WEIR_EV_CONFIG_REVOCATION_KIND_TENANT, &acme, AT_S, MONO);
    put(list, WEIR_EV_CONFIG_REVOCATION_KIND_SESSION, &login, AT_S, MONO);
    /* Read again, it lives no longer. */
    put(list, WEIR_EV_CONFIG_REVOCATION_KIND_TENANT, &acme, AT_S, MONO + 900000);
    revocations_sweep(list, MONO + REVOCATIONS_TICKETS_S * 1000);
    assert_int_equal(revocations_count(list), 2);
    revocations_sweep(list, MONO + REVOCATIONS_TICKETS_S * 1000 + 1);
    assert_int_equal(revocations_count(list), 1);
    assert_true(is_refused(list, AT_S));
    revocations_sweep(list, MONO + REVOCATIONS_TOKENS_S * 1000 + 1);
    assert_int_equal(revocations_count(list), 0);
    revocations_free(list);
}

static void what_does_not_fit_revokes_the_whole_tenant(void **state)
{
    (void)state;
    struct revocations *list = revocations_new(2);
    for (uint8_t i = 1; i <= 3; i++) {
        struct weir_id someone = {{0x99, i}};
        put(list, WEIR_EV_CONFIG_REVOCATION_KIND_SUBJECT, &someone, AT_S, MONO);
        assert_int_equal(is_void(list, AT_S), i == 3);
        assert_int_equal(is_refused(list, AT_S), i == 3);
    }
    assert_false(is_void(list, AT_S + 1));
    struct weir_ticket foreign = ticket_of(AT_S);
    foreign.tenant_id = other;
    assert_false(revocations_is_void(list, &foreign));
    revocations_free(list);
}

static void nothing_is_known_before_all_was_read(void **state)
{
    (void)state;
    struct revocations *list = revocations_new(2);
    assert_false(revocations_is_known(list));
    assert_false(revocations_is_current(list, MONO));
    revocations_reached(list, 7, MONO);
    assert_true(revocations_is_known(list));
    assert_true(revocations_is_current(list, MONO + REVOCATIONS_CURRENT_MS - 1));
    assert_false(revocations_is_current(list, MONO + REVOCATIONS_CURRENT_MS));
    assert_true(revocations_is_known(list));
    revocations_free(list);
}

static void front_doors_are_told_what_tickets_can_be_void_by(void **state)
{
    (void)state;
    struct revocations *list = revocations_new(8);
    struct weir_json_out out = {0};
    struct weir_id login = value_of(WEIR_EV_CONFIG_REVOCATION_KIND_SESSION);
    struct weir_id camera = {{0xff}};
    put(list, WEIR_EV_CONFIG_REVOCATION_KIND_SESSION, &login, AT_S, MONO);
    put(list, WEIR_EV_CONFIG_REVOCATION_KIND_CAMERA, &camera, AT_S + 1, MONO + 60000);
    revocations_reached(list, 7, MONO);
    weir_json_open(&out, NULL, '{');
    /* No ticket of that session is left. */
    int64_t later_ms = MONO + REVOCATIONS_TICKETS_S * 1000 + 1;
    assert_int_equal(revocations_write(list, &out, "revocations", later_ms), 7);
    weir_json_close(&out, '}');
    static const char expected[] =
        "{\"revocations\":[{\"claim\":\"c\",\"value\":\"ff000000-0000-0000-0000-000000000000\","
        "\"before_s\":1795000001}]}";
    assert_int_equal(out.buf.len, strlen(expected));
    assert_memory_equal(out.buf.bytes, expected, strlen(expected));
    weir_buf_done(&out.buf);
    revocations_free(list);
}

static void a_stopped_tenant_is_stopped_until_it_goes_on(void **state)
{
    (void)state;
    struct revocations *list = revocations_new(1);
    assert_false(revocations_is_stopped(list, &acme));
    revocations_stop(list, &acme, true);
    revocations_stop(list, &acme, true);
    assert_true(revocations_is_stopped(list, &acme));
    assert_false(revocations_is_stopped(list, &other));
    revocations_stop(list, &acme, false);
    assert_false(revocations_is_stopped(list, &acme));
    revocations_stop(list, &other, true);
    revocations_free(list);
}

static void names_go_both_ways(void **state)
{
    (void)state;
    enum weir_ev_config_revocation_kind back;
    for (int kind = 0; kind < KIND_N; kind++) {
        const char *name = revocations_kind_name((enum weir_ev_config_revocation_kind)kind);
        assert_true(revocations_kind_get(name, &back));
        assert_int_equal(back, kind);
    }
    assert_false(revocations_kind_get("stream", &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_claim_of_a_ticket_can_be_revoked_up_to_a_second),
        cmocka_unit_test(what_is_named_by_another_kind_or_value_plays_on),
        cmocka_unit_test(a_ticket_by_a_role_outlives_every_grant),
        cmocka_unit_test(a_subject_may_come_again_with_a_new_token_a_session_may_not),
        cmocka_unit_test(a_camera_s_or_tenant_s_revocation_leaves_tokens_alone),
        cmocka_unit_test(of_two_the_later_one_counts_whichever_comes_first),
        cmocka_unit_test(it_is_kept_until_nothing_of_it_can_be_valid),
        cmocka_unit_test(what_does_not_fit_revokes_the_whole_tenant),
        cmocka_unit_test(nothing_is_known_before_all_was_read),
        cmocka_unit_test(front_doors_are_told_what_tickets_can_be_void_by),
        cmocka_unit_test(a_stopped_tenant_is_stopped_until_it_goes_on),
        cmocka_unit_test(names_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
