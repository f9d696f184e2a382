/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/gate.h"

#include <stdio.h>

#include "tests/unit/check.h"

static void one_host_is_paced_and_others_are_not(void **state)
{
    (void)state;
    struct tap_gate *gate = tap_gate_new(100, 10);
    assert_int_equal(tap_gate_enter(gate, "nvr", false, 0), 0);
    assert_int_equal(tap_gate_enter(gate, "nvr", false, 0), 100);
    assert_int_equal(tap_gate_enter(gate, "other", false, 0), 0);
    assert_int_equal(tap_gate_enter(gate, "nvr", false, 100), 0);
    tap_gate_free(gate);
}

static void cameras_that_failed_leave_places_to_the_others(void **state)
{
    (void)state;
    struct tap_gate *gate = tap_gate_new(8, 1000);
    char host[16];
    for (int i = 0; i < 6; i++) {
        snprintf(host, sizeof(host), "dead%d", i);
        assert_int_equal(tap_gate_enter(gate, host, true, 0), 0);
    }
    assert_true(tap_gate_enter(gate, "dead", true, 0) > 0);
    assert_int_equal(tap_gate_enter(gate, "good", false, 0), 0);
    assert_int_equal(tap_gate_enter(gate, "good2", false, 0), 0);
    assert_true(tap_gate_enter(gate, "good3", false, 0) > 0);
    tap_gate_leave(gate);
    assert_int_equal(tap_gate_enter(gate, "good3", false, 0), 0);
    tap_gate_free(gate);
}

static void hosts_are_forgotten_when_there_are_too_many(void **state)
{
    (void)state;
    struct tap_gate *gate = tap_gate_new(1000000, 10);
    char host[16];
    for (int i = 0; i < 5000; i++) {
        snprintf(host, sizeof(host), "host%d", i);
        assert_int_equal(tap_gate_enter(gate, host, false, (int64_t)i * 10), 0);
    }
    assert_true(tap_gate_enter(gate, "host4999", false, 49990) > 0);
    tap_gate_free(gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_host_is_paced_and_others_are_not),
        cmocka_unit_test(cameras_that_failed_leave_places_to_the_others),
        cmocka_unit_test(hosts_are_forgotten_when_there_are_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
