/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ticket_ids.h"

#include "tests/unit/check.h"

#define NOW_MS 1795000000000LL

static const struct weir_id acme = {{0xac}};
static const struct weir_id other = {{0x07}};
static const struct weir_id person = {{0x42}};

static void a_user_has_another_name_in_each_tenant(void **state)
{
    (void)state;
    struct weir_id here = ticket_viewer_id(&acme, &person);
    struct weir_id there = ticket_viewer_id(&other, &person);
    struct weir_id login = ticket_login_id(&acme, &person);
    struct weir_id again = ticket_viewer_id(&acme, &person);
    assert_true(weir_id_equal(&here, &again));
    assert_false(weir_id_equal(&here, &there));
    assert_false(weir_id_equal(&here, &person));
    assert_false(weir_id_equal(&here, &login));
}

/* The CDN, logs of years and tests of others rely on these values. */
static void a_pseudonym_never_changes(void **state)
{
    (void)state;
    struct weir_id viewer = ticket_viewer_id(&acme, &person);
    struct weir_id login = ticket_login_id(&acme, &person);
    struct weir_id membership = ticket_membership_id(&acme, &person);
    assert_string_equal(WEIR_ID_TEXT(&membership), "4134a97a-e069-57f4-b997-19c8760f464d");
    assert_string_equal(WEIR_ID_TEXT(&viewer), "47515755-0e1b-51ce-82de-a9d3c306bb78");
    assert_string_equal(WEIR_ID_TEXT(&login), "eff828b5-7f69-5882-a689-f060a050cad7");
}

static void a_ticket_s_id_tells_its_tenant(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct weir_id id = ticket_id_new(&acme, NOW_MS);
        assert_true(ticket_id_is_of(&id, &acme));
        assert_false(ticket_id_is_of(&id, &other));
        struct weir_id changed = id;
        changed.b[9] ^= 1;
        assert_false(ticket_id_is_of(&changed, &acme));
        assert_int_equal(WEIR_ID_TEXT(&id)[14], '8');
    }
    struct weir_id random = weir_id_new(NOW_MS);
    assert_false(ticket_id_is_of(&random, &acme));
}

static void ids_of_one_moment_differ(void **state)
{
    (void)state;
    struct weir_id first = ticket_id_new(&acme, NOW_MS);
    struct weir_id second = ticket_id_new(&acme, NOW_MS);
    assert_false(weir_id_equal(&first, &second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_has_another_name_in_each_tenant),
        cmocka_unit_test(a_pseudonym_never_changes),
        cmocka_unit_test(a_ticket_s_id_tells_its_tenant),
        cmocka_unit_test(ids_of_one_moment_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
