/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/trials.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/unit/check.h"

#define MOST   3
#define PERIOD 600000

static const struct weir_id tenant = {.b = {1}};
static const struct weir_id other = {.b = {2}};

static struct sockaddr_in target(int last, int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    addr.sin_addr.s_addr = htonl(0x0a000000U + (uint32_t)last);
    return addr;
}

static bool was_known;
static int64_t wait_ms;

static enum tap_trials_verdict enter(struct tap_trials *trials, const struct weir_id *who, int last,
                                     int port, int64_t now)
{
    struct sockaddr_in addr = target(last, port);
    return tap_trials_enter(trials, who, (const struct sockaddr *)(const void *)&addr, now,
                            &was_known, &wait_ms);
}

static void leave(struct tap_trials *trials, const struct weir_id *who, int last, int port,
                  bool has_spoken, int64_t now)
{
    struct sockaddr_in addr = target(last, port);
    tap_trials_leave(trials, who, (const struct sockaddr *)(const void *)&addr, has_spoken, now);
}

static void try_in_vain(struct tap_trials *trials, int last, int port, int64_t now)
{
    assert_int_equal(enter(trials, &tenant, last, port, now), TAP_TRIALS_GO);
    leave(trials, &tenant, last, port, false, now);
}

static void a_tenant_may_try_so_many_addresses_in_vain_and_then_waits(void **state)
{
    (void)state;
    struct tap_trials *trials = tap_trials_new(MOST, PERIOD);
    try_in_vain(trials, 1, 554, 1000);
    try_in_vain(trials, 1, 555, 2000); /* another port is another target */
    try_in_vain(trials, 2, 554, 3000);
    assert_int_equal(enter(trials, &tenant, 3, 554, 4000), TAP_TRIALS_FULL);
    assert_int_equal(wait_ms, PERIOD - 3000);
    /* What was tried already tells nothing new. */
    try_in_vain(trials, 1, 554, 5000);
    assert_int_equal(enter(trials, &tenant, 3, 554, 6000), TAP_TRIALS_FULL);
    /* It is the tenant's limit, nobody else's. */
    assert_int_equal(enter(trials, &other, 3, 554, 6000), TAP_TRIALS_GO);
    /* The first one is forgotten, however often it was tried since. */
    try_in_vain(trials, 3, 554, 1000 + PERIOD);
    assert_int_equal(enter(trials, &tenant, 4, 554, 1001 + PERIOD), TAP_TRIALS_FULL);
    tap_trials_free(trials);
}

static void cameras_that_speak_cost_nothing(void **state)
{
    (void)state;
    struct tap_trials *trials = tap_trials_new(MOST, PERIOD);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(enter(trials, &tenant, i, 554, 1000), TAP_TRIALS_GO);
        assert_false(was_known);
        leave(trials, &tenant, i, 554, true, 1000);
    }
    /* All of them go away at once, and may all be tried again. */
    for (int i = 0; i < 100; i++) {
        assert_int_equal(enter(trials, &tenant, i, 554, 2000), TAP_TRIALS_GO);
        assert_true(was_known);
        leave(trials, &tenant, i, 554, false, 2000);
    }
    try_in_vain(trials, 200, 554, 3000);
    assert_int_equal(enter(trials, &tenant, 0, 554, 1000 + TAP_TRIALS_KNOWN_MS), TAP_TRIALS_GO);
    assert_false(was_known);
    /* Known to one tenant is not known to another. */
    assert_int_equal(enter(trials, &other, 1, 554, 4000), TAP_TRIALS_GO);
    assert_false(was_known);
    tap_trials_free(trials);
}

static void one_that_speaks_at_last_makes_room(void **state)
{
    (void)state;
    struct tap_trials *trials = tap_trials_new(MOST, PERIOD);
    for (int i = 0; i < MOST; i++)
        try_in_vain(trials, i, 554, 1000);
    assert_int_equal(enter(trials, &tenant, 9, 554, 2000), TAP_TRIALS_FULL);
    assert_int_equal(enter(trials, &tenant, 0, 554, 2000), TAP_TRIALS_GO);
    leave(trials, &tenant, 0, 554, true, 2000);
    assert_int_equal(enter(trials, &tenant, 9, 554, 2000), TAP_TRIALS_GO);
    tap_trials_free(trials);
}

static void many_cameras_at_once_wait_for_each_other(void **state)
{
    (void)state;
    struct tap_trials *trials = tap_trials_new(MOST, PERIOD);
    for (int i = 0; i < MOST; i++)
        assert_int_equal(enter(trials, &tenant, i, 554, 1000), TAP_TRIALS_GO);
    assert_int_equal(enter(trials, &tenant, 9, 554, 1000), TAP_TRIALS_WAIT);
    leave(trials, &tenant, 1, 554, true, 1100);
    assert_int_equal(enter(trials, &tenant, 9, 554, 1100), TAP_TRIALS_GO);
    for (int i = 0; i < MOST; i++)
        if (i != 1)
            leave(trials, &tenant, i, 554, false, 1200);
    leave(trials, &tenant, 9, 554, false, 1200);
    assert_int_equal(enter(trials, &tenant, 10, 554, 1200), TAP_TRIALS_FULL);
    tap_trials_free(trials);
}

static void one_that_plays_costs_nothing_while_it_does(void **state)
{
    (void)state;
    struct tap_trials *trials = tap_trials_new(MOST, PERIOD);
    for (int i = 0; i < 2 * MOST; i++) {
        struct sockaddr_in addr = target(i, 554);
        assert_int_equal(enter(trials, &tenant, i, 554, 1000), TAP_TRIALS_GO);
        tap_trials_confirm(trials, &tenant, (const struct sockaddr *)(const void *)&addr, 1000);
    }
    try_in_vain(trials, 100, 554, 2000);
    try_in_vain(trials, 101, 554, 2000);
    try_in_vain(trials, 102, 554, 2000);
    assert_int_equal(enter(trials, &tenant, 103, 554, 3000), TAP_TRIALS_FULL);
    tap_trials_free(trials);
}

static void both_spellings_of_an_address_are_one_target(void **state)
{
    (void)state;
    struct tap_trials *trials = tap_trials_new(1, PERIOD);
    try_in_vain(trials, 1, 554, 1000);
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(554)};
    assert_int_equal(inet_pton(AF_INET6, "::ffff:10.0.0.1", &mapped.sin6_addr), 1);
    assert_int_equal(tap_trials_enter(trials, &tenant,
                                      (const struct sockaddr *)(const void *)&mapped, 2000,
                                      &was_known, &wait_ms),
                     TAP_TRIALS_GO);
    tap_trials_free(trials);
}

static void what_is_over_is_forgotten(void **state)
{
    (void)state;
    struct tap_trials *trials = tap_trials_new(MOST, PERIOD);
    for (int64_t i = 0; i < 1000; i++) {
        struct weir_id who = {.b = {(uint8_t)(i / 256), (uint8_t)(i % 256), 9}};
        assert_int_equal(enter(trials, &who, 1, 554, i * PERIOD), TAP_TRIALS_GO);
        leave(trials, &who, 1, 554, false, i * PERIOD);
    }
    for (int i = 0; i < 10000; i++) { /* more than are kept */
        assert_int_equal(enter(trials, &tenant, i, 554, 1), TAP_TRIALS_GO);
        leave(trials, &tenant, i, 554, true, 1);
    }
    assert_int_equal(enter(trials, &tenant, 0, 554, 2), TAP_TRIALS_GO);
    assert_false(was_known);
    tap_trials_free(trials);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tenant_may_try_so_many_addresses_in_vain_and_then_waits),
        cmocka_unit_test(cameras_that_speak_cost_nothing),
        cmocka_unit_test(one_that_speaks_at_last_makes_room),
        cmocka_unit_test(many_cameras_at_once_wait_for_each_other),
        cmocka_unit_test(one_that_plays_costs_nothing_while_it_does),
        cmocka_unit_test(both_spellings_of_an_address_are_one_target),
        cmocka_unit_test(what_is_over_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
