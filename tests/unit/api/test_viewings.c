/* SPDX-License-Identifier: Apache-2.0 */
#include "api/viewings.h"

#include "tests/unit/check.h"

#define PARTS_MAX 3
#define SENT_MAX  64

static struct viewings *viewings;
static struct weir_ev_audit_viewing sent[SENT_MAX];
static size_t n;

static void keep(void *ctx, const struct weir_ev_audit_viewing *record)
{
    (void)ctx;
    assert_true(n < SENT_MAX);
    sent[n++] = *record;
}

static int begin(void **state)
{
    (void)state;
    n = 0;
    viewings = viewings_new(PARTS_MAX, keep, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    viewings_free(viewings);
    viewings = NULL;
    return 0;
}

static void hear(uint8_t part, int64_t mono_ms, int64_t segments)
{
    struct weir_ev_audit_viewing record = {.tenant_id = {.b = {1}},
                                           .part_id = {.b = {part}},
                                           .ticket_id = {.b = {(uint8_t)segments}},
                                           .started_ms = 1000000,
                                           .seen_ms = 1000000 + mono_ms,
                                           .segments = segments,
                                           .bytes = segments * 10};
    viewings_note(viewings, &record, mono_ms);
}

static void what_is_new_is_sent_at_once_and_the_rest_thinned_out(void **state)
{
    (void)state;
    for (int64_t s = 0; s <= 65; s++) {
        hear(1, s * 1000, s + 1);
        viewings_tick(viewings, s * 1000);
    }
    assert_int_equal(n, 3);
    assert_int_equal(sent[0].segments, 1);
    assert_int_equal(sent[1].segments, 31);
    assert_int_equal(sent[2].segments, 61);
    assert_int_equal(sent[2].seen_ms, 1060000);
    assert_int_equal(sent[2].started_ms, 1000000);
}

static void the_end_is_sent_and_forgotten(void **state)
{
    (void)state;
    hear(1, 0, 1);
    hear(1, 5000, 6);
    viewings_tick(viewings, 5000 + VIEWINGS_END_MS - 1);
    assert_int_equal(n, 1);
    viewings_tick(viewings, 5000 + VIEWINGS_END_MS);
    assert_int_equal(n, 2);
    assert_int_equal(sent[1].segments, 6);
    assert_int_equal(viewings_count(viewings), 0);
    hear(2, 0, 1);
    viewings_tick(viewings, VIEWINGS_END_MS); /* nothing new since it was sent */
    assert_int_equal(n, 3);
    assert_int_equal(viewings_count(viewings), 0);
}

static void a_report_that_was_overtaken_takes_nothing_back(void **state)
{
    (void)state;
    hear(1, 0, 1);
    hear(1, 9000, 9);
    hear(1, 4000, 4);
    viewings_tick(viewings, VIEWINGS_PERIOD_MS);
    assert_int_equal(sent[1].segments, 9);
    assert_int_equal(sent[1].bytes, 90);
    assert_int_equal(sent[1].seen_ms, 1009000);
    assert_int_equal(sent[1].ticket_id.b[0], 9);
}

static void more_than_fit_are_sent_each_time(void **state)
{
    (void)state;
    for (uint8_t part = 1; part <= PARTS_MAX + 1; part++) {
        hear(part, 0, 1);
    }
    assert_int_equal(viewings_count(viewings), PARTS_MAX);
    hear(PARTS_MAX + 1, 1000, 2);
    assert_int_equal(n, PARTS_MAX + 2);
    assert_int_equal(sent[n - 1].segments, 2);
}

static void a_part_of_another_tenant_is_another_one(void **state)
{
    (void)state;
    struct weir_ev_audit_viewing record = {.tenant_id = {.b = {1}}, .part_id = {.b = {7}}};
    viewings_note(viewings, &record, 0);
    record.tenant_id.b[0] = 2;
    viewings_note(viewings, &record, 0);
    assert_int_equal(viewings_count(viewings), 2);
    assert_int_equal(sent[1].tenant_id.b[0], 2);
}

static void what_is_due_is_sent_when_it_ends(void **state)
{
    (void)state;
    hear(1, 0, 1);
    hear(1, 1000, 2);
    hear(2, 1000, 1);
    viewings_free(viewings);
    viewings = NULL;
    assert_int_equal(n, 3);
    assert_int_equal(sent[2].segments, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_new_is_sent_at_once_and_the_rest_thinned_out),
        TEST(the_end_is_sent_and_forgotten),
        TEST(a_report_that_was_overtaken_takes_nothing_back),
        TEST(more_than_fit_are_sent_each_time),
        TEST(a_part_of_another_tenant_is_another_one),
        TEST(what_is_due_is_sent_when_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
