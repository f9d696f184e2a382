/* SPDX-License-Identifier: Apache-2.0 */
#include "tally/table.h"

#include "api/views.h"
#include "tests/unit/check.h"

#define PARTS_MAX 300
#define WALL_MS   1795906800000

static struct tally_table *table;
static struct weir_arena *arena;
static struct view_seen seen[VIEWS_MAX];
static size_t n;

static int begin(void **state)
{
    (void)state;
    table = tally_table_new(PARTS_MAX);
    arena = weir_arena_new(0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    tally_table_free(table);
    weir_arena_free(arena);
    return 0;
}

static bool send(int viewer, int64_t mono_ms, bool is_segment, int64_t bytes)
{
    struct tally_line line = {.tenant_id = {.b = {1}},
                              .viewer_id = {.b = {2, (uint8_t)(viewer >> 8), (uint8_t)viewer}},
                              .stream_id = {.b = {3}},
                              .ticket_id = {.b = {4, (uint8_t)mono_ms}},
                              .is_segment = is_segment,
                              .bytes = bytes};
    return tally_table_note(table, &line, mono_ms, WALL_MS);
}

/* As the api reads it. */
static size_t report(int64_t mono_ms)
{
    struct weir_json_out out = {0};
    struct weir_json json;
    struct weir_err err = {0};
    struct api_fault fault = {0};
    n = 0;
    if (tally_table_report(table, mono_ms, &out) > 0) {
        assert_true(out.buf.len < 65536);
        ASSERT_OK(weir_json_parse(out.buf.bytes, out.buf.len, arena, &json, &err), &err);
        assert_int_equal(views_read(&json, seen, &n, &fault), WEIR_OK);
    }
    weir_buf_done(&out.buf);
    return n;
}

static void what_a_viewer_was_sent_adds_up_and_is_told_once(void **state)
{
    (void)state;
    send(1, 1000, false, 300);
    send(1, 1100, true, 70000);
    send(1, 2100, true, 80000);
    assert_int_equal(report(3000), 1);
    assert_true(seen[0].is_counted);
    assert_int_equal(seen[0].age_ms, 900);
    assert_int_equal(seen[0].since_ms, 2000);
    assert_int_equal(seen[0].segments, 2);
    assert_int_equal(seen[0].bytes, 150300);
    struct weir_id part = seen[0].part_id;
    tally_table_confirm(table);
    assert_int_equal(report(4000), 0);
    send(1, 5000, true, 1);
    assert_int_equal(report(5000), 1);
    assert_int_equal(seen[0].segments, 3);
    assert_true(weir_id_equal(&seen[0].part_id, &part));
}

static void a_report_that_did_not_arrive_is_made_good(void **state)
{
    (void)state;
    send(1, 0, true, 1);
    assert_int_equal(report(0), 1);
    send(2, 0, true, 1); /* while it was on its way */
    send(1, 0, true, 1);
    tally_table_take_back(table);
    assert_int_equal(report(0), 2);
    send(1, 0, true, 1);
    tally_table_confirm(table);
    assert_int_equal(report(0), 1); /* what came on top of it */
    assert_int_equal(seen[0].segments, 3);
}

static void what_pauses_ends_and_begins_anew(void **state)
{
    (void)state;
    send(1, 0, true, 1);
    report(0);
    tally_table_confirm(table);
    struct weir_id part = seen[0].part_id;
    assert_int_equal(tally_table_sweep(table, TALLY_IDLE_MS - 1), 0);
    assert_int_equal(tally_table_count(table), 1);
    assert_int_equal(tally_table_sweep(table, TALLY_IDLE_MS), 0);
    assert_int_equal(tally_table_count(table), 0);
    send(1, 20000, true, 5);
    report(20000);
    assert_int_equal(seen[0].bytes, 5);
    assert_false(weir_id_equal(&seen[0].part_id, &part));
}

static void what_cannot_be_told_is_kept_and_given_up_in_the_end(void **state)
{
    (void)state;
    send(1, 0, true, 1);
    report(0);
    tally_table_take_back(table);
    assert_int_equal(tally_table_sweep(table, TALLY_KEEP_MS - 1), 0);
    assert_int_equal(report(TALLY_KEEP_MS - 1), 1);
    tally_table_take_back(table);
    assert_int_equal(tally_table_sweep(table, TALLY_KEEP_MS), 1);
    assert_int_equal(tally_table_count(table), 0);
}

static void many_are_told_in_several_reports_and_no_more_than_fit(void **state)
{
    (void)state;
    for (int viewer = 0; viewer < PARTS_MAX; viewer++) {
        assert_true(send(viewer, 0, true, 999999999999999));
    }
    assert_false(send(PARTS_MAX, 0, true, 1));
    assert_true(send(0, 0, true, 1));
    assert_int_equal(report(0), TALLY_REPORT_MAX);
    assert_int_equal(report(0), TALLY_REPORT_MAX);
    assert_int_equal(report(0), PARTS_MAX - 2 * TALLY_REPORT_MAX);
    assert_int_equal(report(0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_viewer_was_sent_adds_up_and_is_told_once),
        TEST(a_report_that_did_not_arrive_is_made_good),
        TEST(what_pauses_ends_and_begins_anew),
        TEST(what_cannot_be_told_is_kept_and_given_up_in_the_end),
        TEST(many_are_told_in_several_reports_and_no_more_than_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
