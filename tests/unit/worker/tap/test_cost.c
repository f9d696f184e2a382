/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/cost.h"

#include "tests/unit/check.h"

#define SECOND_US INT64_C(1000000)

static void rates_are_those_of_the_last_ten_seconds(void **state)
{
    (void)state;
    struct tap_meter meter = {0};
    struct tap_rates rates;
    struct tap_count count = {0};
    assert_false(tap_meter_rates(&meter, &rates));
    tap_meter_add(&meter, &count);
    assert_false(tap_meter_rates(&meter, &rates));
    /* A busy beginning, which is forgotten later. */
    for (int i = 1; i <= 30; i++) {
        count.at_us += SECOND_US;
        count.bytes += i <= 15 ? 1000000 : 125000;
        count.frames += i <= 15 ? 60 : 25;
        count.cpu_us += i <= 15 ? 500000 : 6000;
        tap_meter_add(&meter, &count);
    }
    assert_true(tap_meter_rates(&meter, &rates));
    assert_int_equal(rates.bitrate_bps, 1000000);
    assert_int_equal(rates.fps_milli, 25000);
    assert_int_equal(rates.cpu_ppm, 6000);
}

static void a_counter_that_went_back_stands_still(void **state)
{
    (void)state;
    struct tap_meter meter = {0};
    struct tap_rates rates;
    tap_meter_add(&meter, &(struct tap_count){.at_us = SECOND_US, .bytes = 5000});
    tap_meter_add(&meter, &(struct tap_count){.at_us = 2 * SECOND_US, .bytes = 10});
    assert_true(tap_meter_rates(&meter, &rates));
    assert_int_equal(rates.bitrate_bps, 0);
    tap_meter_add(&meter, &(struct tap_count){.at_us = SECOND_US, .bytes = 50000});
    assert_false(tap_meter_rates(&meter, &rates));
}

static void costs_add_up_to_what_the_process_took(void **state)
{
    (void)state;
    struct tap_cost one = {0};
    struct tap_cost two = {0};
    struct tap_cost_all all = {.cpu_us = 1000};
    tap_cost_begin(&all);
    tap_cost_look(&one, &all, 400, 3000, 25, 10000);
    tap_cost_look(&two, &all, 200, 1000, 25, 2000);
    tap_cost_rest(&all, 1000 + 1000, 20000);
    tap_cost_share(&one, &all, 10000, SECOND_US);
    tap_cost_share(&two, &all, 2000, SECOND_US);
    assert_int_equal(one.cpu_us, 400 + 300); /* three quarters of the bytes */
    assert_int_equal(two.cpu_us, 200 + 100);
    assert_int_equal(one.mem_bytes + two.mem_bytes, 20000);
    assert_int_equal(one.mem_bytes, 10000 + 4000);
}

static void a_new_reader_counts_from_zero(void **state)
{
    (void)state;
    struct tap_cost cost = {0};
    struct tap_cost_all all = {0};
    tap_cost_begin(&all);
    tap_cost_look(&cost, &all, 9000, 0, 0, 0);
    tap_cost_rest(&all, 9000, 0);
    tap_cost_share(&cost, &all, 0, SECOND_US);
    tap_cost_begin(&all);
    tap_cost_look(&cost, &all, 50, 0, 0, 0);
    tap_cost_rest(&all, 9100, 0);
    tap_cost_share(&cost, &all, 0, 2 * SECOND_US);
    assert_int_equal(cost.cpu_us, 9000 + 50 + 50); /* nothing came: the rest is shared equally */
}

static void what_this_process_takes_is_known(void **state)
{
    (void)state;
    assert_true(tap_cost_process_cpu_us() > 0);
    assert_true(tap_cost_process_mem_bytes() > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_those_of_the_last_ten_seconds),
        cmocka_unit_test(a_counter_that_went_back_stands_still),
        cmocka_unit_test(costs_add_up_to_what_the_process_took),
        cmocka_unit_test(a_new_reader_counts_from_zero),
        cmocka_unit_test(what_this_process_takes_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
