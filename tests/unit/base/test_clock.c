/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/clock.h"

#include <string.h>

#include "tests/unit/check.h"

static int64_t parse(const char *text)
{
    int64_t ms = -1;
    struct weir_err err = {0};
    ASSERT_OK(weir_clock_parse_ms(text, strlen(text), &ms, &err), &err);
    return ms;
}

static void times_are_written_as_rfc_3339_in_utc(void **state)
{
    (void)state;
    char text[WEIR_TIME_TEXT_MAX];
    weir_clock_format_ms(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    weir_clock_format_ms(1795371475123, text);
    assert_string_equal(text, "2026-11-22T18:17:55.123Z");
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    char text[WEIR_TIME_TEXT_MAX];
    for (int64_t ms = 1; ms < 4102444800000; ms = ms * 3 + 7) {
        weir_clock_format_ms(ms, text);
        assert_int_equal(parse(text), ms);
    }
}

static void offsets_fractions_and_leap_seconds_are_understood(void **state)
{
    (void)state;
    assert_int_equal(parse("1970-01-01T01:00:00+01:00"), 0);
    assert_int_equal(parse("1970-01-01T00:00:00.1239Z"), 123);
    assert_int_equal(parse("1970-01-01T00:00:00.5-00:30"), 1800500);
    assert_int_equal(parse("2016-12-31T23:59:60Z"), parse("2016-12-31T23:59:59Z"));
    assert_int_equal(parse("2024-02-29T00:00:00Z") + 86400000, parse("2024-03-01T00:00:00Z"));
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "now",
        "2026-11-22",
        "2026-11-22T18:17:55",
        "2026-13-01T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T18:60:00Z",
        "2026-11-22T18:17:61Z",
        "2026-11-22T18:17:55.Z",
        "2026-11-22T18:17:55Zx",
        "1969-12-31T23:59:59Z",
        "2026-11-22T18:17:55+24:00",
        "+026-11-22T18:17:55Z",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ms = 42;
        struct weir_err err = {0};
        assert_int_equal(weir_clock_parse_ms(bad[i], strlen(bad[i]), &ms, &err), WEIR_EPARSE);
        assert_int_equal(ms, 42);
    }
}

static void a_wait_ends_at_its_time_and_never_before(void **state)
{
    (void)state;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pthread_mutex_lock(&mutex);
    int64_t until_ms = weir_clock_mono_ms() + 30;
    while (weir_clock_wait(&cond, &mutex, until_ms)) {
    }
    assert_true(weir_clock_mono_ms() >= until_ms);
    assert_false(weir_clock_wait(&cond, &mutex, 0));
    pthread_mutex_unlock(&mutex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_as_rfc_3339_in_utc),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(offsets_fractions_and_leap_seconds_are_understood),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(a_wait_ends_at_its_time_and_never_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
