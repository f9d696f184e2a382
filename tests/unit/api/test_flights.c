/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include <pthread.h>
#include <unistd.h>

#include "api/flights.h"
#include "lib/base/clock.h"

static const struct weir_id acme = {{1}};
static const struct weir_id globex = {{2}};
static const struct weir_id camera = {{3}};

static enum flights_verdict board(struct flights *flights, const struct weir_id *tenant_id,
                                  int64_t wait_ms)
{
    return flights_board(flights, tenant_id, &camera, weir_clock_mono_ms() + wait_ms);
}

static void *land_soon(void *flights)
{
    usleep(50000);
    flights_land(flights, &acme, &camera);
    return NULL;
}

static void who_comes_second_waits_for_the_first(void **state)
{
    (void)state;
    struct flights *flights = flights_new();
    pthread_t thread;
    assert_int_equal(board(flights, &acme, 0), FLIGHTS_FIRST);
    int64_t begun_ms = weir_clock_mono_ms();
    assert_int_equal(pthread_create(&thread, NULL, land_soon, flights), 0);
    assert_int_equal(board(flights, &acme, 60000), FLIGHTS_OVER);
    int64_t took_ms = weir_clock_mono_ms() - begun_ms;
    assert_true(took_ms >= 50 && took_ms < 30000);
    pthread_join(thread, NULL);
    assert_int_equal(board(flights, &acme, 0), FLIGHTS_FIRST);
    flights_free(flights);
}

static void who_takes_too_long_is_not_waited_for(void **state)
{
    (void)state;
    struct flights *flights = flights_new();
    assert_int_equal(board(flights, &acme, 0), FLIGHTS_FIRST);
    assert_int_equal(board(flights, &acme, 20), FLIGHTS_OVER);
    flights_free(flights);
}

static void tenants_that_ask_for_one_camera_have_a_flight_each(void **state)
{
    (void)state;
    struct flights *flights = flights_new();
    assert_int_equal(board(flights, &globex, 0), FLIGHTS_FIRST);
    /* Nobody waits for another tenant's answer... */
    assert_int_equal(board(flights, &acme, 0), FLIGHTS_FIRST);
    /* ... nor is taken to have his own when that one has landed. */
    flights_land(flights, &globex, &camera);
    assert_int_equal(board(flights, &acme, 20), FLIGHTS_OVER);
    flights_land(flights, &acme, &camera);
    assert_int_equal(board(flights, &acme, 0), FLIGHTS_FIRST);
    flights_free(flights);
}

static void one_too_many_asks_alone_and_ends_no_other_flight(void **state)
{
    (void)state;
    struct flights *flights = flights_new();
    for (int i = 0; i < FLIGHTS_MAX; i++) {
        struct weir_id tenant_id = {{0xf0, (uint8_t)i}};
        assert_int_equal(board(flights, &tenant_id, 0), FLIGHTS_FIRST);
    }
    assert_int_equal(board(flights, &acme, 0), FLIGHTS_ALONE);
    assert_int_equal(board(flights, &acme, 0), FLIGHTS_ALONE);
    struct weir_id first = {{0xf0, 0}};
    flights_land(flights, &first, &camera);
    assert_int_equal(board(flights, &acme, 0), FLIGHTS_FIRST);
    flights_free(flights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_second_waits_for_the_first),
        cmocka_unit_test(who_takes_too_long_is_not_waited_for),
        cmocka_unit_test(tenants_that_ask_for_one_camera_have_a_flight_each),
        cmocka_unit_test(one_too_many_asks_alone_and_ends_no_other_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
